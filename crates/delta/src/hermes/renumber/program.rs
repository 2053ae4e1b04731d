//! This file's job is to read a compiled file: its functions, its strings, and everything that points to a string or a literal.

use crate::hermes::bytes::{read, read_u32};
use crate::hermes::code;
use crate::hermes::functions::{self, Code, Direction, NameField};
use crate::hermes::layout::{ENTRY_SIZE_BYTES, Layout, PAIR_SIZE_BYTES};
use crate::hermes::literals::count;
use crate::hermes::parts::once_each;
use crate::hermes::renumber::literals::{Run, runs};
use crate::hermes::strings::{self, IDENTIFIERS, Text};
use crate::hermes::tables::{Instructions, Meaning};
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;
use std::ops::Range;

/// What a file ends with: the SHA-1 of all before.
pub(super) const FOOTER_SIZE_BYTES: usize = 20;
/// Switches and literals overlap little in real files. Odd ones must not take longer for it: so many for each byte, at most.
const OVERLAPS_MAX: usize = 2;

/// A string: whether it is an identifier, and its content.
pub(super) type Name<'a> = (bool, Text<'a>);

/// A place in the file that holds an index or an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) width: usize,
}

/// Some values of a buffer, from an offset on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal {
    /// Of the layout's.
    pub(super) buffer: usize,
    /// In the file.
    pub(super) start: usize,
    pub(super) count: u32,
}

/// A compiled file.
pub(super) struct Program<'a> {
    pub(super) file: &'a [u8],
    pub(super) layout: Layout,
    pub(super) code: Range<usize>,
    /// The file with relative function headers.
    pub(super) relative: Vec<u8>,
    pub(super) names: Vec<NameField>,
    pub(super) strings: Vec<Name<'a>>,
    /// The indexes of strings in the code and in the sources of functions.
    pub(super) texts: Vec<Place>,
    /// The offsets of literals in the code.
    pub(super) literals: Vec<(Place, Literal)>,
    /// The indexes of shapes in the code.
    pub(super) shape_places: Vec<Place>,
    /// The keys of each shape.
    pub(super) shapes: Vec<Literal>,
    /// What every literal is made of.
    pub(super) runs: BTreeMap<Literal, Vec<Run>>,
}

impl<'a> Program<'a> {
    /// Reads a file. None when it is an odd one.
    pub(super) fn read(file: &'a [u8]) -> Option<Self> {
        let layout = Layout::parse(file)?;
        let body = file.len().checked_sub(FOOTER_SIZE_BYTES)?;
        if layout.file_size_bytes != file.len() || Sha1::digest(&file[..body])[..] != file[body..] {
            return None;
        }
        let code = functions::code_range(file, &layout)?;
        let behind = layout.behind_shapes();
        if code.start < behind || code.start % 4 != 0 || code.end > body {
            return None;
        }
        let mut relative = file.to_vec();
        let list = functions::convert(&mut relative, &layout, &code, Direction::ToRelative)?;
        let codes = once_each(&list)?;
        let names = list.iter().map(|function| function.name).collect();
        let strings = named(file, &layout)?;
        let mut program = Self {
            file,
            layout,
            code,
            relative,
            names,
            strings,
            texts: Vec::new(),
            literals: Vec::new(),
            shape_places: Vec::new(),
            shapes: Vec::new(),
            runs: BTreeMap::new(),
        };
        program.read_sources()?;
        program.read_shapes()?;
        let instructions = program.layout.version.instructions();
        codes.iter().try_for_each(|code| program.read_code(*code, &instructions))?;
        program.read_literals()?;
        Some(program)
    }

    /// Returns how many bits every index of each string has, at least.
    pub(super) fn widths(&self) -> Option<Vec<u32>> {
        let mut widths = vec![u32::BITS; self.strings.len()];
        let mut note = |text: u32, bits: u32| {
            let width = widths.get_mut(text as usize)?;
            *width = bits.min(*width);
            Some(())
        };
        for place in &self.texts {
            note(self.index(*place)?, 8 * place.width as u32)?;
        }
        for name in &self.names {
            note(name.get(self.file)?, name.bits)?;
        }
        for run in self.runs.values().flatten().filter(|run| run.is_text) {
            for place in run.places() {
                note(self.index(place)?, 8 * run.width as u32)?;
            }
        }
        Some(widths)
    }

