//! This file's job is to find alignments that may be worth a step. Searches of the suffix array are kept for the next parse.

use crate::bsdiff40::suffixes::{Match, Suffixes, common_prefix};

/// Shorter matches are never worth a step.
const MATCH_MIN_BYTES: u32 = 5;
/// Matches are not followed further than this to compare them.
const MATCH_MAX_BYTES: usize = 512;
/// How many neighbours in the suffix array are looked at, each way.
const NEIGHBOURS: usize = 24;
/// How many of the alignments used lately are tried.
const LATELY: usize = 8;
/// What an alignment used lately must explain.
const LATELY_MIN_BYTES: usize = 4;
const LATELY_MAX_BYTES: usize = 64;
/// A search that was not made yet.
const UNKNOWN: Match = Match { rank: 0, length: u32::MAX };

/// Finds alignments.
pub(in crate::bsdiff40) struct Finder<'a> {
    base: &'a [u8],
    target: &'a [u8],
    suffixes: &'a Suffixes<'a>,
    /// The longest match at each position, once it was searched.
    matches: Vec<Match>,
    /// Alignments used lately, the last one last.
    lately: Vec<i32>,
}

impl<'a> Finder<'a> {
    /// Memory for each byte of the new file.
    pub(in crate::bsdiff40) const MEMORY_FACTOR: usize = size_of::<Match>();

    pub(in crate::bsdiff40) fn new(base: &'a [u8], target: &'a [u8], suffixes: &'a Suffixes<'a>) -> Self {
        Self { base, target, suffixes, matches: vec![UNKNOWN; target.len()], lately: Vec::new() }
    }

    pub(super) const fn base(&self) -> &'a [u8] {
        self.base
    }

    pub(super) const fn target(&self) -> &'a [u8] {
        self.target
    }

    /// Forgets what was used lately.
    pub(super) fn begin(&mut self) {
        self.lately.clear();
    }

    /// Notes that an alignment is used.
    pub(super) fn note(&mut self, shift: i32) {
        if self.lately.last() == Some(&shift) {
            return;
        }
        self.lately.retain(|other| *other != shift);
        self.lately.push(shift);
        if self.lately.len() > LATELY {
            self.lately.remove(0);
        }
    }

    /// Lists the shifts of alignments that explain more than `run` bytes from here, as the alignment in use does, or were used lately.
    pub(super) fn candidates(&mut self, position: usize, in_use: i32, run: usize) -> Vec<i32> {
        let mut shifts = Vec::with_capacity(LATELY + 2);
        let found = self.longest(position);
        if found.length >= MATCH_MIN_BYTES && found.length as usize > run {
            self.add_matches(position, in_use, found, &mut shifts);
        }
        for &shift in &self.lately {
            let old = usize::try_from(position as i64 + i64::from(shift)).ok().and_then(|at| self.base.get(at..));
            let old = old.map(|old| &old[..old.len().min(LATELY_MAX_BYTES)]);
            let agreement = old.map_or(0, |old| common_prefix(old, &self.target[position..]));
            if agreement >= LATELY_MIN_BYTES && !shifts.contains(&shift) {
                shifts.push(shift);
            }
        }
        shifts
    }

    fn longest(&mut self, position: usize) -> Match {
        if self.matches[position] == UNKNOWN {
            self.matches[position] = self.suffixes.find(&self.target[position..], MATCH_MAX_BYTES);
        }
        self.matches[position]
    }

    /// Adds the match, and the one of the same length that is nearest to the alignment in use.
    fn add_matches(&self, position: usize, in_use: i32, found: Match, shifts: &mut Vec<i32>) {
        let length = found.length as usize;
        let text = &self.target[position..position + length];
        let shift_at = |rank: usize| self.suffixes.position(rank).map(|at| (at as i64 - position as i64) as i32);
        let distance = |shift: i32| (i64::from(shift) - i64::from(in_use)).abs();
        let matches = |shift: &i32| {
            let at = (position as i64 + i64::from(*shift)) as usize;
            self.base.get(at..at + length) == Some(text)
        };
        let rank = found.rank as usize;
        let up = (rank + 1..=rank + NEIGHBOURS).map_while(|rank| shift_at(rank).filter(matches));
        let down = (rank.saturating_sub(NEIGHBOURS)..rank).rev().map_while(|rank| shift_at(rank).filter(matches));
        let Some(first) = shift_at(rank) else { return };
        shifts.push(first);
        let nearest = up.chain(down).min_by_key(|shift| distance(*shift));
        shifts.extend(nearest.filter(|nearest| distance(*nearest) < distance(first)));
    }
}
