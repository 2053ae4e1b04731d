//! This file's job is to say why a patch cannot be made or applied.

use thiserror::Error;

/// Why a patch cannot be made or applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeltaError {
    /// No format has this name.
    #[error("there is no format of this name")]
    UnknownFormat,
    /// The bytes do not begin as a patch of the format does.
    #[error("not a patch of this format")]
    NotAPatch,
    /// The patch was made for another base.
    #[error("the patch applies to another file")]
    OtherBase,
    /// The patch makes another file than the caller wants.
    #[error("the patch makes another file")]
    OtherResult,
    /// The patch breaks the format.
    #[error("the patch is broken: {0}")]
    Broken(String),
    /// The new file would be larger than the caller allows.
    #[error("the new file has more than {max_bytes} bytes")]
    TooLarge {
        /// What the caller allows.
        max_bytes: usize,
    },
    /// The decoder would need more memory than the caller allows.
    #[error("the patch needs more than {max_bytes} bytes of memory")]
    Memory {
        /// What the caller allows.
        max_bytes: usize,
    },
    /// The encoder had no memory.
    #[error("the patch could not be made: {0}")]
    Encoder(String),
}

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaErrorKind {
    /// Take another patch, or the whole file: this one is not for this base, or broken.
    Patch,
    /// Take another patch, or allow more: this one needs more than the limits.
    Limit,
    /// The encoder failed.
    Encoder,
}

impl DeltaError {
    /// Returns what a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> DeltaErrorKind {
        match self {
            Self::UnknownFormat | Self::NotAPatch | Self::OtherBase | Self::OtherResult | Self::Broken(_) => {
                DeltaErrorKind::Patch
            }
            Self::TooLarge { .. } | Self::Memory { .. } => DeltaErrorKind::Limit,
            Self::Encoder(_) => DeltaErrorKind::Encoder,
        }
    }
}
