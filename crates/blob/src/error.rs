//! This file's job is to say how the object store fails.

use domain::{ErrorKind, Sha256};
use thiserror::Error;

/// A failure of the object store.
#[derive(Debug, Error)]
pub enum Error {
    /// The location is not one that a store can be opened at.
    #[error("store location {location:?} {rule}")]
    Location {
        /// The text that was given, without credentials.
        location: String,
        /// The rule that it breaks, as the end of a sentence.
        rule: &'static str,
    },
    /// The object is not there.
    #[error("{key} is not in the store")]
    NotFound {
        /// The object's key.
        key: String,
    },
    /// The bytes are not those that their name promises.
    #[error("bytes of {expected} have the hash {found}, or another size")]
    WrongBytes {
        /// The hash they should have.
        expected: Sha256,
        /// The hash they have; of the bytes read so far when there are too many.
        found: Sha256,
    },
    /// The stored object ends before the range does.
    #[error("{key} ends too early: wanted {wanted_bytes} bytes, got {found_bytes}")]
    Short {
        /// The object's key.
        key: String,
        /// Size of the range that was asked for.
        wanted_bytes: u64,
        /// Size of what came.
        found_bytes: u64,
    },
    /// A piece is larger than the store moves at once.
    #[error("{size_bytes} bytes at once are too many, the limit is {max_bytes}")]
    TooLarge {
        /// Size of the piece.
        size_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The disk or the quota is full.
    #[error("the store is full: {action}")]
    Full {
        /// What was tried.
        action: String,
    },
    /// The service refuses the store's own credentials, or does not know its bucket.
    #[error("the store refuses access (HTTP {status}): {action}: {message}")]
    Refused {
        /// What was tried.
        action: String,
        /// The answer's status.
        status: u16,
        /// What the service says.
        message: String,
    },
    /// The service cannot be reached, is too slow or broken.
    #[error("the store is unavailable: {action}: {cause}")]
    Unavailable {
        /// What was tried.
        action: String,
        /// Why it failed.
        cause: String,
    },
    /// The disk or the service did something unexpected.
    #[error("the store failed: {action}: {cause}")]
    Failed {
        /// What was tried.
        action: String,
        /// Why it failed.
        cause: String,
    },
    /// The bytes to store could not be read.
    #[error("reading the bytes to store")]
    Source(#[source] std::io::Error),
}

impl Error {
    /// Returns what a caller can do about it. `Refused` counts as unavailable: the operator must act, then trying again helps.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Location { .. } | Self::TooLarge { .. } => ErrorKind::InvalidArgument,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::WrongBytes { .. } | Self::Short { .. } => ErrorKind::DataLoss,
            Self::Full { .. } => ErrorKind::ResourceExhausted,
            Self::Refused { .. } | Self::Unavailable { .. } | Self::Source(_) => ErrorKind::Unavailable,
            Self::Failed { .. } => ErrorKind::Internal,
        }
    }

    /// Sorts an error of the file system.
    pub(crate) fn from_io(action: &str, key: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        match error.kind() {
            Io::NotFound => Self::NotFound { key: key.to_owned() },
            Io::StorageFull | Io::QuotaExceeded => Self::Full { action: format!("{action} {key}") },
            Io::TimedOut | Io::StaleNetworkFileHandle | Io::ResourceBusy => {
                Self::Unavailable { action: format!("{action} {key}"), cause: error.to_string() }
            }
            _ => Self::Failed { action: format!("{action} {key}"), cause: error.to_string() },
        }
    }
}
