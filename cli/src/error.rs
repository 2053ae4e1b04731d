//! This file's job is to name everything that can go wrong in a command.

use crate::exit::Exit;
use domain::ErrorKind;
use proto::v1::Reason;
use std::path::{Path, PathBuf};
use tonic::Code;
use tonic_types::StatusExt as _;

/// Why a command failed. The text is for people; [`Error::exit`] is for scripts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// No API key is known.
    #[error("you are not logged in")]
    NotLoggedIn,
    /// The settings file cannot be used.
    #[error("{}: {cause}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was given is not a bundle, or not one that the server would take.
    #[error("{0}")]
    Content(String),
    /// The server could not be reached.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// What the network said.
        cause: String,
    },
    /// The server refused the call.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The server took the bytes but refused the bundle.
    #[error("the server refused the bundle: {message}")]
    UploadFailed {
        /// The name of a reason of the contract, for instance `BUNDLE_INVALID`.
        reason: String,
        /// For people; names the entry that was refused.
        message: String,
    },
    /// The server did not process the upload in time.
    #[error("the server has not finished processing {upload} after {seconds} seconds")]
    ProcessingTimeout {
        /// The upload's full name.
        upload: String,
        /// How long the command waited.
        seconds: u64,
    },
    /// The audit log is not what it was.
    #[error("the audit log is broken: {0}")]
    AuditBroken(String),
    /// The server broke its contract.
    #[error("the server's answer makes no sense: {0}")]
    Answer(String),
}

/// A refusal as the server sent it.
#[derive(Debug)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// The reason of the contract, when the server sent one.
    pub reason: Option<Reason>,
    /// The server's text.
    pub message: String,
    /// The fields that break a rule, each with the rule.
    pub fields: Vec<(String, String)>,
    /// How long to wait before trying again.
    pub retry_after: Option<std::time::Duration>,
    /// Further values, for instance "limit" and "current".
    pub metadata: std::collections::HashMap<String, String>,
}

impl Refusal {
    fn from_status(status: &tonic::Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map(|request| {
            let pair =
                |violation: &tonic_types::FieldViolation| (violation.field.clone(), violation.description.clone());
            request.field_violations.iter().map(pair).collect()
        });
        Self {
            code: status.code(),
            reason: proto::error::reason_of(status),
            message: status.message().to_owned(),
            fields: fields.unwrap_or_default(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
        }
    }

    fn exit(&self) -> Exit {
        match self.reason {
            Some(Reason::BundleInvalid | Reason::UploadMismatch) => Exit::RefusedContent,
            Some(Reason::SizeLimit | Reason::CountLimit) => Exit::Limit,
            _ => kind_of(self.code).into(),
        }
    }
}

/// Reads the kind of failure back from the gRPC code.
fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::InvalidArgument,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::FailedPrecondition => ErrorKind::FailedPrecondition,
        Code::Aborted => ErrorKind::Conflict,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::ResourceExhausted => ErrorKind::ResourceExhausted,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => ErrorKind::Unavailable,
        Code::DataLoss => ErrorKind::DataLoss,
        Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal => ErrorKind::Internal,
    }
}

impl Error {
    /// Makes the error for a file or folder.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// Makes the error for an answer without a part that the contract promises.
    #[must_use]
    pub fn missing(what: &str) -> Self {
        Self::Answer(format!("{what} is missing"))
    }

