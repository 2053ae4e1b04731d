//! This file's job is to apply BSDIFF40 patches, trusting nothing in them.

use crate::bsdiff40::{HEADER_SIZE_BYTES, MAGIC, number};
use crate::error::DeltaError;
use crate::limits::Limits;
use bzip2::bufread::BzDecoder;
use std::io::Read;

/// Three decoders with blocks of up to 900 000 bytes at 4 bytes each, and their tables.
const MEMORY_BYTES: usize = 3 * (4 * 900_000 + (128 << 10)) + PIECE_BYTES;
/// How much is read from a block at once.
const PIECE_BYTES: usize = 64 << 10;
/// A loop of empty steps would cost time without an end; real patches have fewer steps than output.
const EMPTY_STEPS_MAX: usize = 1_000;

/// Makes the new file from the base and a BSDIFF40 patch. The patch names neither file: the caller checks both hashes.
///
/// # Errors
/// When the bytes are no patch, or broken, or need more than the limits.
pub fn decode(base: &[u8], patch: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
    let mut blocks = Blocks::open(patch, limits)?;
    let mut output =
        Output { base, position: 0, bytes: Vec::with_capacity(blocks.size_bytes), size_bytes: blocks.size_bytes };
    let mut empty_steps = 0;
    while output.bytes.len() < output.size_bytes {
        let [add, copy, seek] = blocks.step()?;
        let (add, copy) = (output.room_for(add)?, output.room_for(copy)?);
        empty_steps = if add + copy == 0 { empty_steps + 1 } else { 0 };
        if empty_steps > EMPTY_STEPS_MAX {
            return Err(broken("too many steps without output"));
        }
        output.add(&mut blocks.difference, add)?;
        output.copy(&mut blocks.extra, copy)?;
        let sought = output.position.checked_add(seek);
        output.position = sought.ok_or_else(|| broken("a step leaves the range of numbers"))?;
    }
    Ok(output.bytes)
}

/// Returns the sizes of a patch's blocks, compressed: control, difference, extra.
///
/// # Errors
/// When the bytes are no patch.
pub fn block_sizes(patch: &[u8]) -> Result<[usize; 3], DeltaError> {
    let (_, [control, difference, extra]) = blocks(patch)?;
    Ok([control.len(), difference.len(), extra.len()])
}

/// Returns the size of the new file, as the patch has it, and the three blocks.
fn blocks(patch: &[u8]) -> Result<(u64, [&[u8]; 3]), DeltaError> {
    let (header, rest) = patch.split_at_checked(HEADER_SIZE_BYTES).ok_or(DeltaError::NotAPatch)?;
    let fields = header.strip_prefix(MAGIC).ok_or(DeltaError::NotAPatch)?;
    let mut sizes = fields.chunks_exact(8).map(|field| field.try_into().map_or(-1, number::read));
    let mut size = || u64::try_from(sizes.next().unwrap_or(-1)).map_err(|_| broken("a size is negative"));
    let (control, difference, output) = (size()?, size()?, size()?);
    let (control, rest) = split(rest, control)?;
    let (difference, extra) = split(rest, difference)?;
    Ok((output, [control, difference, extra]))
}

/// The three blocks of a patch; each is one bzip2 stream.
struct Blocks<'a> {
    size_bytes: usize,
    control: BzDecoder<&'a [u8]>,
    difference: BzDecoder<&'a [u8]>,
    extra: BzDecoder<&'a [u8]>,
}

impl<'a> Blocks<'a> {
    fn open(patch: &'a [u8], limits: &Limits) -> Result<Self, DeltaError> {
        let (output, [control, difference, extra]) = blocks(patch)?;
        let size_bytes = limits.check_output(output)?;
        limits.check_memory(MEMORY_BYTES)?;
        let open = BzDecoder::new;
        Ok(Self { size_bytes, control: open(control), difference: open(difference), extra: open(extra) })
    }

    fn step(&mut self) -> Result<[i64; 3], DeltaError> {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let mut bytes = [0; 8];
            self.control.read_exact(&mut bytes).map_err(unreadable)?;
            *number = number::read(bytes);
        }
        Ok(numbers)
    }
}

/// The new file as far as it is made.
struct Output<'a> {
    base: &'a [u8],
    /// In the base; may be outside of it.
    position: i64,
    bytes: Vec<u8>,
    size_bytes: usize,
}

impl Output<'_> {
    /// Checks a length of a step.
    fn room_for(&self, length: i64) -> Result<usize, DeltaError> {
        let room = self.size_bytes - self.bytes.len();
        let length = usize::try_from(length).ok().filter(|&length| length <= room);
        length.ok_or_else(|| broken("a step is longer than the new file"))
    }

    /// Appends bytes of the difference block, each added to one of the base.
    fn add(&mut self, block: &mut impl Read, length: usize) -> Result<(), DeltaError> {
        let from = self.bytes.len();
        self.copy(block, length)?;
        // Steps that begin before the base add their first bytes to nothing.
        let before = usize::try_from(self.position.saturating_neg()).unwrap_or(0).min(length);
        let inside = usize::try_from(self.position).unwrap_or(0).min(self.base.len());
        for (byte, old) in self.bytes[from + before..].iter_mut().zip(&self.base[inside..]) {
            *byte = byte.wrapping_add(*old);
        }
        let moved = i64::try_from(length).ok().and_then(|length| self.position.checked_add(length));
        self.position = moved.ok_or_else(|| broken("a step leaves the range of numbers"))?;
        Ok(())
    }

    /// Appends bytes of a block.
    fn copy(&mut self, block: &mut impl Read, length: usize) -> Result<(), DeltaError> {
        let mut left = self.room_for(i64::try_from(length).unwrap_or(i64::MAX))?;
        while left > 0 {
            let from = self.bytes.len();
            let piece = left.min(PIECE_BYTES);
            self.bytes.resize(from + piece, 0);
            block.read_exact(&mut self.bytes[from..]).map_err(unreadable)?;
            left -= piece;
        }
        Ok(())
    }
}

fn split(bytes: &[u8], size: u64) -> Result<(&[u8], &[u8]), DeltaError> {
    let size = usize::try_from(size).ok();
    size.and_then(|size| bytes.split_at_checked(size)).ok_or_else(|| broken("a block is cut off"))
}

fn broken(what: &str) -> DeltaError {
    DeltaError::Broken(what.to_owned())
}

fn unreadable(error: std::io::Error) -> DeltaError {
    DeltaError::Broken(format!("a block cannot be read: {error}"))
}
