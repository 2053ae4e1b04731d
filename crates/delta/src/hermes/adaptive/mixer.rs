//! This file's job is to guess a bit from several contexts: each remembers how often it was set there, and a mixer learns whom to trust.
//!
//! This is logistic mixing: guesses are added as logarithms of odds, under weights that move by what each contributed to the error.

use super::coder::{Coder, WHOLE};

/// Logarithms of odds have 8 bits behind the point and stay within ±8.
const ODDS_MAX: i32 = 2_047;
/// Weights have 14 bits behind the point and stay within ±8, so that sums of all inputs stay within 32 bits.
const WEIGHT_ONE: i32 = 1 << 14;
/// How fast weights move.
const RATE_SHIFT: i32 = 12;
/// A context's guess moves by 1 / (1.5 + times it was seen), at least by 1 / 32 or so, as files change from place to place.
const SEEN_MAX: u32 = 30;
/// 65,536 / (1.5 + times).
const STEPS: [i32; SEEN_MAX as usize + 1] = {
    let mut steps = [0; SEEN_MAX as usize + 1];
    let mut seen = 0;
    while seen < steps.len() {
        steps[seen] = 131_072 / (2 * seen as i32 + 3);
        seen += 1;
    }
    steps
};
/// How much a guess counts that was seen so often, of 256; from then on it counts in full.
const TRUST: [i32; 9] = [0, 90, 140, 180, 205, 218, 230, 243, 256];
/// The coder takes no bit for certain.
const LEAST: u32 = 24;
/// Single bits say over and over that nothing differs.
const LEAST_SINGLE: u32 = 2;

/// 65,536 / (1 + e^-x) for x from -8 to 8 in steps of a half.
const SQUASHED: [i32; 33] = [
    22, 36, 60, 98, 162, 267, 439, 720, 1_179, 1_921, 3_108, 4_971, 7_812, 11_955, 17_625, 24_743, 32_768, 40_793,
    47_911, 53_581, 57_724, 60_565, 62_428, 63_615, 64_357, 64_816, 65_097, 65_269, 65_374, 65_438, 65_476, 65_500,
    65_514,
];

/// Turns odds into a probability out of [`WHOLE`].
const fn squash(odds: i32) -> i32 {
    let odds = if odds > ODDS_MAX {
        ODDS_MAX
    } else if odds < -ODDS_MAX {
        -ODDS_MAX
    } else {
        odds
    };
    let (index, within) = ((odds + 2_048) >> 7, (odds + 2_048) & 127);
    let (from, to) = (SQUASHED[index as usize], SQUASHED[index as usize + 1]);
    from + (((to - from) * within) >> 7)
}

/// The inverse of [`squash`], by the highest 12 bits of the probability.
fn stretches() -> Vec<i16> {
    let mut table = vec![0; 4_096];
    let mut next = 0;
    for odds in -ODDS_MAX..=ODDS_MAX {
        let index = (squash(odds) >> 4) as usize;
        while next <= index {
            table[next] = odds as i16;
            next += 1;
        }
    }
    table[next..].fill(ODDS_MAX as i16);
    table
}

/// What a context remembers: a probability of 22 bits, and how often it was seen in 10.
#[derive(Debug, Clone, Copy)]
struct Slot(u32);

impl Slot {
    const NEW: Self = Self(1 << 31);

    /// Out of [`WHOLE`].
    const fn probability(self) -> i32 {
        (self.0 >> 16) as i32
    }

    const fn seen(self) -> u32 {
        self.0 & 0x3ff
    }

    const fn update(&mut self, bit: bool) {
        let (seen, probability) = (self.seen(), (self.0 >> 10) as i32);
        let goal = if bit { (1 << 22) - 1 } else { 0 };
        let moved = probability + (((goal - probability) as i64 * STEPS[seen as usize] as i64) >> 16) as i32;
        self.0 = (moved as u32) << 10 | if seen < SEEN_MAX { seen + 1 } else { seen };
    }
}

/// A mixer of `N` contexts.
pub(super) struct Mixer<const N: usize> {
    /// For each context, a table that is a power of two in size.
    slots: Vec<Slot>,
    table_bits: u32,
    weights: Vec<[i32; N]>,
    stretches: Vec<i16>,
}

