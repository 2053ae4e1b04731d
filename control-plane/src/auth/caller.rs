//! This file's job is to carry who makes a call from the guard to the handlers.

use crate::error::Error;
use db::{Role, Scope};
use domain::id::{ApiKeyId, OrganizationId};
use tonic::Request;

/// Somebody with an API key. Only the guard makes one, after it has checked the credential.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What the caller may touch.
    pub scope: Scope,
    /// What the caller is in its organization.
    pub role: Role,
    /// The key's id, for the audit log.
    pub key_id: ApiKeyId,
    /// The key's public part, for instance `cp_live_3f9a1c2b`.
    pub public_id: String,
}

impl Caller {
    /// Returns the organization.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        self.scope.organization()
    }
}

/// An edge proxy with its enrolment token. Which one it is, it says itself.
#[derive(Debug, Clone, Copy)]
pub struct EdgeCaller;

/// Returns who made the call.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller: the policy and the handler disagree.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Error> {
    request.extensions().get::<Caller>().cloned().ok_or_else(Error::forbidden)
}

/// Checks that an edge made the call.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller.
pub fn edge_caller<T>(request: &Request<T>) -> Result<EdgeCaller, Error> {
    request.extensions().get::<EdgeCaller>().copied().ok_or_else(Error::forbidden)
}
