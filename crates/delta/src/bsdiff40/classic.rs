//! This file's job is to divide the new file as `bsdiff` 4.3 does, so that no patch of ours is larger than its.
//!
//! The algorithm is that of C. Percival, "Naive differences of executable code", 2003: wherever the longest match beats the alignment
//! before by more than 8 bytes, both alignments are extended towards each other as long as half of the bytes agree.

use crate::bsdiff40::number;
use crate::bsdiff40::segments::{Segment, Source};
use crate::bsdiff40::suffixes::Suffixes;
use crate::budget::Budget;

/// How many more bytes a match must explain than the alignment before.
const BETTER_BY: usize = 8;
/// How often the budget is looked at: this many searches take some milliseconds.
const CHECK_EVERY: usize = 4_096;

/// Where a match was found.
#[derive(Clone, Copy, Default)]
struct Found {
    /// In the new file.
    scan: usize,
    /// In the old file.
    position: usize,
    length: usize,
}

struct Scanner<'a> {
    base: &'a [u8],
    target: &'a [u8],
    suffixes: &'a Suffixes<'a>,
    /// Where the alignment in use begins, in the new file and in the old one.
    last: (usize, usize),
    made: Division,
}

/// The division that `bsdiff` makes.
#[derive(Default)]
pub(super) struct Division {
    pub(super) segments: Vec<Segment>,
    /// The control block as `bsdiff` writes it: with steps that do nothing, and a last seek that leads nowhere. All the same, it is
    /// smaller now and then once it is compressed.
    pub(super) control: Vec<u8>,
}

/// Divides the new file. `None` when the budget is spent.
pub(super) fn divide(base: &[u8], target: &[u8], suffixes: &Suffixes<'_>, budget: &Budget<'_>) -> Option<Division> {
    let mut scanner = Scanner { base, target, suffixes, last: (0, 0), made: Division::default() };
    let mut found = Found::default();
    while found.scan < target.len() {
        let score = scanner.find_next(&mut found, budget)?;
        if found.length != score || found.scan == target.len() {
            scanner.close(found);
        }
    }
    Some(scanner.made)
}

impl Scanner<'_> {
    /// Moves on to the next match that is worth a step, and returns what the alignment in use explains of it.
    fn find_next(&self, found: &mut Found, budget: &Budget<'_>) -> Option<usize> {
        let shift = |at: usize| (at + self.last.1).wrapping_sub(self.last.0);
        let agrees = |at: usize| self.base.get(shift(at)) == Some(&self.target[at]);
        found.scan += found.length;
        let (mut score, mut scored) = (0_usize, found.scan);
        let mut searches = 0;
        while found.scan < self.target.len() {
            if searches % CHECK_EVERY == 0 && budget.is_spent() {
                return None;
            }
            searches += 1;
            (found.position, found.length) = self.suffixes.find_as_bsdiff(&self.target[found.scan..]);
            while scored < found.scan + found.length {
                score += usize::from(agrees(scored));
                scored += 1;
            }
            if (found.length == score && found.length != 0) || found.length > score + BETTER_BY {
                break;
            }
            score -= usize::from(scored > found.scan && agrees(found.scan));
            found.scan += 1;
            scored = scored.max(found.scan);
        }
        Some(score)
    }

    /// Ends the alignment in use where the found one begins.
    fn close(&mut self, found: Found) {
        let (last_scan, last_position) = self.last;
        let mut forward = self.forward(found.scan);
        let mut backward = if found.scan < self.target.len() { self.backward(found) } else { 0 };
        if last_scan + forward > found.scan - backward {
            let overlap = last_scan + forward - (found.scan - backward);
            let kept = self.split(
                last_scan + forward - overlap,
                last_position + forward - overlap,
                found.position - backward,
                overlap,
            );
            forward = forward + kept - overlap;
            backward -= kept;
        }
        let fresh_from = last_scan + forward;
        let fresh_to = found.scan - backward;
        self.push(last_scan, fresh_from, Source::Old((last_position as i64 - last_scan as i64) as i32));
        self.push(fresh_from, fresh_to, Source::Fresh);
        let seek = (found.position as i64 - backward as i64) - (last_position as i64 + forward as i64);
        for number in [forward as i64, (fresh_to - fresh_from) as i64, seek] {
            self.made.control.extend_from_slice(&number::write(number));
        }
        self.last = (fresh_to, found.position.saturating_sub(backward));
    }

    /// Returns how far the alignment in use is extended.
    fn forward(&self, scan: usize) -> usize {
        let pairs = self.target[self.last.0..scan].iter().zip(&self.base[self.last.1.min(self.base.len())..]);
        longest_even(pairs.map(|(new, old)| new == old))
    }

    /// Returns how far the found alignment is extended backwards.
    fn backward(&self, found: Found) -> usize {
        let new = self.target[self.last.0..found.scan].iter().rev();
        longest_even(new.zip(self.base[..found.position].iter().rev()).map(|(new, old)| new == old))
    }

    /// Returns how many bytes of an overlap stay with the alignment in use.
    fn split(&self, at: usize, in_use: usize, found: usize, overlap: usize) -> usize {
        let (mut score, mut best, mut kept) = (0, 0, 0);
        for index in 0..overlap {
            let byte = self.target[at + index];
            score += i32::from(byte == self.base[in_use + index]) - i32::from(byte == self.base[found + index]);
            if score > best {
                (best, kept) = (score, index + 1);
            }
        }
        kept
    }

    fn push(&mut self, from: usize, to: usize, source: Source) {
        if to > from {
            self.made.segments.push(Segment { start: from as u32, length: (to - from) as u32, source });
        }
    }
}

/// Returns the length at which agreements outnumber disagreements the most.
fn longest_even(agreements: impl Iterator<Item = bool>) -> usize {
    let (mut score, mut best, mut length) = (0_i64, 0, 0);
    for (index, agrees) in agreements.enumerate() {
        score += if agrees { 1 } else { -1 };
        if score > best {
            (best, length) = (score, index + 1);
        }
    }
    length
}
