//! This file's job is to say what bytes cost in a patch, learned from an earlier patch of the same files.

use crate::bsdiff40::segments::{Blocks, STEP_SIZE_BYTES};

/// Prices in bits.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    /// A difference byte, after another one: `[before << 8 | byte]`.
    difference: Vec<f32>,
    /// A fresh byte, after the new file's byte before it.
    fresh: Vec<f32>,
    /// Going to another place in the old file.
    pub(super) step: f32,
    /// Beginning fresh bytes.
    pub(super) begin_fresh: f32,
}

/// The sizes of a patch's blocks when compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paid {
    pub(super) control_bytes: usize,
    pub(super) difference_bytes: usize,
    pub(super) extra_bytes: usize,
}

/// How prices are changed before a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) step: f32,
    pub(super) fresh: f32,
    pub(super) difference: f32,
}

/// A step costs between these, whatever was learned.
const STEP_BITS: std::ops::RangeInclusive<f32> = 12.0..=120.0;
/// What a step costs when there was none to learn from.
const STEP_GUESS_BITS: f32 = 50.0;
/// What beginning fresh bytes costs, compared with a step: a number that is not 0.
const FRESH_SHARE: f32 = 0.15;
/// Contexts seen less often than this lean on the general case.
const TRUST: f32 = 4.0;
/// What bytes cost when there were too few to learn from.
const BYTE_GUESS_BITS: f32 = 6.0;
/// Fewer bytes teach nothing.
const LEARN_MIN_BYTES: usize = 500;

impl Costs {
    /// Learns from a patch.
    pub(super) fn learn(blocks: &Blocks, paid: Paid) -> Self {
        let steps = blocks.control.len() / STEP_SIZE_BYTES;
        let step = if steps == 0 { STEP_GUESS_BITS } else { bits(paid.control_bytes) / steps as f32 };
        let step = step.clamp(*STEP_BITS.start(), *STEP_BITS.end());
        Self {
            difference: price(&differences(&blocks.difference), paid.difference_bytes, 0.2..=2.0),
            fresh: price(&literals(&blocks.extra), paid.extra_bytes, 0.3..=1.5),
            step,
            begin_fresh: step * FRESH_SHARE,
        }
    }

    /// Returns other prices to try.
    pub(super) fn scaled(&self, scale: Scale) -> Self {
        let times = |prices: &[f32], factor: f32| prices.iter().map(|price| price * factor).collect();
        // Bytes that agree stay as cheap as they are.
        let mut difference: Vec<f32> = times(&self.difference, scale.difference);
        for before in 0..=255_u8 {
            difference[context(before, 0)] = self.difference[context(before, 0)];
        }
        Self {
            difference,
            fresh: times(&self.fresh, scale.fresh),
            step: self.step * scale.step,
            begin_fresh: self.begin_fresh * scale.step,
        }
    }

    #[inline]
    pub(super) fn difference(&self, before: u8, byte: u8) -> f32 {
        self.difference[context(before, byte)]
    }

    #[inline]
    pub(super) fn fresh(&self, before: u8, byte: u8) -> f32 {
        self.fresh[context(before, byte)]
    }
}

fn context(before: u8, byte: u8) -> usize {
    usize::from(before) << 8 | usize::from(byte)
}

fn bits(bytes: usize) -> f32 {
    (bytes * 8) as f32
}

/// How often each byte comes after each byte, and how likely it is by itself.
struct Statistics {
    pairs: Vec<f32>,
    /// By whether the byte before is 0.
    alone: [Vec<f32>; 2],
    total: usize,
}

fn differences(bytes: &[u8]) -> Statistics {
    count(bytes, |before| usize::from(before != 0))
}

fn literals(bytes: &[u8]) -> Statistics {
    count(bytes, |_| 0)
}

fn count(bytes: &[u8], class: impl Fn(u8) -> usize) -> Statistics {
    let mut pairs = vec![0.0; 1 << 16];
    let mut alone = [vec![0.3; 256], vec![0.3; 256]];
    let mut before = 0;
    for &byte in bytes {
        pairs[context(before, byte)] += 1.0;
        alone[class(before)][usize::from(byte)] += 1.0;
        before = byte;
    }
    if alone[1].iter().all(|count| *count < 1.0) {
        alone[1] = alone[0].clone();
    }
    for counts in &mut alone {
        let sum: f32 = counts.iter().sum();
        counts.iter_mut().for_each(|count| *count /= sum);
    }
    Statistics { pairs, alone, total: bytes.len() }
}

/// Returns the price of each byte after each byte, so that all bytes together cost what was paid.
fn price(statistics: &Statistics, paid_bytes: usize, factors: std::ops::RangeInclusive<f32>) -> Vec<f32> {
    let mut prices = vec![0.0; 1 << 16];
    let mut expected = 0.0_f64;
    for before in 0..=255_u8 {
        let row = context(before, 0)..context(before, 255) + 1;
        let alone = &statistics.alone[usize::from(before != 0)];
        let seen: f32 = statistics.pairs[row.clone()].iter().sum();
        for (byte, index) in row.enumerate() {
            let count = statistics.pairs[index];
            let chance = (count + TRUST * alone[byte]) / (seen + TRUST);
            prices[index] = -chance.log2();
            expected += f64::from(prices[index] * count);
        }
    }
    let learned = statistics.total >= LEARN_MIN_BYTES;
    let factor = if learned { (f64::from(bits(paid_bytes)) / expected.max(1.0)) as f32 } else { 1.0 };
    let factor = factor.clamp(*factors.start(), *factors.end());
    for price in &mut prices {
        *price *= factor;
        if !learned {
            *price = price.min(BYTE_GUESS_BITS);
        }
    }
    prices
}
