//! This file's job is to name the parts of the format `dcb`: Brotli with the old file as dictionary (RFC 9842, section 4).

mod decode;
#[cfg(feature = "encode")]
mod encode;

pub use decode::decode;
#[cfg(feature = "encode")]
pub use encode::encode;

use crate::dictionary;
use crate::error::DeltaError;

/// RFC 9842 allows no larger window than RFC 7932 does.
const WINDOW_LOG_MAX: u32 = 24;

/// Returns the SHA-256 of the base that the patch applies to.
///
/// # Errors
/// When the bytes do not begin as a patch does.
pub fn base_sha256(patch: &[u8]) -> Result<[u8; 32], DeltaError> {
    dictionary::split(dictionary::DCB_MAGIC, patch).map(|(hash, _stream)| hash)
}
