//! This file's job is to make `dcb` patches.

use crate::budget::{Budget, Effort};
use crate::dcb::WINDOW_LOG_MAX;
use crate::dictionary::{DCB_MAGIC, header};
use crate::error::DeltaError;
use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use brotli::{BrotliCompressCustomIoCustomDict, IoReaderWrapper, IoWriterWrapper};
use std::io::{self, Cursor, Read};

/// Brotli keeps this many bytes of its window to itself.
const WINDOW_GAP_BYTES: usize = 16;
/// The smallest window that Brotli's encoder takes.
const WINDOW_LOG_MIN: u32 = 10;
const PIECE_BYTES: usize = 64 << 10;
/// Measured: 20 to 25 bytes of memory for each byte of both files.
const MEMORY_FACTOR: usize = 28;

/// Makes the `dcb` patch that turns `base` into `target`.
///
/// `None` when both files together are larger than Brotli's largest window, 16 MiB, when the budget is too small, or spent.
///
/// # Errors
/// When the encoder fails.
pub fn encode(base: &[u8], target: &[u8], effort: Effort, budget: &Budget<'_>) -> Result<Option<Vec<u8>>, DeltaError> {
    let both = base.len() + target.len();
    // The encoder puts the dictionary into the window, where the standard puts it before the window. It is the same as long as nothing
    // falls out of the window.
    let window_log = (WINDOW_LOG_MIN..=WINDOW_LOG_MAX).find(|log| both + WINDOW_GAP_BYTES <= 1 << log);
    let Some(window_log) = window_log.filter(|_| budget.allows(both * MEMORY_FACTOR)) else { return Ok(None) };
    let parameters = BrotliEncoderParams {
        quality: match effort {
            Effort::Quick => 9,
            Effort::Best => 11,
        },
        lgwin: window_log as i32,
        size_hint: target.len(),
        ..BrotliEncoderParams::default()
    };
    let mut patch = header(DCB_MAGIC, base);
    let mut reader = Stoppable { bytes: Cursor::new(target), budget };
    match compress(&mut reader, &mut patch, &parameters, base) {
        Ok(_) => Ok(Some(patch)),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(None),
        Err(error) => Err(DeltaError::Encoder(error.to_string())),
    }
}

fn compress(
    reader: &mut impl Read,
    patch: &mut Vec<u8>,
    parameters: &BrotliEncoderParams,
    base: &[u8],
) -> io::Result<usize> {
    BrotliCompressCustomIoCustomDict(
        &mut IoReaderWrapper(reader),
        &mut IoWriterWrapper(patch),
        &mut vec![0; PIECE_BYTES],
        &mut vec![0; PIECE_BYTES],
        parameters,
        StandardAlloc::default(),
        &mut |_, _, _, _| (),
        base,
        io::ErrorKind::UnexpectedEof.into(),
    )
}

/// Reads the target until the budget is spent.
struct Stoppable<'a> {
    bytes: Cursor<&'a [u8]>,
    budget: &'a Budget<'a>,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.budget.is_spent() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.bytes.read(buffer)
    }
}
