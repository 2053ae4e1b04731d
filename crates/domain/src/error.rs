//! This file's job is to name the kinds of failure that every crate maps its errors to.

use thiserror::Error;

/// What a caller can do about a failure. `proto` maps each kind to a gRPC code, the edge maps it to an HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong; sending it again cannot help.
    InvalidArgument,
    /// The thing does not exist, or the caller may not know that it does.
    NotFound,
    /// The thing exists already.
    AlreadyExists,
    /// The thing is in a state that does not allow this.
    FailedPrecondition,
    /// Somebody else changed the thing first (etag or revision mismatch); read it again.
    Conflict,
    /// No valid credential came with the request.
    Unauthenticated,
    /// The credential is valid but does not allow this.
    PermissionDenied,
    /// A limit, quota or size bound was reached.
    ResourceExhausted,
    /// A part behind this one is away; trying again later helps.
    Unavailable,
    /// Stored bytes do not have the hash they should have.
    DataLoss,
    /// A bug or a broken invariant.
    Internal,
}

/// A value that breaks a rule of the domain. The text is safe to show to users.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} {rule}")]
pub struct Invalid {
    /// What kind of value was given, for instance `AppSlug`.
    pub what: &'static str,
    /// The rule that it breaks, as the end of a sentence.
    pub rule: &'static str,
}

impl Invalid {
    /// Makes the error from the kind of value and the rule that it breaks.
    #[must_use]
    pub const fn new(what: &'static str, rule: &'static str) -> Self {
        Self { what, rule }
    }
}
