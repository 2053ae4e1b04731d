//! This file's job is to apply `hbc-delta` patches, trusting nothing in them.

use crate::error::DeltaError;
use crate::hermes::adaptive::{self, Grammar};
use crate::hermes::broken;
use crate::hermes::code::{self, Maps};
use crate::hermes::container::{Head, Profile};
use crate::hermes::edits::{Alignment, Step};
use crate::hermes::functions::{self, Direction};
use crate::hermes::layout::{HEADER_SIZE_BYTES, Layout};
use crate::hermes::parts::Parts;
#[cfg(feature = "zstandard")]
use crate::hermes::zstandard;
use crate::hermes::{literals, strings};
use crate::limits::Limits;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Memory for each byte of the base: its parts, the list of its literals.
const BASE_FACTOR: usize = 6;
/// Memory for each byte of the new file besides itself: two of its parts.
const RESULT_FACTOR: usize = 2;
/// Memory for each string of either file: its place, its new index, its share of a hash table.
const TEXT_BYTES: usize = 96;
/// Memory for each function of either file.
const FUNCTION_BYTES: usize = 128;

/// Makes the new file from the base and an `hbc-delta` patch. What comes out has the SHA-256 that the patch names.
///
/// # Errors
/// When the bytes are no patch, or one of another profile or for another base, or broken, or need more than the limits.
pub fn decode(base: &[u8], patch: &[u8], profile: Profile, limits: &Limits) -> Result<Vec<u8>, DeltaError> {
    let (head, data) = Head::split(patch)?;
    if head.profile != profile {
        return Err(DeltaError::NotAPatch);
    }
    if Sha256::digest(base)[..] != head.base_sha256 {
        return Err(DeltaError::OtherBase);
    }
    let size_bytes = limits.check_output(u64::from(head.size_bytes))?;
    let odd_base = || broken("the base is no Hermes bytecode of a known version");
    let layout = Layout::parse(base).ok_or_else(odd_base)?;
    let memory_bytes = base.len().saturating_mul(BASE_FACTOR).saturating_add(size_bytes.saturating_mul(RESULT_FACTOR));
    let memory_bytes = memory_bytes.saturating_add(lists_bytes(&layout));
    limits.check_memory(memory_bytes)?;
    let old = Parts::take(base, layout).ok_or_else(odd_base)?;
    let source = match head.profile {
        #[cfg(not(feature = "zstandard"))]
        Profile::Zstandard => return Err(DeltaError::UnknownFormat),
        #[cfg(feature = "zstandard")]
        Profile::Zstandard => Source::Zstandard(zstandard::Reader::new(data, size_bytes, memory_bytes, limits)?),
        Profile::Adaptive => Source::Adaptive(Box::new(adaptive::Reader::new(data, base.len(), memory_bytes, limits)?)),
    };
    let file = Rebuild { base, head: &head, source, limits, memory_bytes }.run(old)?;
    if Sha256::digest(&file)[..] != head.result_sha256 {
        return Err(broken("another file came out"));
    }
    Ok(file)
}

const fn lists_bytes(layout: &Layout) -> usize {
    let texts = layout.text_count().saturating_mul(TEXT_BYTES);
    texts.saturating_add(layout.function_count.saturating_mul(FUNCTION_BYTES))
}

/// Where parts come from.
enum Source<'a> {
    #[cfg(feature = "zstandard")]
    Zstandard(zstandard::Reader),
    Adaptive(Box<adaptive::Reader<'a>>),
}

impl Source<'_> {
    fn next(&mut self, old: &[u8], new: &mut [u8]) -> Result<Vec<Step>, DeltaError> {
        match self {
            #[cfg(feature = "zstandard")]
            Self::Zstandard(reader) => reader.next(old, new),
            Self::Adaptive(reader) => reader.next(old, &Grammar::Entries, new),
        }
    }

    /// Makes the code, which an adaptive coder knows the grammar of.
    fn last(&mut self, old: &[u8], grammar: impl Fn() -> Grammar, new: &mut [u8]) -> Result<Vec<Step>, DeltaError> {
        match self {
            #[cfg(feature = "zstandard")]
            Self::Zstandard(reader) => reader.next(old, new),
            Self::Adaptive(reader) => reader.next(old, &grammar(), new),
        }
    }

    fn finish(&self) -> Result<(), DeltaError> {
        match self {
            #[cfg(feature = "zstandard")]
            Self::Zstandard(reader) => reader.finish(),
            Self::Adaptive(reader) => reader.finish(),
        }
    }
}

/// A patch that is being applied.
struct Rebuild<'a> {
    base: &'a [u8],
    head: &'a Head,
    source: Source<'a>,
    limits: &'a Limits,
    memory_bytes: usize,
}

