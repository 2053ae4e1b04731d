//! This file's job is to say what the bytes of a patch depend on.
//!
//! Differences follow from the old bytes around them: where an operand changed, the same operand elsewhere changes likewise. New bytes follow
//! from the bytes before them, and from where those stand in the old file.

use super::coder::Coder;
use super::grammar::{Grammar, Role};
use super::mixer::{Mixer, Single};
use super::numbers::Numbers;
use std::ops::Range;

/// Sizes of tables of contexts, as powers of two: patches of megabytes do not fill them.
const FLAG_BITS: u32 = 16;
const VALUE_BITS: u32 = 17;
const FRESH_BITS: u32 = 18;
/// How many runs before this one are looked at.
const HISTORY_BITS: u32 = 9;
/// Places that are remembered by the bytes before them.
const PLACE_BITS: u32 = 17;
/// So many bytes before a place must be the same.
const MATCH_MIN_BYTES: usize = 4;
/// Longer matches are all the same.
const MATCH_MAX_BYTES: usize = 31;

/// Everything that is learned.
pub(super) struct Models {
    pub(super) numbers: Numbers,
    /// Whether a run has differences, by the runs before it.
    runs: Vec<Single>,
    history: usize,
    flags: Mixer<6>,
    values: Mixer<6>,
    fresh: Mixer<7>,
    differences: Differences,
    places: Places,
    /// What the last byte was.
    role: Role,
}

/// The differences before.
#[derive(Default)]
struct Differences {
    /// Of the two bytes before.
    last: [u8; 2],
    /// The last two that were some.
    some: [u8; 2],
    /// Bytes since then.
    since: u32,
}

impl Differences {
    fn note(&mut self, difference: u8) {
        self.last = [difference, self.last[0]];
        if difference == 0 {
            self.since = (self.since + 1).min(255);
        } else {
            self.some = [difference, self.some[0]];
            self.since = 0;
        }
    }
}

fn hash(kind: u32, low: u32, high: u32) -> u32 {
    let mixed = (low ^ kind << 28).wrapping_mul(0x2545_f491) ^ high.wrapping_add(kind).wrapping_mul(0xc2b2_ae35);
    (mixed ^ mixed >> 15).wrapping_mul(0x846c_a68b)
}

fn joined(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes)
}

impl Models {
    pub(super) fn new() -> Self {
        Self {
            numbers: Numbers::new(),
            runs: vec![Single::NEW; 1 << HISTORY_BITS],
            history: 0,
            flags: Mixer::new(FLAG_BITS, 32),
            values: Mixer::new(VALUE_BITS, 256),
            fresh: Mixer::new(FRESH_BITS, 256 * 8),
            differences: Differences::default(),
            places: Places::default(),
            role: Role::default(),
        }
    }

    /// Forgets the bytes of the part before.
    pub(super) fn begin_part(&mut self) {
        self.places = Places::default();
        self.role = Role::default();
    }

    /// Codes a run of bytes that are like old ones. `at` is where it begins in the part.
    pub(super) fn run(
        &mut self,
        coder: &mut impl Coder,
        (old, grammar): (&[u8], &Grammar),
        run: Range<usize>,
        new: &mut [u8],
        at: usize,
    ) {
        self.role = grammar.role(run.end.saturating_sub(1), at + new.len() - 1);
        let differs = new != &old[run.clone()];
        let differs = self.runs[self.history].code(coder, differs);
        self.history = (self.history << 1 | usize::from(differs)) & ((1 << HISTORY_BITS) - 1);
        if !differs {
            new.copy_from_slice(&old[run.clone()]);
            self.differences.since = (self.differences.since + run.len() as u32).min(255);
            self.differences.last = [0; 2];
            return;
        }
        for (index, byte) in new.iter_mut().enumerate() {
            let position = run.start + index;
            let role = grammar.role(position, at + index);
            let difference = self.difference(coder, old, position, role, byte.wrapping_sub(old[position]));
            *byte = old[position].wrapping_add(difference);
        }
    }

