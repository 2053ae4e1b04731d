//! This file's job is to say why a patch cannot be made or applied.

use thiserror::Error;

/// Why a patch cannot be made or applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeltaError {
    /// The bytes do not begin as a patch does.
    #[error("not a patch of the format dcz")]
    NotAPatch,
    /// The patch was made for another base.
    #[error("the patch applies to another file")]
    OtherBase,
    /// The patch breaks the format.
    #[error("the patch is broken: {0}")]
    Broken(String),
    /// The new file would be larger than the caller allows.
    #[error("the new file has more than {max_bytes} bytes")]
    TooLarge {
        /// What the caller allows.
        max_bytes: usize,
    },
    /// The encoder had no memory.
    #[error("the patch could not be made: {0}")]
    Encoder(String),
}
