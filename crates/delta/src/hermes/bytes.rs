//! This file's job is to read and write little-endian numbers within bounds.

/// Reads a number of 1 to 4 bytes.
pub(super) fn read(bytes: &[u8], at: usize, width: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(width)?)?;
    Some(slice.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// Reads a number of 4 bytes.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(4)?)?;
    slice.try_into().ok().map(u32::from_le_bytes)
}

/// Reads a number of 4 bytes that counts or points at something.
pub(super) fn read_usize(bytes: &[u8], at: usize) -> Option<usize> {
    read_u32(bytes, at)?.try_into().ok()
}

/// Writes the low bytes of a number.
pub(super) fn write(bytes: &mut [u8], at: usize, width: usize, number: u32) -> Option<()> {
    let slice = bytes.get_mut(at..at.checked_add(width)?)?;
    slice.copy_from_slice(number.to_le_bytes().get(..width)?);
    Some(())
}

/// Writes a number. None when it has more bytes than that.
#[cfg(feature = "encode")]
pub(super) fn put(bytes: &mut [u8], at: usize, width: usize, number: u32) -> Option<()> {
    if width < 4 && number >> (8 * width) != 0 { None } else { write(bytes, at, width, number) }
}

/// Rounds up to the next multiple of 4, as Hermes aligns.
pub(super) const fn aligned(at: usize) -> usize {
    at.saturating_add(3) & !3
}
