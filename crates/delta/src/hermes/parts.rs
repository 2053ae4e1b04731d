//! This file's job is to hold the old file taken apart, as encoder and decoder both need it.

use crate::hermes::functions::{self, Code, Direction, Function, NameField};
use crate::hermes::layout::{HEADER_SIZE_BYTES, Layout};
use crate::hermes::literals;
use crate::hermes::strings::{self, NONE};
use crate::hermes::tables::Instructions;
use std::ops::Range;

/// A file taken apart.
///
/// ```text
/// texts      header, string kinds, string table with relative offsets, long strings, string bytes
/// literals   whatever stands between the strings and the code
/// functions  relative function headers, then the rest behind the code
/// code
/// ```
/// The hashes of identifiers are in none of them.
pub(super) struct Parts {
    pub(super) layout: Layout,
    pub(super) code: Range<usize>,
    /// Where the code of each function is, in order, once each.
    pub(super) codes: Vec<Code>,
    pub(super) texts: Vec<u8>,
    pub(super) literals: Vec<u8>,
    pub(super) functions: Vec<u8>,
    names: Vec<NameField>,
}

impl Parts {
    /// Takes a file apart. None when it is an odd one.
    pub(super) fn take(file: &[u8], layout: Layout) -> Option<Self> {
        if layout.file_size_bytes != file.len() {
            return None;
        }
        let code = functions::code_range(file, &layout)?;
        if code.start < layout.shapes.end.max(layout.literals) {
            return None;
        }
        let texts = take_texts(file, &layout)?;
        let mut literals = file.get(layout.literals..code.start)?.to_vec();
        literals::convert_shapes(literals.get_mut(layout.shapes_in_literals())?, Direction::ToRelative);
        let mut relative = file.to_vec();
        let list = functions::convert(&mut relative, &layout, &code, Direction::ToRelative)?;
        let functions = [relative.get(layout.functions())?, relative.get(code.end..)?].concat();
        let codes = once_each(&list)?;
        let names = list.iter().map(|function| function.name).collect();
        Some(Self { layout, code, codes, texts, literals, functions, names })
    }

    /// Puts the new file's indexes of strings into literals and functions.
    pub(super) fn replace_texts(&mut self, file: &[u8], instructions: &Instructions, map: &[u32]) {
        literals::replace_texts(&mut self.literals, file, &self.layout, &self.codes, instructions, map);
        let headers_size_bytes = self.layout.functions().len();
        for name in &self.names {
            let at = if name.at < self.code.start {
                name.at - HEADER_SIZE_BYTES
            } else {
                name.at - self.code.end + headers_size_bytes
            };
            let name = NameField { at, ..*name };
            let mapped = name.get(&self.functions).and_then(|index| map.get(index as usize)).copied();
            if let Some(mapped) = mapped.filter(|mapped| *mapped != NONE) {
                // What does not fit stays.
                let _ = name.set(&mut self.functions, mapped);
            }
        }
    }
}

/// Lists where the code of functions is. None when some overlap without being the same.
pub(super) fn once_each(functions: &[Function]) -> Option<Vec<Code>> {
    let mut codes: Vec<Code> = functions.iter().map(|function| function.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.is_sorted_by(|one, next| one.end <= next.start).then_some(codes)
}

fn take_texts(file: &[u8], layout: &Layout) -> Option<Vec<u8>> {
    let mut texts = file.get(..HEADER_SIZE_BYTES)?.to_vec();
    texts.extend_from_slice(file.get(layout.kinds.start..layout.hashes.start)?);
    let table = texts.len();
    texts.extend_from_slice(file.get(layout.texts.start..layout.literals)?);
    strings::convert_table(texts.get_mut(table..table + layout.texts.len())?, Direction::ToRelative);
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&[u8]; 6] = [
        include_bytes!("../../tests/samples/new-89.hbc"),
        include_bytes!("../../tests/samples/new-96.hbc"),
        include_bytes!("../../tests/samples/debug-96.hbc"),
        include_bytes!("../../tests/samples/new-98.hbc"),
        include_bytes!("../../tests/samples/debug-98.hbc"),
        include_bytes!("../../tests/samples/new-99.hbc"),
    ];

    #[test]
    fn the_code_of_every_function_is_whole_instructions() {
        for file in SAMPLES {
            let parts = Parts::take(file, Layout::parse(file).unwrap()).unwrap();
            let instructions = parts.layout.version.instructions();
            assert!(parts.codes.len() > 40);
            for code in &parts.codes {
                let mut at = code.start;
                while at < code.end {
                    at += instructions[usize::from(file[at])].size_bytes;
                }
                assert_eq!(at, code.end, "version {}", parts.layout.version.number());
            }
        }
    }

    #[test]
    fn most_positions_are_as_expected() {
        for file in SAMPLES {
            let parts = Parts::take(file, Layout::parse(file).unwrap()).unwrap();
            let size_bytes = parts.layout.version.function_size_bytes;
            let headers = parts.functions[..parts.layout.functions().len()].chunks_exact(size_bytes);
            let count = headers.clone().count();
            let expected = headers.filter(|header| header[..2] == [0, 0]).count();
            assert!(expected * 2 > count, "{expected} of {count}, version {}", parts.layout.version.number());
        }
    }

    #[test]
    fn strings_that_move_are_found_in_literals() {
        for file in SAMPLES {
            let mut parts = Parts::take(file, Layout::parse(file).unwrap()).unwrap();
            let (before, instructions) = (parts.literals.clone(), parts.layout.version.instructions());
            let map: Vec<u32> = (0..parts.layout.text_count() as u32).map(|text| text ^ 1).collect();
            parts.replace_texts(file, &instructions, &map);
            let differ = before.iter().zip(&parts.literals).filter(|(before, after)| before != after).count();
            assert!(differ > 50, "{differ}, version {}", parts.layout.version.number());
        }
    }
}
