//! This file's job is to apply a patch with every check there is: the old file's hash, the limits, the new file's hash.

use crate::error::DeltaError;
use crate::format::Format;
use crate::limits::Limits;
use sha2::{Digest as _, Sha256};

/// What the caller knows about both files, from something signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 of the old file.
    pub base_sha256: [u8; 32],
    /// SHA-256 of the new file.
    pub sha256: [u8; 32],
    /// Size of the new file.
    pub size_bytes: usize,
}

/// Makes the new file, or an error; never another file.
///
/// # Errors
/// When one of the two files is not the expected one, or the patch is broken or needs more memory than allowed.
pub fn apply(
    format: Format,
    base: &[u8],
    patch: &[u8],
    expected: &Expected,
    memory_max_bytes: usize,
) -> Result<Vec<u8>, DeltaError> {
    if Sha256::digest(base)[..] != expected.base_sha256 {
        return Err(DeltaError::OtherBase);
    }
    let limits = Limits { output_max_bytes: expected.size_bytes, memory_max_bytes };
    let made = format.decode(base, patch, &limits)?;
    if made.len() != expected.size_bytes || Sha256::digest(&made)[..] != expected.sha256 {
        return Err(DeltaError::OtherResult);
    }
    Ok(made)
}
