//! This file's job is to turn bits with probabilities into bytes, and back: binary arithmetic coding with 32 bits of range.

use crate::error::DeltaError;
use crate::hermes::broken;
use std::cmp::Ordering;

/// Probabilities are out of this, 16 bits.
pub(super) const WHOLE: u32 = 1 << 16;
/// The decoder looks so far ahead.
const AHEAD_BYTES: usize = 4;

/// Codes bits.
pub(super) trait Coder {
    /// Codes a bit that is set with a probability of `one` in [`WHOLE`], which is neither 0 nor all of it. Returns the bit: what an encoder was
    /// given, or what a decoder found.
    fn bit(&mut self, one: u32, bit: bool) -> bool;
}

/// The bits so far are a number from `low` to `high`; what both have in common is settled.
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const ALL: Self = Self { low: 0, high: u32::MAX };

    /// Returns the last number that stands for a bit that is set.
    fn middle(&self, one: u32) -> u32 {
        // Less than the whole, so less than `high`.
        let part = (u64::from(self.high - self.low) * u64::from(one)) >> WHOLE.trailing_zeros();
        self.low + part as u32
    }

    const fn narrow(&mut self, middle: u32, bit: bool) {
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Shifts out the highest byte when it is settled.
    const fn shift(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte)
    }
}

/// Writes.
#[cfg(feature = "encode")]
pub(super) struct Encoder {
    interval: Interval,
    bytes: Vec<u8>,
}

#[cfg(feature = "encode")]
impl Default for Encoder {
    fn default() -> Self {
        Self { interval: Interval::ALL, bytes: Vec::new() }
    }
}

#[cfg(feature = "encode")]
impl Encoder {
    /// Returns the bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        // The highest bytes differ, so that one byte and zeros are in the interval.
        self.bytes.push((self.interval.high >> 24) as u8);
        self.bytes
    }
}

#[cfg(feature = "encode")]
impl Coder for Encoder {
    fn bit(&mut self, one: u32, bit: bool) -> bool {
        let middle = self.interval.middle(one);
        self.interval.narrow(middle, bit);
        while let Some(byte) = self.interval.shift() {
            self.bytes.push(byte);
        }
        bit
    }
}

/// Reads.
pub(super) struct Decoder<'a> {
    interval: Interval,
    number: u32,
    bytes: &'a [u8],
    /// Bytes that were taken, with those behind the end, which are zeros.
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { interval: Interval::ALL, number: 0, bytes, at: 0 };
        (0..AHEAD_BYTES).for_each(|_| decoder.take());
        decoder
    }

    fn take(&mut self) {
        self.number = self.number << 8 | u32::from(self.bytes.get(self.at).copied().unwrap_or(0));
        self.at = self.at.saturating_add(1);
    }

    /// Checks that all bytes were needed, and were there: the last one stands for those that the decoder is ahead.
    pub(super) fn finish(&self) -> Result<(), DeltaError> {
        match self.at.cmp(&(self.bytes.len() + AHEAD_BYTES - 1)) {
            Ordering::Less => Err(broken("bytes behind the last part")),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(broken("the data is cut off")),
        }
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, one: u32, _bit: bool) -> bool {
        let middle = self.interval.middle(one);
        let bit = self.number <= middle;
        self.interval.narrow(middle, bit);
        while self.interval.shift().is_some() {
            self.take();
        }
        bit
    }
}
