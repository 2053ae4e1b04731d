//! This file's job is to read and change what the header says of sections that only renumbering looks at.

use crate::hermes::bytes::{aligned, read_u32, read_usize, write};
use crate::hermes::layout::{
    BUFFERS, COUNTS_OFFSET, HASHES, KINDS, LONG_TEXTS, Layout, PAIR_SIZE_BYTES, TEXT_BYTES, TEXTS,
};
use crate::hermes::version::Generation;
use std::ops::Range;

const BIG_INTEGERS: usize = 8;
const EXPRESSIONS: usize = 10;

/// What the header says of those sections that depend on the numbers of strings.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) file_size_bytes: usize,
    pub(super) kinds: usize,
    pub(super) hashes: usize,
    pub(super) texts: usize,
    pub(super) long_texts: usize,
    pub(super) text_bytes: usize,
    /// As many as the layout has.
    pub(super) buffers: Vec<usize>,
    pub(super) shapes: usize,
    /// How far the debug information has moved.
    pub(super) moved: i64,
}

impl Layout {
    /// Returns which count of the header says where the debug information is; before it are the numbers of CommonJS modules and of
    /// functions that show a source.
    const fn debug_field(&self) -> usize {
        match self.version.generation {
            Generation::Buffers => 18,
            Generation::Shapes => 19,
        }
    }

    /// Changes what the header says. None when a number does not fit, or the header is cut off.
    pub(super) fn set_counts(&self, header: &mut [u8], counts: &Counts) -> Option<()> {
        let debug = i64::from(read_u32(header, COUNTS_OFFSET + 4 * self.debug_field())?) + counts.moved;
        let fixed = [
            (0, counts.file_size_bytes),
            (KINDS, counts.kinds),
            (HASHES, counts.hashes),
            (TEXTS, counts.texts),
            (LONG_TEXTS, counts.long_texts),
            (TEXT_BYTES, counts.text_bytes),
            (self.debug_field(), usize::try_from(debug).ok()?),
        ];
        let shapes = [counts.shapes].into_iter().take(usize::from(self.version.generation == Generation::Shapes));
        let literals = (BUFFERS..).zip(counts.buffers.iter().copied().chain(shapes));
        for (index, count) in fixed.into_iter().chain(literals) {
            write(header, COUNTS_OFFSET + 4 * index, 4, u32::try_from(count).ok()?)?;
        }
        Some(())
    }

    /// Returns where the section behind the shapes, or the buffers, begins.
    pub(super) const fn behind_shapes(&self) -> usize {
        aligned(self.shapes.end)
    }

    /// Returns where the strings are that functions show as their source: pairs of function and string. None when the file has
    /// CommonJS modules, whose table has indexes of another meaning, or the header is cut off.
    pub(super) fn function_sources(&self, header: &[u8]) -> Option<Range<usize>> {
        let count = |index: usize| read_usize(header, COUNTS_OFFSET + 4 * index);
        let modules = self.debug_field() - 2;
        if count(modules)? != 0 {
            return None;
        }
        let mut end = self.behind_shapes();
        for (index, size_bytes) in [(BIG_INTEGERS, 8), (BIG_INTEGERS + 1, 1), (EXPRESSIONS, 8), (EXPRESSIONS + 1, 1)] {
            end = aligned(end).checked_add(count(index)?.checked_mul(size_bytes)?)?;
        }
        let start = aligned(end);
        Some(start..start.checked_add(count(modules + 1)?.checked_mul(PAIR_SIZE_BYTES)?)?)
    }
}