impl<const N: usize> Mixer<N> {
    /// With tables of `1 << table_bits`, and `sets` of weights.
    pub(super) fn new(table_bits: u32, sets: usize) -> Self {
        Self {
            slots: vec![Slot::NEW; N << table_bits],
            table_bits,
            weights: vec![[WEIGHT_ONE * 2 / 5; N]; sets],
            stretches: stretches(),
        }
    }

    /// Codes a bit, given hashes of its contexts.
    pub(super) fn code(&mut self, coder: &mut impl Coder, contexts: &[u32; N], set: usize, bit: bool) -> bool {
        let mut places = [0; N];
        for (index, context) in contexts.iter().enumerate() {
            places[index] = self.place(index, *context);
        }
        self.code_at(coder, &places, set, bit)
    }

    /// Codes a byte, bit by bit from the highest, each under those before it.
    pub(super) fn byte(&mut self, coder: &mut impl Coder, contexts: &[u32; N], sets: usize, byte: u8) -> u8 {
        let mut whole = 1_usize;
        for half in [byte >> 4, byte & 15] {
            // The bits of a half stand together, in a line of the cache.
            let mut lines = [0; N];
            for (index, context) in contexts.iter().enumerate() {
                lines[index] = self.place(index, context.wrapping_add((whole as u32).wrapping_mul(0x85eb_ca6b))) & !15;
            }
            let mut node = 1_usize;
            for shift in (0..4).rev() {
                let places = lines.map(|line| line + node);
                let bit =
                    self.code_at(coder, &places, sets * 256 + (whole << (3 - shift)) % 256, half >> shift & 1 != 0);
                node = node << 1 | usize::from(bit);
            }
            whole = whole << 4 | (node & 15);
        }
        whole as u8
    }

    fn place(&self, index: usize, context: u32) -> usize {
        (index << self.table_bits) + (context.wrapping_mul(0x9e37_79b1) >> (32 - self.table_bits)) as usize
    }

    fn code_at(&mut self, coder: &mut impl Coder, places: &[usize; N], set: usize, bit: bool) -> bool {
        let mut inputs = [0; N];
        let set = set % self.weights.len();
        let weights = &mut self.weights[set];
        let mut sum = 0;
        for (index, place) in places.iter().enumerate() {
            let slot = self.slots[*place];
            let trust = TRUST[(slot.seen() as usize).min(TRUST.len() - 1)];
            let odds = i32::from(self.stretches[(slot.probability() >> 4) as usize]);
            inputs[index] = (odds * trust) >> 8;
            sum += inputs[index] * weights[index];
        }
        let guess = squash(sum >> WEIGHT_ONE.trailing_zeros());
        let bit = coder.bit((guess as u32).clamp(LEAST, WHOLE - LEAST), bit);
        let error = if bit { WHOLE as i32 - 1 - guess } else { -guess };
        for index in 0..N {
            // 11 bits times 16.
            let change = (inputs[index] * error) >> (RATE_SHIFT + 3);
            weights[index] = (weights[index] + change).clamp(-8 * WEIGHT_ONE, 8 * WEIGHT_ONE);
            self.slots[places[index]].update(bit);
        }
        bit
    }
}

/// A bit in one context, without mixing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single(Slot);

impl Single {
    pub(super) const NEW: Self = Self(Slot::NEW);

    pub(super) fn code(&mut self, coder: &mut impl Coder, bit: bool) -> bool {
        let guess = (self.0.probability() as u32).clamp(LEAST_SINGLE, WHOLE - LEAST_SINGLE);
        let bit = coder.bit(guess, bit);
        self.0.update(bit);
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_and_probabilities_are_inverse() {
        let stretches = stretches();
        for probability in (200..65_300).step_by(37) {
            let back = squash(i32::from(stretches[(probability >> 4) as usize]));
            assert!(
                (back - probability).abs() <= probability.min(65_536 - probability) / 20 + 32,
                "{probability} {back}"
            );
        }
    }

    #[test]
    fn a_slot_nears_what_it_sees_and_never_overflows() {
        for bit in [false, true] {
            let mut slot = Slot::NEW;
            (0..5_000).for_each(|_| slot.update(bit));
            assert_eq!(slot.probability() > 65_000, bit);
            assert_eq!(slot.probability() < 500, !bit);
        }
    }
}
