//! This file's job is to code the numbers of steps: how many bits a number has, then its highest bits, then the rest as they are.

use super::coder::{Coder, WHOLE};
use super::mixer::Single;
use crate::hermes::varint::unfolded;

/// Far more bits than any size has; larger numbers are no numbers.
const BITS_MAX: usize = 40;
/// So many bits below the highest are worth a guess.
const GUESSED_BITS: usize = 3;
const KINDS: usize = 3;

/// A number's size and its highest bits.
#[derive(Clone)]
struct Model {
    /// By the size of the number of the same kind before.
    sizes: Vec<[Single; BITS_MAX + 1]>,
    /// By the size of the number and the bits above.
    bits: Vec<[Single; 1 << GUESSED_BITS]>,
    last_size: usize,
}

/// Models of the three kinds of numbers.
pub(super) struct Numbers([Model; KINDS]);

impl Numbers {
    pub(super) fn new() -> Self {
        let model = Model {
            sizes: vec![[Single::NEW; BITS_MAX + 1]; BITS_MAX + 1],
            bits: vec![[Single::NEW; 1 << GUESSED_BITS]; BITS_MAX + 1],
            last_size: 0,
        };
        Self([model.clone(), model.clone(), model])
    }

    /// None when it is too large for this machine.
    pub(super) fn add(&mut self, coder: &mut impl Coder, add: usize) -> Option<usize> {
        usize::try_from(self.0[0].code(coder, add as u64)).ok()
    }

    /// None when it is too large for this machine.
    pub(super) fn copy(&mut self, coder: &mut impl Coder, copy: usize) -> Option<usize> {
        usize::try_from(self.0[1].code(coder, copy as u64)).ok()
    }

    pub(super) fn seek(&mut self, coder: &mut impl Coder, seek: i64) -> i64 {
        unfolded(self.0[2].code(coder, ((seek << 1) ^ (seek >> 63)) as u64))
    }
}

impl Model {
    fn code(&mut self, coder: &mut impl Coder, number: u64) -> u64 {
        // One more, so that there is a highest bit.
        let number = number.saturating_add(1);
        let known_size = number.ilog2() as usize;
        let mut size = 0;
        while size < BITS_MAX && self.sizes[self.last_size][size].code(coder, size < known_size) {
            size += 1;
        }
        self.last_size = size;
        let mut coded = 1_u64;
        for shift in (0..size).rev() {
            let bit = number >> shift & 1 != 0;
            let is_guessed = size - 1 - shift < GUESSED_BITS;
            let bit = if is_guessed {
                self.bits[size][coded as usize % (1 << GUESSED_BITS)].code(coder, bit)
            } else {
                coder.bit(WHOLE / 2, bit)
            };
            coded = coded << 1 | u64::from(bit);
        }
        coded - 1
    }
}
