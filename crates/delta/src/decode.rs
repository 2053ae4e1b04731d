//! This file's job is to apply patches, trusting nothing in them.

use crate::error::DeltaError;
use crate::header;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use zstd::stream::read::Decoder;

/// zstd's own smallest window.
const WINDOW_LOG_MIN: u32 = 10;
/// RFC 9842 lets encoders use windows up to 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// Makes the new file from the base and a `dcz` patch.
///
/// Never allocates more than the new file, a window of the same order and some hundred kilobytes. The caller checks the hash of what
/// comes out.
///
/// # Errors
/// When the bytes are no patch, or one for another base, or broken, or make more than `max_output_bytes`.
pub fn decode(base: &[u8], patch: &[u8], max_output_bytes: usize) -> Result<Vec<u8>, DeltaError> {
    let (base_sha256, frame) = header::split(patch)?;
    if Sha256::digest(base)[..] != base_sha256 {
        return Err(DeltaError::OtherBase);
    }
    let declared = match zstd::zstd_safe::get_frame_content_size(frame) {
        Ok(size) => size.unwrap_or(0),
        Err(_) => return Err(DeltaError::Broken("no Zstandard frame".to_owned())),
    };
    let too_large = DeltaError::TooLarge { max_bytes: max_output_bytes };
    let declared = usize::try_from(declared).map_err(|_| too_large.clone())?;
    if declared > max_output_bytes {
        return Err(too_large);
    }
    let broken = |error: std::io::Error| DeltaError::Broken(error.to_string());
    let mut decoder = Decoder::with_ref_prefix(frame, base).map_err(broken)?.single_frame();
    decoder.window_log_max(window_log_max(max_output_bytes)).map_err(broken)?;
    // The declared size is a hint of the sender's: it is within bounds, but space is taken only as bytes come.
    let mut output = Vec::new();
    let read = decoder.by_ref().take(max_output_bytes as u64 + 1).read_to_end(&mut output);
    read.map_err(broken)?;
    if output.len() > max_output_bytes {
        return Err(too_large);
    }
    if !decoder.finish().is_empty() {
        return Err(DeltaError::Broken("bytes behind the frame".to_owned()));
    }
    Ok(output)
}

/// Returns the logarithm of the largest window that an output of this size can need.
fn window_log_max(output_bytes: usize) -> u32 {
    let bits = usize::BITS - output_bytes.saturating_sub(1).leading_zeros();
    bits.clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_as_large_as_the_output_and_never_larger_than_the_standard_allows() {
        assert_eq!(window_log_max(0), WINDOW_LOG_MIN);
        assert_eq!(window_log_max(1 << 20), 20);
        assert_eq!(window_log_max((1 << 20) + 1), 21);
        assert_eq!(window_log_max(usize::MAX), WINDOW_LOG_MAX);
    }
}