    /// Returns what scripts see.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Settings { .. } => Exit::Usage,
            Self::NotLoggedIn => Exit::Authorization,
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::Usage,
            Self::File { .. } | Self::Answer(_) => Exit::Other,
            Self::Content(_) | Self::UploadFailed { .. } | Self::AuditBroken(_) => Exit::RefusedContent,
            Self::Unreachable { .. } | Self::ProcessingTimeout { .. } => Exit::Unavailable,
            Self::Refused(refusal) => refusal.exit(),
        }
    }

    /// Returns the reason of the contract, when there is one.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.reason.map(|reason| proto::error::reason_text(reason).to_owned()),
            Self::UploadFailed { reason, .. } => Some(reason.clone()),
            Self::Usage(_)
            | Self::NotLoggedIn
            | Self::Settings { .. }
            | Self::File { .. }
            | Self::Content(_)
            | Self::Unreachable { .. }
            | Self::ProcessingTimeout { .. }
            | Self::AuditBroken(_)
            | Self::Answer(_) => None,
        }
    }

    /// Says whether the same call can succeed later: the network or a part of the server is away.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(refusal) => match refusal.reason {
                Some(reason) => matches!(reason, Reason::Unavailable | Reason::UploadOffset),
                // A status without our details was not made by the server: the connection broke, or something between did it.
                None => matches!(
                    refusal.code,
                    Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal
                ),
            },
            Self::Usage(_)
            | Self::NotLoggedIn
            | Self::Settings { .. }
            | Self::File { .. }
            | Self::Content(_)
            | Self::UploadFailed { .. }
            | Self::ProcessingTimeout { .. }
            | Self::AuditBroken(_)
            | Self::Answer(_) => false,
        }
    }
}

impl From<bundle::Error> for Error {
    fn from(error: bundle::Error) -> Self {
        match error {
            bundle::Error::Refused(refusal) => Self::Content(refusal.to_string()),
            bundle::Error::Local { path, cause, .. } => Self::File { path: path.into(), source: cause },
            bundle::Error::Sink(source) => Self::File { path: std::env::temp_dir(), source },
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(Refusal::from_status(&status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn refused(code: Code, reason: &str) -> Error {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "aloft", [("limit".to_owned(), "100".to_owned())]);
        details.add_bad_request_violation("slug", "must be short");
        tonic::Status::with_error_details(code, "refused", details).into()
    }

    #[test]
    fn every_kind_of_refusal_has_its_exit_code() {
        for (code, reason, exit) in [
            (Code::InvalidArgument, "INVALID_FIELD", 2),
            (Code::NotFound, "NOT_FOUND", 3),
            (Code::Unauthenticated, "CREDENTIAL_INVALID", 4),
            (Code::PermissionDenied, "ROLE_INSUFFICIENT", 4),
            (Code::AlreadyExists, "ALREADY_EXISTS", 5),
            (Code::Aborted, "ETAG_MISMATCH", 5),
            (Code::FailedPrecondition, "NO_EARLIER_RELEASE", 5),
            (Code::ResourceExhausted, "SIZE_LIMIT", 6),
            (Code::FailedPrecondition, "COUNT_LIMIT", 6),
            (Code::Unavailable, "UNAVAILABLE", 7),
            (Code::InvalidArgument, "BUNDLE_INVALID", 8),
            (Code::DataLoss, "UPLOAD_MISMATCH", 8),
            (Code::Internal, "INTERNAL", 1),
        ] {
            assert_eq!(refused(code, reason).exit().code(), exit, "{reason}");
        }
    }

    #[test]
    fn reasons_that_this_program_does_not_know_are_left_out() {
        assert_eq!(refused(Code::NotFound, "NOT_FOUND").reason().as_deref(), Some("NOT_FOUND"));
        assert_eq!(refused(Code::NotFound, "SOMETHING_NEW").reason(), None);
    }

    #[test]
    fn details_of_a_refusal_are_kept() {
        let Error::Refused(refusal) = refused(Code::InvalidArgument, "INVALID_FIELD") else { panic!("not a refusal") };
        assert_eq!(refusal.fields, [("slug".to_owned(), "must be short".to_owned())]);
        assert_eq!(refusal.metadata["limit"], "100");
    }

    #[test]
    fn only_failures_of_the_way_there_are_tried_again() {
        assert!(Error::from(tonic::Status::unknown("transport error")).is_passing());
        assert!(refused(Code::Unavailable, "UNAVAILABLE").is_passing());
        assert!(!refused(Code::Internal, "INTERNAL").is_passing());
        assert!(!refused(Code::InvalidArgument, "BUNDLE_INVALID").is_passing());
    }
}
