//! This file's job is to make patches.

use crate::INPUT_MAX_BYTES;
use crate::error::DeltaError;
use crate::header;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// The smallest files at 1 to 3 s for a bundle of 3 to 5 MB.
pub const LEVEL_DEFAULT: i32 = 19;

/// A patch that saves less than a quarter is not worth a second thing to store, check and fall back from.
const WORTH_PERCENT: usize = 75;
/// The bounds of zstd's window on every platform.
const WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=27;

/// Makes the `dcz` patch that turns `base` into `target`, at a compression level of 1 to 22.
///
/// `None` when the patch is not smaller than three quarters of `target` compressed alone at the same level, or when a file is larger
/// than [`INPUT_MAX_BYTES`].
///
/// # Errors
/// When there is not enough memory.
pub fn encode(base: &[u8], target: &[u8], level: i32) -> Result<Option<Vec<u8>>, DeltaError> {
    if base.len() > INPUT_MAX_BYTES || target.len() > INPUT_MAX_BYTES {
        return Ok(None);
    }
    let failed = |error: std::io::Error| DeltaError::Encoder(error.to_string());
    let alone = zstd::bulk::compress(target, level).map_err(failed)?;
    let frame = compress(base, target, level).map_err(failed)?;
    let patch = [header::header(base), frame].concat();
    Ok((patch.len() * 100 < alone.len() * WORTH_PERCENT).then_some(patch))
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