fn unfit() -> DeltaError {
    broken("the parts do not fit the header")
}

impl Rebuild<'_> {
    fn run(mut self, mut old: Parts) -> Result<Vec<u8>, DeltaError> {
        let mut file = vec![0; self.head.size_bytes as usize];
        let layout = self.texts(&mut file, &old)?;
        let map =
            self.map_texts(&mut file, &old, &layout).ok_or_else(|| broken("the strings do not fit the header"))?;
        let instructions = layout.version.instructions();
        old.replace_texts(self.base, &instructions, &map);
        let start = layout.literals.checked_add(self.head.sizes.literals).ok_or_else(unfit)?;
        let code = start..start.checked_add(self.head.sizes.code).ok_or_else(unfit)?;
        let literals = self.literals(&mut file, &old, &layout, start)?;
        let functions = self.functions(&mut file, &old, &layout, &code)?;
        let maps = Maps { old: &old.layout, new: &layout, texts: &map, literals: &literals, functions: &functions };
        let guess = code::guess(self.base, &old, &instructions, &maps).ok_or_else(unfit)?;
        let new = file.get_mut(code).ok_or_else(unfit)?;
        self.source.last(&guess, || Grammar::of_code(&guess, &old.codes, old.code.start, &instructions), new)?;
        self.source.finish()?;
        Ok(file)
    }

    /// Makes the header and the strings.
    fn texts(&mut self, file: &mut [u8], old: &Parts) -> Result<Layout, DeltaError> {
        let mut texts = vec![0; self.head.sizes.texts];
        self.source.next(&old.texts, &mut texts)?;
        let layout = Layout::parse(&texts).ok_or_else(|| broken("the header is odd"))?;
        self.limits.check_memory(self.memory_bytes.saturating_add(lists_bytes(&layout)))?;
        let kinds_size_bytes = layout.kinds.len();
        let fits = layout.version.number() == old.layout.version.number()
            && layout.file_size_bytes == file.len()
            && layout.literals <= file.len()
            && texts.len() == HEADER_SIZE_BYTES + kinds_size_bytes + (layout.literals - layout.texts.start);
        if !fits {
            return Err(broken("the header does not fit the strings"));
        }
        let (header, rest) = texts.split_at(HEADER_SIZE_BYTES);
        let (kinds, tables) = rest.split_at(kinds_size_bytes);
        file[..HEADER_SIZE_BYTES].copy_from_slice(header);
        file[layout.kinds.clone()].copy_from_slice(kinds);
        file[layout.texts.start..layout.literals].copy_from_slice(tables);
        strings::convert_table(&mut file[layout.texts.clone()], Direction::ToAbsolute);
        Ok(layout)
    }

    /// Maps the old strings to the new ones, whose hashes are written meanwhile.
    fn map_texts(&self, file: &mut [u8], old: &Parts, layout: &Layout) -> Option<Vec<u32>> {
        let texts = strings::list(file, layout)?;
        let map = strings::map(&strings::list(self.base, &old.layout)?, &texts);
        let hashes = strings::hashes(&texts, file.get(layout.kinds.clone())?)?;
        let section = file.get_mut(layout.hashes.clone()).filter(|section| section.len() == hashes.len())?;
        section.copy_from_slice(&hashes);
        Some(map)
    }

    /// Makes what stands between the strings and the code.
    fn literals(&mut self, file: &mut [u8], old: &Parts, layout: &Layout, end: usize) -> Result<Alignment, DeltaError> {
        if layout.shapes.end > end {
            return Err(unfit());
        }
        let steps = self.source.next(&old.literals, file.get_mut(layout.literals..end).ok_or_else(unfit)?)?;
        literals::convert_shapes(&mut file[layout.shapes.clone()], Direction::ToAbsolute);
        Ok(Alignment::new(&steps))
    }

    /// Makes the function headers, and what stands behind the code.
    fn functions(
        &mut self,
        file: &mut [u8],
        old: &Parts,
        layout: &Layout,
        code: &Range<usize>,
    ) -> Result<Alignment, DeltaError> {
        let mut relative = vec![0; self.head.sizes.functions];
        let steps = self.source.next(&old.functions, &mut relative)?;
        let headers = layout.functions();
        let (in_headers, behind) = relative.split_at_checked(headers.len()).ok_or_else(unfit)?;
        file.get_mut(headers).ok_or_else(unfit)?.copy_from_slice(in_headers);
        let rest = file.get_mut(code.end..).filter(|rest| rest.len() == behind.len()).ok_or_else(unfit)?;
        rest.copy_from_slice(behind);
        functions::convert(file, layout, code, Direction::ToAbsolute).ok_or_else(|| broken("a function is odd"))?;
        Ok(Alignment::new(&steps))
    }
}
