//! This file's job is to put errors on the wire with google.rpc details, and to read them back.

use crate::v1::Reason;
use domain::ErrorKind;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `google.rpc.ErrorInfo` that Aloft sends.
pub const ERROR_DOMAIN: &str = "aloft";

/// Returns the gRPC code of a kind of error.
#[must_use]
pub const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::DataLoss => Code::DataLoss,
        ErrorKind::Internal => Code::Internal,
    }
}

/// An error as a caller sees it. Nothing in it may come from a cause that users should not read.
#[derive(Debug, Clone)]
pub struct PublicError {
    kind: ErrorKind,
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<(String, String)>,
    quota: Option<(String, String)>,
    retry_after: Option<Duration>,
}

impl PublicError {
    /// Makes an error with a text for people: lower case, no full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            violations: Vec::new(),
            quota: None,
            retry_after: None,
        }
    }

    /// Makes the error for one field that breaks a rule.
    #[must_use]
    pub fn field(field: &str, rule: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::InvalidArgument, Reason::InvalidField, format!("{field}: {rule}")).violation(field, rule)
    }

    /// Adds a value for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds a field that breaks a rule.
    #[must_use]
    pub fn violation(mut self, field: &str, rule: impl std::fmt::Display) -> Self {
        self.violations.push((field.to_owned(), rule.to_string()));
        self
    }

    /// Names the quota that was reached, and what it is about, for people.
    #[must_use]
    pub fn quota(mut self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        self.quota = Some((subject.into(), description.into()));
        self
    }

    /// Says when trying again may help.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the reason.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl std::fmt::Display for PublicError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PublicError {}

impl From<PublicError> for Status {
    fn from(error: PublicError) -> Self {
        let mut details = ErrorDetails::new();
        let reason = reason_text(error.reason);
        details.set_error_info(reason, ERROR_DOMAIN, error.metadata);
        for (field, rule) in error.violations {
            details.add_bad_request_violation(field, rule);
        }
        // Whatever is used up has a quota, also where nobody has named it.
        let unnamed =
            || (error.kind == ErrorKind::ResourceExhausted).then(|| (reason.to_lowercase(), error.message.clone()));
        if let Some((subject, description)) = error.quota.or_else(unnamed) {
            details.add_quota_failure_violation(subject, description);
        }
        if let Some(wait) = error.retry_after {
            details.set_retry_info(Some(wait));
        }
        Self::with_error_details(code(error.kind), error.message, details)
    }
}

/// Returns the reason as it stands on the wire, for instance `NOT_FOUND`.
#[must_use]
pub fn reason_text(reason: Reason) -> &'static str {
    reason.as_str_name().trim_start_matches("REASON_")
}

/// Returns the reason that a status carries, if it came from Aloft.
#[must_use]
pub fn reason_of(status: &Status) -> Option<Reason> {
    let info = status.get_details_error_info()?;
    if info.domain != ERROR_DOMAIN {
        return None;
    }
    Reason::from_str_name(&format!("REASON_{}", info.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_the_wire() {
        let error =
            PublicError::field("slug", "must not be empty").with("limit", 5).retry_after(Duration::from_secs(2));
        let status = Status::from(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(reason_of(&status), Some(Reason::InvalidField));
        assert_eq!(status.get_details_error_info().unwrap().metadata["limit"], "5");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "slug");
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(2)));
    }

    #[test]
    fn whatever_is_used_up_has_a_quota() {
        let error = PublicError::new(ErrorKind::ResourceExhausted, Reason::CountLimit, "there may be 3");
        let named = error.clone().quota("devices", "there may be 3");
        let subject =
            |error: PublicError| Status::from(error).get_details_quota_failure().unwrap().violations.remove(0).subject;
        assert_eq!((subject(error), subject(named)), ("count_limit".to_owned(), "devices".to_owned()));
        let other = PublicError::new(ErrorKind::NotFound, Reason::NotFound, "x");
        assert!(Status::from(other).get_details_quota_failure().is_none());
    }

    #[test]
    fn a_status_from_elsewhere_has_no_reason() {
        assert_eq!(reason_of(&Status::internal("x")), None);
    }
}