    pub(super) fn index(&self, place: Place) -> Option<u32> {
        read(self.file, place.at, place.width)
    }

    /// Notes the strings that functions which show their source have for it.
    fn read_sources(&mut self) -> Option<()> {
        let sources = self.layout.function_sources(self.file)?;
        if sources.end > self.code.start {
            return None;
        }
        self.texts.extend(sources.step_by(PAIR_SIZE_BYTES).map(|at| Place { at: at + 4, width: 4 }));
        Some(())
    }

    fn read_shapes(&mut self) -> Option<()> {
        for at in self.layout.shapes.clone().step_by(PAIR_SIZE_BYTES) {
            let count = read_u32(self.file, at + 4)?;
            let keys = self.literal(Meaning::Key, Place { at, width: 4 }, count)?;
            self.shapes.push(keys);
        }
        Some(())
    }

    fn read_code(&mut self, code: Code, instructions: &Instructions) -> Option<()> {
        let mut at = code.start;
        while at < code.end {
            let instruction = instructions.get(usize::from(*self.file.get(at)?))?;
            for operand in &instruction.pointers {
                let place = Place { at: at + operand.offset, width: operand.width };
                match operand.meaning {
                    Meaning::Text => self.texts.push(place),
                    Meaning::Array | Meaning::Key | Meaning::Value => {
                        let count = count(self.file, at, instruction, &self.layout)?;
                        let literal = self.literal(operand.meaning, place, count)?;
                        self.literals.push((place, literal));
                    }
                    Meaning::Shape => self.shape_places.push(place),
                    Meaning::Function | Meaning::Count | Meaning::Plain => {}
                }
            }
            if instruction.switches_on_text {
                let table = code::switch(&self.file[..self.code.end], at, 0)?;
                self.texts.extend(table.step_by(PAIR_SIZE_BYTES).map(|at| Place { at, width: 4 }));
            }
            if self.texts.len() + self.literals.len() > OVERLAPS_MAX * self.file.len() {
                return None;
            }
            at += instruction.size_bytes;
        }
        (at == code.end).then_some(())
    }

    fn read_literals(&mut self) -> Option<()> {
        let mut left = OVERLAPS_MAX * self.file.len();
        for literal in self.literals.iter().map(|(_, literal)| literal).chain(&self.shapes) {
            if self.runs.contains_key(literal) {
                continue;
            }
            let buffer = self.file.get(..self.layout.buffers.get(literal.buffer)?.end)?;
            let found = runs(buffer, literal.start, literal.count as usize, self.layout.version.generation)?;
            left = left.checked_sub(found.iter().map(|run| run.next() - run.at).sum())?;
            self.runs.insert(*literal, found);
        }
        Some(())
    }

    fn literal(&self, meaning: Meaning, place: Place, count: u32) -> Option<Literal> {
        let buffer = self.layout.buffer_index(meaning)?;
        let start = self.layout.buffers.get(buffer)?.start.checked_add(self.index(place)? as usize)?;
        Some(Literal { buffer, start, count })
    }
}

/// Returns the strings with their kinds.
pub(super) fn named<'a>(file: &'a [u8], layout: &Layout) -> Option<Vec<Name<'a>>> {
    let texts = strings::list(file, layout)?;
    let kinds = kinds_of(file.get(layout.kinds.clone())?, texts.len())?;
    Some(kinds.into_iter().zip(texts).collect())
}

/// Says of each string whether it is an identifier. None when the kinds are not of so many strings.
fn kinds_of(kinds: &[u8], count: usize) -> Option<Vec<bool>> {
    let mut are_identifiers = Vec::with_capacity(count);
    for kind in kinds.chunks_exact(ENTRY_SIZE_BYTES) {
        let kind = read_u32(kind, 0)?;
        let length = (kind & !IDENTIFIERS) as usize;
        if length > count - are_identifiers.len() {
            return None;
        }
        are_identifiers.resize(are_identifiers.len() + length, kind & IDENTIFIERS != 0);
    }
    (are_identifiers.len() == count).then_some(are_identifiers)
}
