//! This file's job is to say where each section of a Hermes bytecode file is.
//!
//! ```text
//! header             128 bytes: magic, version, hash of the source, then counts and sizes, u32 each
//! function headers   12 or 16 bytes each, see `functions`
//! string kinds       u32 each: a run of strings or of identifiers
//! hashes             u32 for each identifier
//! string table       u32 for each string, see `strings`
//! long strings       u32 offset, u32 length, for each string that does not fit the table
//! string bytes
//! literals           buffers of values and keys, and up to the code whatever else the version has
//! code
//! rest               long function headers, tables of exceptions, debug information, hash of the file
//! ```
//! Every section begins at a multiple of 4.

use crate::hermes::bytes::{aligned, read_u32, read_usize};
use crate::hermes::tables::Meaning;
use crate::hermes::version::{Generation, Version};
use std::ops::Range;

/// What a Hermes bytecode file begins with.
pub(super) const MAGIC: [u8; 8] = 0x1f19_03c1_03bc_1fc6_u64.to_le_bytes();
/// Size of the header.
pub(super) const HEADER_SIZE_BYTES: usize = 128;
/// Size of an entry of the string kinds, the hashes and the string table.
pub(super) const ENTRY_SIZE_BYTES: usize = 4;
/// Size of an entry of the long strings, and of the shapes.
pub(super) const PAIR_SIZE_BYTES: usize = 8;

const VERSION_OFFSET: usize = 8;
/// Where the counts and sizes begin; the first is the size of the file. These are their places.
pub(super) const COUNTS_OFFSET: usize = 32;
const FUNCTIONS: usize = 2;
pub(super) const KINDS: usize = 3;
pub(super) const HASHES: usize = 4;
pub(super) const TEXTS: usize = 5;
pub(super) const LONG_TEXTS: usize = 6;
pub(super) const TEXT_BYTES: usize = 7;
pub(super) const BUFFERS: usize = 12;

/// Where the sections are.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) version: &'static Version,
    pub(super) file_size_bytes: usize,
    pub(super) function_count: usize,
    pub(super) kinds: Range<usize>,
    pub(super) hashes: Range<usize>,
    pub(super) texts: Range<usize>,
    pub(super) long_texts: Range<usize>,
    pub(super) text_bytes: Range<usize>,
    /// Where the literals begin.
    pub(super) literals: usize,
    /// Values and keys; or arrays, keys and values up to version 96.
    pub(super) buffers: Vec<Range<usize>>,
    /// Empty up to version 96.
    pub(super) shapes: Range<usize>,
}

impl Layout {
    /// Reads the header. None when it is no header of a version that has a table, or one that says nonsense.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        if !header.starts_with(&MAGIC) {
            return None;
        }
        let version = Version::find(read_u32(header, VERSION_OFFSET)?)?;
        let count = |index: usize| read_usize(header, COUNTS_OFFSET + 4 * index);
        let function_count = count(FUNCTIONS)?;
        let mut end = HEADER_SIZE_BYTES.checked_add(function_count.checked_mul(version.function_size_bytes)?)?;
        let mut section = |count: usize, size_bytes: usize| -> Option<Range<usize>> {
            let start = aligned(end);
            end = start.checked_add(count.checked_mul(size_bytes)?)?;
            Some(start..end)
        };
        let kinds = section(count(KINDS)?, ENTRY_SIZE_BYTES)?;
        let hashes = section(count(HASHES)?, ENTRY_SIZE_BYTES)?;
        let texts = section(count(TEXTS)?, ENTRY_SIZE_BYTES)?;
        let long_texts = section(count(LONG_TEXTS)?, PAIR_SIZE_BYTES)?;
        let text_bytes = section(count(TEXT_BYTES)?, 1)?;
        let (buffer_count, shape_count) = match version.generation {
            Generation::Buffers => (3, 0),
            Generation::Shapes => (2, count(BUFFERS + 2)?),
        };
        let buffers: Option<Vec<_>> =
            (BUFFERS..BUFFERS + buffer_count).map(|index| section(count(index)?, 1)).collect();
        let shapes = section(shape_count, PAIR_SIZE_BYTES)?;
        Some(Self {
            version,
            file_size_bytes: count(0)?,
            function_count,
            literals: aligned(text_bytes.end),
            kinds,
            hashes,
            texts,
            long_texts,
            text_bytes,
            buffers: buffers?,
            shapes,
        })
    }

    /// Returns where the shapes are, counted from where the literals begin.
    pub(super) const fn shapes_in_literals(&self) -> Range<usize> {
        self.shapes.start - self.literals..self.shapes.end - self.literals
    }

    /// Returns the buffer that operands of this meaning point into: arrays, keys and values up to version 96, values and keys after it.
    pub(super) fn buffer(&self, meaning: Meaning) -> Option<&Range<usize>> {
        self.buffers.get(self.buffer_index(meaning)?)
    }

    /// Returns which of the buffers operands of this meaning point into.
    pub(super) const fn buffer_index(&self, meaning: Meaning) -> Option<usize> {
        match (self.version.generation, meaning) {
            (Generation::Buffers, Meaning::Array) | (Generation::Shapes, Meaning::Value) => Some(0),
            (_, Meaning::Key) => Some(1),
            (Generation::Buffers, Meaning::Value) => Some(2),
            (_, _) => None,
        }
    }

    /// Where the function headers are.
    pub(super) const fn functions(&self) -> Range<usize> {
        HEADER_SIZE_BYTES..HEADER_SIZE_BYTES + self.function_count * self.version.function_size_bytes
    }

    /// How many strings there are.
    pub(super) const fn text_count(&self) -> usize {
        (self.texts.end - self.texts.start) / ENTRY_SIZE_BYTES
    }
}
