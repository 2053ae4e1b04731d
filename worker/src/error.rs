//! This file's job is to say why a job could not be done, apart from faults of the upload itself.

use domain::ErrorKind;
use thiserror::Error;

/// Why a job could not be done. Another attempt may help.
#[derive(Debug, Error)]
pub enum Error {
    /// The database.
    #[error("database: {}", chain(.0))]
    Database(#[from] db::Error),
    /// The object store.
    #[error("object store: {0}")]
    Store(#[from] blob::Error),
    /// The spool folder, or reading what lies there.
    #[error("{action}: {cause}")]
    Spool {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
    /// A patch could not be made.
    #[error("delta: {0}")]
    Delta(#[from] delta::DeltaError),
    /// A mail could not be written or handed on.
    #[error("mail: {0}")]
    Mail(String),
    /// A bug, or a row that breaks a rule.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// Returns what an operator can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Spool { cause, .. } => match cause.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                _ => ErrorKind::Internal,
            },
            Self::Mail(_) => ErrorKind::Unavailable,
            Self::Delta(_) | Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Returns the stable word that dead letters are sorted by.
    pub(crate) fn reason(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::ResourceExhausted => "resource-exhausted",
            ErrorKind::DataLoss => "data-loss",
            ErrorKind::NotFound => "not-found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::InvalidArgument
            | ErrorKind::AlreadyExists
            | ErrorKind::FailedPrecondition
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied
            | ErrorKind::Internal => "internal",
        }
    }

    /// Says whether the lease was lost: whatever was done must be thrown away.
    pub(crate) const fn is_stale(&self) -> bool {
        matches!(self, Self::Database(db::Error::StaleLease))
    }

    /// Names what was tried with the spool folder.
    pub(crate) fn spool(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Spool { action, cause }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// The error with its causes: the database's own text is for users and leaves them out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
