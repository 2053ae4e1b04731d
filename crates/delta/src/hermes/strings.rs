//! This file's job is to read the strings of a file, and to compute what Hermes stores besides them.
//!
//! An entry of the string table: 1 bit for UTF-16, 23 bits of offset, 8 bits of length. With a length of 255 the offset is the index of a
//! long string. An entry of the string kinds: 31 bits of length of the run, 1 bit for identifiers.

use crate::hermes::bytes::{read_u32, read_usize};
use crate::hermes::functions::Direction;
use crate::hermes::layout::{ENTRY_SIZE_BYTES, Layout, PAIR_SIZE_BYTES};
use std::collections::HashMap;

pub(super) const OFFSET_MASK: u32 = 0x7f_ffff;
pub(super) const LENGTH_LONG: u32 = 255;
pub(super) const IDENTIFIERS: u32 = 1 << 31;

/// Strings share their bytes where one is part of another: this often at most, on average, lest odd files take minutes.
const SHARED_MAX: usize = 16;

/// Stands for no string.
pub(super) const NONE: u32 = u32::MAX;

/// A string: whether it is UTF-16, and its bytes.
pub(super) type Text<'a> = (bool, &'a [u8]);

/// Reads all strings.
pub(super) fn list<'a>(file: &'a [u8], layout: &Layout) -> Option<Vec<Text<'a>>> {
    let storage = file.get(layout.text_bytes.clone())?;
    let table = file.get(layout.texts.clone())?;
    let long = file.get(layout.long_texts.clone())?;
    let text = |entry: &[u8]| -> Option<Text<'a>> {
        let entry = read_u32(entry, 0)?;
        let (mut offset, mut length) = ((entry >> 1 & OFFSET_MASK) as usize, (entry >> 24) as usize);
        if entry >> 24 == LENGTH_LONG {
            let at = offset * PAIR_SIZE_BYTES;
            (offset, length) = (read_usize(long, at)?, read_usize(long, at + 4)?);
        }
        let is_wide = entry & 1 == 1;
        let size_bytes = if is_wide { length.checked_mul(2)? } else { length };
        Some((is_wide, storage.get(offset..offset.checked_add(size_bytes)?)?))
    };
    let texts: Vec<Text<'a>> = table.chunks_exact(ENTRY_SIZE_BYTES).map(text).collect::<Option<_>>()?;
    let sum: usize = texts.iter().map(|text| text.1.len()).sum();
    (sum <= storage.len().saturating_mul(SHARED_MAX)).then_some(texts)
}

/// Computes the hashes of the identifiers, which are not part of patches: the bytes of their section. None when the kinds do not fit.
///
/// The hash is Bob Jenkins' one-at-a-time over code units, without its end.
pub(super) fn hashes(texts: &[Text<'_>], kinds: &[u8]) -> Option<Vec<u8>> {
    let mut hashes = Vec::new();
    let mut rest = texts;
    for kind in kinds.chunks_exact(ENTRY_SIZE_BYTES) {
        let kind = read_u32(kind, 0)?;
        let (run, after) = rest.split_at_checked((kind & !IDENTIFIERS) as usize)?;
        rest = after;
        if kind & IDENTIFIERS != 0 {
            run.iter().for_each(|text| hashes.extend_from_slice(&hash(*text).to_le_bytes()));
        }
    }
    Some(hashes)
}

fn hash((is_wide, bytes): Text<'_>) -> u32 {
    let step = |hash: u32, unit: u32| {
        let sum = hash.wrapping_add(unit);
        let sum = sum.wrapping_add(sum << 10);
        sum ^ sum >> 6
    };
    if is_wide {
        bytes.chunks_exact(2).fold(0, |hash, unit| step(hash, u32::from(unit[0]) | u32::from(unit[1]) << 8))
    } else {
        bytes.iter().fold(0, |hash, &unit| step(hash, unit.into()))
    }
}

/// Returns for each old string the new one of the same content, or [`NONE`]. A content that stands several times is matched in order.
pub(super) fn map(old: &[Text<'_>], new: &[Text<'_>]) -> Vec<u32> {
    let mut first = HashMap::with_capacity(new.len());
    let mut next = vec![NONE; new.len()];
    for (index, text) in new.iter().enumerate().rev() {
        if let Some(later) = first.insert(*text, index as u32) {
            next[index] = later;
        }
    }
    let mut taken = Vec::with_capacity(old.len());
    for text in old {
        let found = first.get_mut(text);
        taken.push(found.as_ref().map_or(NONE, |index| **index));
        if let Some(index) = found
            && next[*index as usize] != NONE
        {
            *index = next[*index as usize];
        }
    }
    taken
}

/// Replaces the offsets in a string table by their distance from the entry before, or the other way round.
pub(super) fn convert_table(table: &mut [u8], direction: Direction) {
    let mut before = 0_u32;
    for entry in table.chunks_exact_mut(ENTRY_SIZE_BYTES) {
        let number = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        if number >> 24 == LENGTH_LONG {
            continue;
        }
        let stored = number >> 1 & OFFSET_MASK;
        let (absolute, converted) = direction.convert(stored, before);
        before = absolute & OFFSET_MASK;
        let converted = converted & OFFSET_MASK;
        entry.copy_from_slice(&(number & !(OFFSET_MASK << 1) | converted << 1).to_le_bytes());
    }
}