    fn difference(&mut self, coder: &mut impl Coder, old: &[u8], position: usize, role: Role, difference: u8) -> u8 {
        let byte = |offset: isize| position.checked_add_signed(offset).and_then(|at| old.get(at)).copied().unwrap_or(0);
        let (here, before, before2, after, after2) = (byte(0), byte(-1), byte(-2), byte(1), byte(2));
        let Differences { last, some, since } = self.differences;
        let (near, role) = (since.min(31) as u8, role.number());
        let contexts = [
            hash(1, joined([here, before, before2, byte(-3)]), 0),
            hash(2, joined([here, last[0], 0, 0]), role),
            hash(3, joined([last[0], last[1], near, 0]), role),
            hash(4, joined([here, before, after, after2]), role),
            hash(5, joined([near, before, 0, 0]), role),
            hash(6, joined([here, some[0], near, 0]), 0),
        ];
        let set = since.min(15) as usize + 16 * usize::from(last[0] != 0);
        if !self.flags.code(coder, &contexts, set, difference != 0) {
            self.differences.note(0);
            return 0;
        }
        let contexts = [
            hash(1, joined([here, last[0], before, 0]), role),
            hash(2, joined([some[0], some[1], 0, 0]), role),
            hash(3, joined([here, before, after, before2]), 0),
            hash(4, joined([last[0], last[1], near, 0]), role),
            hash(5, joined([here, after, after2, 0]), role),
            hash(6, joined([some[0], before, 0, 0]), 0),
        ];
        let difference = self.values.byte(coder, &contexts, 0, difference);
        self.differences.note(difference);
        difference
    }

    /// Codes a new byte of the part.
    pub(super) fn fresh(
        &mut self,
        coder: &mut impl Coder,
        (old, grammar): (&[u8], &Grammar),
        new: &mut [u8],
        at: usize,
    ) {
        self.places.index(old);
        let byte = |back: usize| at.checked_sub(back).map_or(0, |at| new[at]);
        let (one, two, three, four) = (byte(1), byte(2), byte(3), byte(4));
        let (expected, length) = self.places.expect(old, new, at);
        let guess = expected.map_or(0, |byte| u32::from(byte) + 1);
        self.role = grammar.next(self.role, at);
        let role = self.role.number();
        let contexts = [
            hash(1, 0, role),
            hash(2, joined([one, 0, 0, 0]), role),
            hash(3, joined([one, two, 0, 0]), role),
            hash(4, joined([one, two, three, 0]), 0),
            hash(5, joined([one, two, three, four]), role),
            hash(6, guess, length as u32),
            hash(7, guess, role),
        ];
        new[at] = self.fresh.byte(coder, &contexts, (length / 4).min(7), new[at]);
        self.role = grammar.seen(self.role, new[at]);
        self.places.note(new, at, expected);
        self.differences.note(0);
    }
}

/// Where in the old part the bytes before stand.
#[derive(Default)]
struct Places {
    /// By a hash of the bytes before. 0 is none.
    table: Vec<u32>,
    /// The place that goes on as the new bytes do, and for how long it has.
    here: Option<usize>,
    length: usize,
}

impl Places {
    /// Reads the old part once, when the first new byte of the part is coded.
    fn index(&mut self, old: &[u8]) {
        if !self.table.is_empty() {
            return;
        }
        self.table = vec![0; 1 << PLACE_BITS];
        for (start, bytes) in old.windows(MATCH_MIN_BYTES).enumerate() {
            if let Ok(bytes) = bytes.try_into() {
                self.table[Self::slot(bytes)] = (start + MATCH_MIN_BYTES) as u32;
            }
        }
    }

    fn slot(bytes: [u8; MATCH_MIN_BYTES]) -> usize {
        (u32::from_le_bytes(bytes).wrapping_mul(0x9e37_79b1) >> (32 - PLACE_BITS)) as usize
    }

    /// Returns the byte that followed, and how many bytes before it were the same.
    fn expect(&mut self, old: &[u8], new: &[u8], at: usize) -> (Option<u8>, usize) {
        if self.here.is_none()
            && let Some(before) = last_bytes(new, at)
        {
            let place = self.table[Self::slot(before)] as usize;
            self.length = (1..=MATCH_MAX_BYTES)
                .take_while(|&back| {
                    let there = place.checked_sub(back).and_then(|there| old.get(there));
                    there.is_some() && there == at.checked_sub(back).map(|at| &new[at])
                })
                .count();
            self.here = (place > 0 && self.length >= MATCH_MIN_BYTES).then_some(place);
        }
        let expected = self.here.and_then(|place| old.get(place)).copied();
        if expected.is_none() {
            (self.here, self.length) = (None, 0);
        }
        (expected, self.length)
    }

    /// Follows the match with the byte that was coded.
    fn note(&mut self, new: &[u8], at: usize, expected: Option<u8>) {
        match self.here {
            Some(place) if expected == Some(new[at]) => {
                self.here = Some(place + 1);
                self.length = (self.length + 1).min(MATCH_MAX_BYTES);
            }
            Some(_) | None => (self.here, self.length) = (None, 0),
        }
    }
}

fn last_bytes(new: &[u8], at: usize) -> Option<[u8; MATCH_MIN_BYTES]> {
    new.get(at.checked_sub(MATCH_MIN_BYTES)?..at)?.try_into().ok()
}
