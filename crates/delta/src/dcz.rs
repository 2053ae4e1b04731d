//! This file's job is to name the parts of the format `dcz`: Zstandard with the old file as dictionary (RFC 9842, section 5).

mod decode;
#[cfg(feature = "encode")]
mod encode;

pub use decode::decode;
#[cfg(feature = "encode")]
pub use encode::{encode, size_alone};

use crate::dictionary;
use crate::error::DeltaError;

/// Returns the SHA-256 of the base that the patch applies to.
///
/// # Errors
/// When the bytes do not begin as a patch does.
pub fn base_sha256(patch: &[u8]) -> Result<[u8; 32], DeltaError> {
    dictionary::split(dictionary::DCZ_MAGIC, patch).map(|(hash, _frame)| hash)
}
