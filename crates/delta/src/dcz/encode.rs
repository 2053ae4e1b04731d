//! This file's job is to make `dcz` patches.

use crate::INPUT_MAX_BYTES;
use crate::budget::{Budget, Effort};
use crate::dictionary::{DCZ_MAGIC, header};
use crate::error::DeltaError;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// A tenth of a second for a bundle of 3 MB.
const LEVEL_QUICK: i32 = 9;
/// The smallest files at 1 to 3 s; the levels above gain less than a hundredth.
const LEVEL_BEST: i32 = 19;
/// Measured: 20 to 30 bytes of memory for each byte of the larger file at the best level.
const MEMORY_FACTOR: usize = 32;

/// The bounds of zstd's window on every platform.
const WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=27;

/// Makes the `dcz` patch that turns `base` into `target`.
///
/// `None` when a file is larger than [`INPUT_MAX_BYTES`], or the budget is too small.
///
/// # Errors
/// When there is not enough memory.
pub fn encode(base: &[u8], target: &[u8], effort: Effort, budget: &Budget<'_>) -> Result<Option<Vec<u8>>, DeltaError> {
    let longest = base.len().max(target.len());
    if longest > INPUT_MAX_BYTES || !budget.allows(longest * MEMORY_FACTOR) || budget.is_spent() {
        return Ok(None);
    }
    let level = match effort {
        Effort::Quick => LEVEL_QUICK,
        Effort::Best => LEVEL_BEST,
    };
    let frame = compress(base, target, level).map_err(|error| DeltaError::Encoder(error.to_string()))?;
    Ok(Some([header(DCZ_MAGIC, base), frame].concat()))
}

fn compress(base: &[u8], target: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(level)?;
    // All of the base stays in reach only while the window holds all of the target.
    let longest = base.len().max(target.len()).max(1);
    let window_log = (usize::BITS - longest.leading_zeros()).clamp(*WINDOW_LOG.start(), *WINDOW_LOG.end());
    compressor.set_parameter(CParameter::WindowLog(window_log))?;
    compressor.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let prefixed = compressor.context_mut().ref_prefix(base);
    prefixed.map_err(|code| std::io::Error::other(zstd::zstd_safe::get_error_name(code)))?;
    compressor.compress(target)
}

/// Returns the size of a file compressed alone, with Zstandard at its best: what a patch must beat.
///
/// # Errors
/// When there is not enough memory.
pub fn size_alone(target: &[u8]) -> Result<usize, DeltaError> {
    let compressed =
        zstd::bulk::compress(target, LEVEL_BEST).map_err(|error| DeltaError::Encoder(error.to_string()))?;
    Ok(compressed.len())
}
