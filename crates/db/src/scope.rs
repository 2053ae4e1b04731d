//! This file's job is to mark which organization's rows a caller may touch.

use domain::id::OrganizationId;

/// Proof that the caller may act for an organization. Every verb that an RPC can reach takes one and sees only that organization's
/// rows: the id of a foreign row is answered exactly like that of an absent one.
///
/// Only the authorizer makes scopes for callers. Workers take theirs from the lease of a job ([`crate::queue::Lease::scope`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(OrganizationId);

impl Scope {
    /// Makes the scope. To be called by the authorizer, after it has checked the caller's credential, and by nobody else.
    #[must_use]
    pub fn authorized(organization: OrganizationId) -> Self {
        Self(organization)
    }

    /// Returns the organization.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
