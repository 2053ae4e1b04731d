//! This file's job is to say how a call fails, and how that looks on the wire.

use domain::ErrorKind;
use domain::error::Invalid;
use proto::convert::InvalidMessage;
use proto::error::PublicError;
use proto::v1::Reason;
use runtime::vault::VaultError;
use std::time::Duration;
use thiserror::Error;
use tonic::Status;

/// What use cases return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How long callers wait before they try again when a part behind this one is away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A failure of the control plane. The text is safe to show to users; causes are for logs.
#[derive(Debug, Error)]
pub enum Error {
    /// The call was refused for a reason that the caller can do something about. Holds nothing that tells a foreign thing from an
    /// absent one.
    #[error(transparent)]
    Refused(#[from] Box<PublicError>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// The object store failed.
    #[error("the object store failed")]
    Store(#[from] blob::Error),
    /// A part of the server that must work does not.
    #[error("{what}")]
    Broken {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Makes a refusal.
    #[must_use]
    pub fn refused(kind: ErrorKind, reason: Reason, message: impl Into<String>) -> Self {
        PublicError::new(kind, reason, message).into()
    }

    /// A field of the request breaks a rule.
    #[must_use]
    pub fn field(field: &str, rule: impl std::fmt::Display) -> Self {
        PublicError::field(field, rule).into()
    }

    /// A page token was changed, or was made for another caller or request.
    #[must_use]
    pub fn page_token() -> Self {
        let rule = "was changed, or was made for another caller or another request";
        PublicError::new(ErrorKind::InvalidArgument, Reason::PageTokenInvalid, format!("page_token: {rule}"))
            .violation("page_token", rule)
            .into()
    }

    /// Names the field whose value is not one of the domain.
    pub fn in_field(field: &'static str) -> impl FnOnce(Invalid) -> Self {
        move |invalid| Self::field(field, invalid.rule)
    }

    /// There is no such thing, or the caller may not know that there is.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        let message = format!("there is no such {what}");
        PublicError::new(ErrorKind::NotFound, Reason::NotFound, message).with("resource", what).into()
    }

    /// There is such a thing already.
    #[must_use]
    pub fn exists(what: &'static str) -> Self {
        let message = format!("this {what} exists already");
        PublicError::new(ErrorKind::AlreadyExists, Reason::AlreadyExists, message).with("resource", what).into()
    }

    /// The etag is not the current one.
    #[must_use]
    pub fn etag(what: &'static str) -> Self {
        let message = format!("the {what} was changed in the meantime: read it again, then repeat");
        PublicError::new(ErrorKind::Conflict, Reason::EtagMismatch, message).with("resource", what).into()
    }

    /// The thing is still in use.
    #[must_use]
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::refused(ErrorKind::FailedPrecondition, Reason::InUse, message)
    }

    /// No valid credential came with the call.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let message = "no valid credential came with the call: send it as 'authorization: Bearer <credential>'";
        Self::refused(ErrorKind::Unauthenticated, Reason::CredentialInvalid, message)
    }

    /// The credential does not allow the call.
    #[must_use]
    pub fn forbidden() -> Self {
        let message = "the credential does not allow this call";
        Self::refused(ErrorKind::PermissionDenied, Reason::RoleInsufficient, message)
    }

    /// The organization may look, but not change anything.
    #[must_use]
    pub fn suspended() -> Self {
        let message = "the organization is suspended: it can look, but not change anything";
        Self::refused(ErrorKind::PermissionDenied, Reason::OrganizationSuspended, message)
    }

    /// A part behind this one is away, or there is too much to do.
    #[must_use]
    pub fn unavailable(message: &'static str) -> Self {
        PublicError::new(ErrorKind::Unavailable, Reason::Unavailable, message).retry_after(RETRY_AFTER).into()
    }

