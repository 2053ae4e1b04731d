//! This file's job is to turn a division of the new file into the format's three blocks.

use crate::bsdiff40::number;

/// Where the bytes of a segment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nearly the same bytes of the old file, so many further on (or back) than in the new file.
    Old(i32),
    /// Bytes of their own.
    Fresh,
}

/// A part of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) source: Source,
}

/// The three blocks of a patch, before they are compressed.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    pub(super) control: Vec<u8>,
    pub(super) difference: Vec<u8>,
    pub(super) extra: Vec<u8>,
}

/// Size of one step in the control block.
pub(super) const STEP_SIZE_BYTES: usize = 24;

/// Returns the difference of two bytes; old bytes outside of the old file are 0.
pub(super) fn difference(base: &[u8], target: &[u8], position: usize, shift: i32) -> u8 {
    let old = usize::try_from(position as i64 + i64::from(shift)).ok().and_then(|position| base.get(position));
    target[position].wrapping_sub(old.copied().unwrap_or(0))
}

impl Blocks {
    /// Makes the blocks of segments that cover the new file without gaps, in order.
    pub(super) fn make(base: &[u8], target: &[u8], segments: &[Segment]) -> Self {
        let mut blocks = Self::default();
        let mut rest = segments;
        // The position in the old file before the step, and what the step moves.
        let mut position = 0_i64;
        while !rest.is_empty() {
            let (add, after) = take(rest, |segment| {
                // A step begins at the position that the one before has left: at first, that is the beginning.
                matches!(segment.source, Source::Old(shift) if i64::from(segment.start) + i64::from(shift) == position)
            });
            let (copy, after) = take(after, |segment| segment.source == Source::Fresh);
            rest = after;
            let (added, copied) = (add.map_or(0, |segment| segment.length), copy.map_or(0, |segment| segment.length));
            if let Some(Segment { start, length, source: Source::Old(shift) }) = add {
                let range = start as usize..(start + length) as usize;
                blocks.difference.extend(range.map(|position| difference(base, target, position, shift)));
            }
            if let Some(Segment { start, length, .. }) = copy {
                blocks.extra.extend_from_slice(&target[start as usize..(start + length) as usize]);
            }
            position += i64::from(added);
            let seek = rest.first().map_or(0, |next| match next.source {
                Source::Old(shift) => i64::from(next.start) + i64::from(shift) - position,
                Source::Fresh => 0,
            });
            position += seek;
            for number in [i64::from(added), i64::from(copied), seek] {
                blocks.control.extend_from_slice(&number::write(number));
            }
        }
        blocks
    }
}

/// Takes the first segment when it is of this kind.
fn take(segments: &[Segment], is_kind: impl Fn(&Segment) -> bool) -> (Option<Segment>, &[Segment]) {
    match segments.split_first() {
        Some((first, rest)) if is_kind(first) => (Some(*first), rest),
        Some(_) | None => (None, segments),
    }
}
