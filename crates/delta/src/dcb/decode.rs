//! This file's job is to apply `dcb` patches, trusting nothing in them.

use crate::dcb::WINDOW_LOG_MAX;
use crate::dictionary::{DCB_MAGIC, open};
use crate::error::DeltaError;
use crate::limits::Limits;
use brotli_decompressor::{BrotliDecompressStreamWithDictionary, BrotliResult, BrotliState, StandardAlloc};

/// Prefix codes and context maps at their largest, rounded up.
const OVERHEAD_BYTES: usize = 6 << 20;
/// How much output is taken at once.
const PIECE_BYTES: usize = 64 << 10;

/// Makes the new file from the base and a `dcb` patch. The caller checks the hash of what comes out.
///
/// # Errors
/// When the bytes are no patch, or one for another base, or broken, or need more than the limits.
pub fn decode(base: &[u8], patch: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
    let stream = open(DCB_MAGIC, base, patch)?;
    limits.check_memory(OVERHEAD_BYTES + (1 << window_log(stream)?))?;
    let broken = |what: &str| DeltaError::Broken(what.to_owned());
    let alloc = StandardAlloc::default;
    // Strict: without the windows beyond the standard.
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    if !base.is_empty() && !state.attach_external_dictionary(base.len()) {
        return Err(broken("the base is too large to be a dictionary"));
    }
    let mut output = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    let (mut unread, mut position, mut total) = (stream.len(), 0, 0);
    loop {
        let (mut room, mut filled) = (piece.len(), 0);
        let (room, filled) = (&mut room, &mut filled);
        let result = BrotliDecompressStreamWithDictionary(
            &mut unread,
            &mut position,
            stream,
            room,
            filled,
            &mut piece,
            &mut total,
            base,
            &mut state,
        );
        limits.check_output((output.len() + *filled) as u64)?;
        output.extend_from_slice(&piece[..*filled]);
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if unread == 0 => return Ok(output),
            BrotliResult::ResultSuccess => return Err(broken("bytes behind the stream")),
            BrotliResult::NeedsMoreInput => return Err(broken("the stream is cut off")),
            BrotliResult::ResultFailure => return Err(broken("the Brotli stream breaks its format")),
        }
    }
}

/// Reads the window's size from the stream's first byte (RFC 7932, section 9.1).
fn window_log(stream: &[u8]) -> Result<u32, DeltaError> {
    let first = u32::from(*stream.first().ok_or_else(|| DeltaError::Broken("there is no Brotli stream".to_owned()))?);
    Ok(match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, _, _) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => WINDOW_LOG_MAX + 1,
        (_, 0, low) => 8 + low,
        (_, high, _) => 17 + high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_read_as_the_standard_codes_it() {
        let codes = [(0, 16), (1, 17), (3, 18), (0b0000_1111, 24), (0b0010_0001, 10), (0b0111_0001, 15)];
        for (byte, log) in codes {
            assert_eq!(window_log(&[byte]), Ok(log), "{byte:#b}");
        }
        assert!(window_log(&[]).is_err());
    }
}
