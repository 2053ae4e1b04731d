//! This file's job is to sort what can go wrong in a database by what a caller can do about it.

use diesel::result::{ConnectionError, DatabaseErrorKind};
use domain::ErrorKind;
use thiserror::Error;

/// What the verbs return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of a verb or of a transaction. The text is safe to show to users; the cause is for logs.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no such row in the caller's scope.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing, for instance `app`.
        what: &'static str,
    },
    /// A row with this name exists.
    #[error("{what} exists already")]
    AlreadyExists {
        /// The kind of thing.
        what: &'static str,
    },
    /// The row is not in the revision or state that the caller read.
    #[error("{what} was changed in the meantime")]
    Conflict {
        /// The kind of thing.
        what: &'static str,
    },
    /// The rows do not allow this.
    #[error("{rule}")]
    FailedPrecondition {
        /// The rule, as a sentence.
        rule: &'static str,
    },
    /// A worker wrote with a lease that it no longer holds: its work must be thrown away.
    #[error("the lease of the job is no longer held")]
    StaleLease,
    /// The database is away or too busy; trying again later helps.
    #[error("the database is unavailable")]
    Unavailable {
        /// The driver's words.
        #[source]
        cause: Cause,
        /// Whether another run of the same transaction can help at once.
        transient: bool,
    },
    /// The closure of the transaction gave up with an error of its own; see [`Error::abort`].
    #[error("the transaction was given up")]
    Aborted(#[source] Cause),
    /// A bug, or a row that breaks a rule.
    #[error("internal database error")]
    Internal(#[source] Cause),
}

impl Error {
    /// Rolls the transaction back with the caller's own error, which [`Error::into_aborted`] gives back outside.
    pub fn abort(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Aborted(Box::new(cause))
    }

    /// Returns the error that was given to [`Error::abort`] when it has the type `E`, else `self`.
    pub fn into_aborted<E: std::error::Error + 'static>(self) -> Result<E, Self> {
        match self {
            Self::Aborted(cause) => cause.downcast::<E>().map(|cause| *cause).map_err(Self::Aborted),
            other => Err(other),
        }
    }

    /// Returns what a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::Conflict { .. } | Self::StaleLease => ErrorKind::Conflict,
            Self::FailedPrecondition { .. } => ErrorKind::FailedPrecondition,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Aborted(_) | Self::Internal(_) => ErrorKind::Internal,
        }
    }

    pub(crate) const fn not_found(what: &'static str) -> Self {
        Self::NotFound { what }
    }

    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    pub(crate) fn away(cause: impl Into<Cause>) -> Self {
        Self::Unavailable { cause: cause.into(), transient: false }
    }

    /// Names the thing whose unique name was taken.
    pub(crate) fn exists_as(self, what: &'static str) -> Self {
        match self {
            Self::AlreadyExists { .. } => Self::AlreadyExists { what },
            other => other,
        }
    }

    pub(crate) const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { transient: true, .. })
    }
}

/// The texts of failures that both drivers report without a code of their own.
fn is_contention(text: &str) -> bool {
    ["database is locked", "database table is locked", "deadlock detected", "could not serialize"]
        .iter()
        .any(|known| text.contains(known))
}

/// The database works but cannot take more at the moment, or is going away.
fn is_outage(text: &str) -> bool {
    const KNOWN: [&str; 12] = [
        "disk is full",
        "No space left",
        "terminating connection",
        "server closed the connection",
        "connection to server",
        "no connection to the server",
        "connection not open",
        "the database system is",
        "canceling statement due to statement timeout",
        "canceling statement due to lock timeout",
        "SSL connection has been closed",
        "could not receive data",
    ];
    KNOWN.iter().any(|known| text.contains(known))
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::Error as E;
        match &error {
            E::NotFound => Self::not_found("row"),
            E::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::AlreadyExists { what: "row" },
            E::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
                Self::FailedPrecondition { rule: "another row still needs this one, or is gone" }
            }
            E::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
                Self::Unavailable { cause: error.into(), transient: true }
            }
            E::DatabaseError(DatabaseErrorKind::ClosedConnection, _) | E::BrokenTransactionManager => Self::away(error),
            E::DatabaseError(_, info) if is_contention(info.message()) => {
                Self::Unavailable { cause: error.into(), transient: true }
            }
            E::DatabaseError(_, info) if is_outage(info.message()) => Self::away(error),
            _ => Self::internal(error),
        }
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::away(error)
    }
}

impl From<domain::error::Invalid> for Error {
    /// A stored value breaks a rule of the domain.
    fn from(error: domain::error::Invalid) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_errors_come_back_from_an_abort() {
        let own = std::io::Error::other("mine");
        assert_eq!(Error::abort(own).into_aborted::<std::io::Error>().unwrap().to_string(), "mine");
        assert!(matches!(Error::StaleLease.into_aborted::<std::io::Error>(), Err(Error::StaleLease)));
    }

    #[test]
    fn public_text_does_not_carry_the_cause() {
        let error = Error::away("password authentication failed for user aloft");
        assert_eq!(error.to_string(), "the database is unavailable");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
