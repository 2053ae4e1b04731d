//! This file's job is to read and write what the files of RFC 9842 (sections 4 and 5) begin with.
//!
//! ```text
//! dcb   FF 44 43 42                <32 bytes: SHA-256 of the dictionary>  <Brotli stream>
//! dcz   5E 2A 4D 18 20 00 00 00    <32 bytes: SHA-256 of the dictionary>  <Zstandard frame>
//! ```
//!
//! The dictionary is the old file, raw. To Zstandard the magic number of `dcz` is a skippable frame of 32 bytes.

use crate::error::DeltaError;
use sha2::{Digest as _, Sha256};

pub(crate) const DCB_MAGIC: &[u8] = &[0xff, 0x44, 0x43, 0x42];
#[cfg(feature = "zstandard")]
pub(crate) const DCZ_MAGIC: &[u8] = &[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];
const HASH_SIZE_BYTES: usize = 32;

/// Splits a patch into the SHA-256 of its base and the compressed part.
pub(crate) fn split<'a>(magic: &[u8], patch: &'a [u8]) -> Result<([u8; 32], &'a [u8]), DeltaError> {
    let rest = patch.strip_prefix(magic).ok_or(DeltaError::NotAPatch)?;
    let (hash, compressed) = rest.split_at_checked(HASH_SIZE_BYTES).ok_or(DeltaError::NotAPatch)?;
    let hash = hash.try_into().map_err(|_| DeltaError::NotAPatch)?;
    Ok((hash, compressed))
}

/// Returns the compressed part of a patch that applies to this base.
pub(crate) fn open<'a>(magic: &[u8], base: &[u8], patch: &'a [u8]) -> Result<&'a [u8], DeltaError> {
    let (base_sha256, compressed) = split(magic, patch)?;
    if Sha256::digest(base)[..] != base_sha256 {
        return Err(DeltaError::OtherBase);
    }
    Ok(compressed)
}

/// Returns the bytes before the compressed part.
#[cfg(feature = "encode")]
pub(crate) fn header(magic: &[u8], base: &[u8]) -> Vec<u8> {
    [magic, &Sha256::digest(base)[..]].concat()
}