    /// Adds a value for programs to a refusal.
    #[must_use]
    pub fn with(self, key: &str, value: impl std::fmt::Display) -> Self {
        match self {
            Self::Refused(error) => (*error).with(key, value).into(),
            other @ (Self::Database(_) | Self::Store(_) | Self::Broken { .. }) => other,
        }
    }

    /// Returns what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Store(error) => match error.kind() {
                // The caller cannot help that the store lacks, or refuses, what we asked it for.
                ErrorKind::NotFound | ErrorKind::InvalidArgument => ErrorKind::Internal,
                kind => kind,
            },
            Self::Broken { .. } => ErrorKind::Internal,
        }
    }
}

impl From<PublicError> for Error {
    fn from(error: PublicError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<VaultError> for Error {
    fn from(VaultError { what, cause }: VaultError) -> Self {
        Self::Broken { what, cause: cause.into() }
    }
}

impl From<InvalidMessage> for Error {
    fn from(error: InvalidMessage) -> Self {
        Self::field(error.field, error.rule)
    }
}

/// Turns what the database says into what a caller may read.
fn public_database_error(error: &db::Error) -> Error {
    match error {
        db::Error::NotFound { what } => Error::not_found(what),
        db::Error::AlreadyExists { what } => Error::exists(what),
        db::Error::Conflict { what } => Error::etag(what),
        db::Error::FailedPrecondition { rule } => Error::in_use(*rule),
        db::Error::Unavailable { .. } => Error::unavailable("the database is unavailable"),
        db::Error::StaleLease | db::Error::Aborted(_) | db::Error::Internal(_) => internal(),
    }
}

fn internal() -> Error {
    Error::refused(ErrorKind::Internal, Reason::Internal, "the server has a fault; its log says more")
}

fn public(error: Error) -> Error {
    let kind = error.kind();
    match error {
        Error::Refused(_) => error,
        Error::Database(error) => public_database_error(&error),
        Error::Store(_) if kind == ErrorKind::Unavailable => Error::unavailable("the object store is unavailable"),
        Error::Store(_) if kind == ErrorKind::ResourceExhausted => {
            Error::unavailable("the object store is full: its operator must make room")
        }
        Error::Store(_) | Error::Broken { .. } => internal(),
    }
}

/// Writes an error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Internal | ErrorKind::DataLoss => tracing::error!(cause = chain(&error), "a call failed"),
            ErrorKind::Unavailable => tracing::warn!(cause = chain(&error), "a call could not be served"),
            ErrorKind::InvalidArgument
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::FailedPrecondition
            | ErrorKind::Conflict
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied
            | ErrorKind::ResourceExhausted => (),
        }
        match public(error) {
            Error::Refused(error) => (*error).into(),
            // `public` returns refusals only.
            Error::Database(_) | Error::Store(_) | Error::Broken { .. } => Self::internal("the server has a fault"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    #[test]
    fn an_outage_says_when_to_try_again_and_nothing_about_its_cause() {
        let cause = "password authentication failed for user aloft".into();
        let status = Status::from(Error::Database(db::Error::Unavailable { cause, transient: false }));
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "the database is unavailable"));
        assert_eq!(proto::error::reason_of(&status), Some(Reason::Unavailable));
        assert_eq!(status.get_details_retry_info().and_then(|info| info.retry_delay), Some(RETRY_AFTER));
    }

    #[test]
    fn a_fault_is_told_without_its_cause() {
        let status = Status::from(Error::Broken { what: "a secret place", cause: "a secret word".into() });
        assert_eq!(status.code(), Code::Internal);
        assert!(!format!("{status:?}").contains("secret"));
    }

    #[test]
    fn what_the_database_lacks_looks_like_what_a_use_case_lacks() {
        let (theirs, ours) = (Error::Database(db::Error::NotFound { what: "app" }), Error::not_found("app"));
        let (theirs, ours) = (Status::from(theirs), Status::from(ours));
        assert_eq!((theirs.message(), theirs.details()), (ours.message(), ours.details()));
    }
}
