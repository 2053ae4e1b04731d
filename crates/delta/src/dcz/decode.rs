//! This file's job is to apply `dcz` patches, trusting nothing in them.

use crate::dictionary::{DCZ_MAGIC, open};
use crate::error::DeltaError;
use crate::limits::Limits;
use std::io::Read as _;
use zstd::stream::read::Decoder;

/// zstd's own smallest window.
const WINDOW_LOG_MIN: u32 = 10;
/// RFC 9842 lets encoders use windows up to 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;
/// zstd's context, its input buffer and one block, rounded up.
const OVERHEAD_BYTES: usize = 512 << 10;

/// Makes the new file from the base and a `dcz` patch. The caller checks the hash of what comes out.
///
/// # Errors
/// When the bytes are no patch, or one for another base, or broken, or need more than the limits.
pub fn decode(base: &[u8], patch: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
    let frame = open(DCZ_MAGIC, base, patch)?;
    let declared = zstd::zstd_safe::get_frame_content_size(frame);
    let declared = declared.map_err(|_| DeltaError::Broken("no Zstandard frame".to_owned()))?;
    limits.check_output(declared.unwrap_or(0))?;
    let broken = |error: std::io::Error| DeltaError::Broken(error.to_string());
    let mut decoder = Decoder::with_ref_prefix(frame, base).map_err(broken)?.single_frame();
    decoder.window_log_max(window_log_max(limits)?).map_err(broken)?;
    // The declared size is a hint of the sender's: it is within bounds, but space is taken only as bytes come.
    let mut output = Vec::new();
    let read = decoder.by_ref().take(limits.output_max_bytes as u64 + 1).read_to_end(&mut output);
    read.map_err(broken)?;
    limits.check_output(output.len() as u64)?;
    if !decoder.finish().is_empty() {
        return Err(DeltaError::Broken("bytes behind the frame".to_owned()));
    }
    Ok(output)
}

/// Returns the logarithm of the largest window that an output of this size can need and the memory can hold.
fn window_log_max(limits: &Limits) -> Result<u32, DeltaError> {
    limits.check_memory(OVERHEAD_BYTES + (1 << WINDOW_LOG_MIN))?;
    let needed = usize::BITS - limits.output_max_bytes.saturating_sub(1).leading_zeros();
    let allowed = (limits.memory_max_bytes - OVERHEAD_BYTES).ilog2();
    Ok(needed.min(allowed).clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_as_large_as_the_output_and_the_memory_and_never_larger_than_the_standard_allows() {
        let window = |output| window_log_max(&Limits { output_max_bytes: output, memory_max_bytes: usize::MAX });
        assert_eq!(window(0), Ok(WINDOW_LOG_MIN));
        assert_eq!(window(1 << 20), Ok(20));
        assert_eq!(window((1 << 20) + 1), Ok(21));
        assert_eq!(window(usize::MAX), Ok(WINDOW_LOG_MAX));
        let small = Limits { output_max_bytes: 64 << 20, memory_max_bytes: OVERHEAD_BYTES + (1 << 20) };
        assert_eq!(window_log_max(&small), Ok(20));
        let none = Limits { memory_max_bytes: OVERHEAD_BYTES, ..small };
        assert!(matches!(window_log_max(&none), Err(DeltaError::Memory { .. })));
    }
}
