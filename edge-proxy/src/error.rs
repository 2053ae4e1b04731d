//! This file's job is to say why an edge cannot start or run.

use domain::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// A failure of the edge itself. What devices are told is a `Refusal`.
#[derive(Debug, Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use the certificate {path} with its key: {source}")]
    Certificate {
        /// The certificate.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another edge runs on the same data folder.
    #[error("{path} is in use by another edge")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The control plane's address or the token cannot be used.
    #[error("edge.{key} {rule}")]
    Config {
        /// The key below `[edge]`.
        key: &'static str,
        /// The rule that its value breaks.
        rule: &'static str,
    },
}

impl Error {
    /// Returns what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } | Self::Folder { .. } => ErrorKind::Unavailable,
            Self::InUse { .. } => ErrorKind::FailedPrecondition,
            Self::Config { .. } | Self::Certificate { .. } => ErrorKind::InvalidArgument,
        }
    }
}
