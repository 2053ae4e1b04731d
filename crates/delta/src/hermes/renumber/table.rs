//! This file's job is to make the new string table: that of the base, with what is new behind it.

use crate::hermes::bytes::read_u32;
use crate::hermes::layout::{ENTRY_SIZE_BYTES, PAIR_SIZE_BYTES};
use crate::hermes::renumber::numbers::{Numbers, Source};
use crate::hermes::renumber::program::Program;
use crate::hermes::strings::{self, IDENTIFIERS, LENGTH_LONG, OFFSET_MASK, Text};
use std::ops::Range;

/// The sections of a new table.
pub(super) struct Table {
    pub(super) kinds: Vec<u8>,
    pub(super) hashes: Vec<u8>,
    pub(super) entries: Vec<u8>,
    pub(super) long: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

impl Table {
    /// Makes the table for the chosen numbers. None when it would be too large.
    pub(super) fn make(base: &Program<'_>, program: &Program<'_>, numbers: &Numbers) -> Option<Self> {
        let section = |range: &Range<usize>| base.file.get(range.clone());
        let entries = section(&base.layout.texts)?;
        let mut table = Self {
            kinds: section(&base.layout.kinds)?.to_vec(),
            hashes: Vec::new(),
            entries: Vec::with_capacity(numbers.table.len() * ENTRY_SIZE_BYTES),
            long: section(&base.layout.long_texts)?.to_vec(),
            bytes: section(&base.layout.text_bytes)?.to_vec(),
        };
        let mut texts = Vec::with_capacity(numbers.table.len());
        for (number, source) in numbers.table.iter().enumerate() {
            let name = match *source {
                Source::Base(index) => {
                    let at = index * ENTRY_SIZE_BYTES;
                    table.entries.extend_from_slice(entries.get(at..at + ENTRY_SIZE_BYTES)?);
                    *base.strings.get(index)?
                }
                Source::File(index) => {
                    let name = *program.strings.get(index)?;
                    table.add_text(name.1)?;
                    name
                }
            };
            // Strings change places only with those of their kind: the base's kinds stay true.
            if number >= base.strings.len() {
                table.add_kind(name.0)?;
            }
            texts.push(name.1);
        }
        table.hashes = strings::hashes(&texts, &table.kinds)?;
        Some(table)
    }

    /// Makes the last run longer, or begins another.
    fn add_kind(&mut self, is_identifier: bool) -> Option<()> {
        let kind = if is_identifier { IDENTIFIERS } else { 0 };
        let last = self.kinds.len().checked_sub(ENTRY_SIZE_BYTES);
        match last.and_then(|at| read_u32(&self.kinds, at)).filter(|last| last & IDENTIFIERS == kind) {
            Some(run) => {
                self.kinds.truncate(last?);
                self.kinds.extend_from_slice(&run.checked_add(1)?.to_le_bytes());
            }
            None => self.kinds.extend_from_slice(&(kind | 1).to_le_bytes()),
        }
        Some(())
    }

    fn add_text(&mut self, (is_wide, bytes): Text<'_>) -> Option<()> {
        // Hermes reads UTF-16 where it lies.
        if is_wide && self.bytes.len() % 2 == 1 {
            self.bytes.push(0);
        }
        let offset = u32::try_from(self.bytes.len()).ok()?;
        let length = u32::try_from(if is_wide { bytes.len() / 2 } else { bytes.len() }).ok()?;
        self.bytes.extend_from_slice(bytes);
        let (stored, shown) = if length < LENGTH_LONG && offset <= OFFSET_MASK {
            (offset, length)
        } else {
            let index = u32::try_from(self.long.len() / PAIR_SIZE_BYTES).ok().filter(|index| *index <= OFFSET_MASK)?;
            self.long.extend([offset, length].iter().flat_map(|number| number.to_le_bytes()));
            (index, LENGTH_LONG)
        };
        let entry = u32::from(is_wide) | stored << 1 | shown << 24;
        self.entries.extend_from_slice(&entry.to_le_bytes());
        Some(())
    }
}
