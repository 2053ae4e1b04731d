//! This file's job is to read and write numbers as 7 bits a byte, the lowest first, the highest bit set on all bytes but the last.

use crate::error::DeltaError;
use crate::hermes::broken;

/// Takes a number from the beginning of the bytes.
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, DeltaError> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(|| broken("a number is cut off"))?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(broken("a number is too long"))
}

/// Takes a number that counts bytes or things.
pub(super) fn take_count(bytes: &mut &[u8]) -> Result<usize, DeltaError> {
    usize::try_from(take(bytes)?).map_err(|_| broken("a number is too large"))
}

/// Turns small numbers of either sign into small ones.
#[cfg(feature = "encode")]
pub(super) const fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Undoes the folding of numbers with a sign: 0, 1, 2, 3 … stand for 0, -1, 1, -2 …
pub(super) const fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Appends a number.
#[cfg(feature = "encode")]
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
