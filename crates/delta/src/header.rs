//! This file's job is to read and write what a `dcz` file begins with (RFC 9842, section 5).
//!
//! ```text
//! 5E 2A 4D 18 20 00 00 00   a Zstandard skippable frame of 32 bytes
//! <32 bytes>                SHA-256 of the dictionary, here the base file
//! <Zstandard frame>         with the base file as raw dictionary
//! ```

use crate::error::DeltaError;

/// The format's name, as in the `Content-Encoding` of RFC 9842.
pub const FORMAT: &str = "dcz";

const MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];
const HASH_SIZE_BYTES: usize = 32;

/// Returns the SHA-256 of the base that the patch applies to.
pub fn base_sha256(patch: &[u8]) -> Result<[u8; 32], DeltaError> {
    split(patch).map(|(hash, _frame)| hash)
}

/// Splits the patch into the base's SHA-256 and the Zstandard frame.
pub(crate) fn split(patch: &[u8]) -> Result<([u8; 32], &[u8]), DeltaError> {
    let rest = patch.strip_prefix(&MAGIC).ok_or(DeltaError::NotAPatch)?;
    let (hash, frame) = rest.split_at_checked(HASH_SIZE_BYTES).ok_or(DeltaError::NotAPatch)?;
    let hash = hash.try_into().map_err(|_| DeltaError::NotAPatch)?;
    Ok((hash, frame))
}

/// Returns the bytes before the frame.
#[cfg(feature = "encode")]
pub(crate) fn header(base: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    [&MAGIC[..], &sha2::Sha256::digest(base)[..]].concat()
}
