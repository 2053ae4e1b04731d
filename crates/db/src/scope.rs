//! This file's job is to mark which rows of which organization a caller may touch.

use domain::Environment;
use domain::id::{AppId, ChannelId, OrganizationId};

/// Proof that the caller may act for an organization. Every verb that an RPC can reach takes one and sees only the rows in it: the id
/// of any other row is answered exactly like that of an absent one.
///
/// Only the authorizer makes scopes for callers. Workers take theirs from the lease of a job ([`crate::queue::Lease::scope`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    organization: OrganizationId,
    reach: Reach,
}

/// The part of an organization that a scope is limited to; the default is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Only these apps.
    pub apps: Option<Vec<AppId>>,
    /// Only these channels.
    pub channels: Option<Vec<ChannelId>>,
    /// Only channels of this environment.
    pub environment: Option<Environment>,
}

impl Scope {
    /// Makes the scope of a whole organization. To be called by the authorizer, after it has checked the caller's credential, and by
    /// nobody else.
    #[must_use]
    pub fn authorized(organization: OrganizationId) -> Self {
        Self::limited(organization, Reach::default())
    }

    /// Makes the scope of a part of an organization. For the authorizer only.
    #[must_use]
    pub const fn limited(organization: OrganizationId, reach: Reach) -> Self {
        Self { organization, reach }
    }

    /// Returns the organization.
    #[must_use]
    pub const fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// Returns what the scope is limited to.
    #[must_use]
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Says whether the scope is a part of the organization only.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.reach.apps.is_some() || self.reach.channels.is_some()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.organization.as_str()
    }

    /// Returns the apps that it is limited to; none when it is not.
    pub(crate) fn apps(&self) -> Vec<&str> {
        self.reach.apps.iter().flatten().map(AppId::as_str).collect()
    }

    /// Returns the channels that it is limited to; none when it is not.
    pub(crate) fn channels(&self) -> Vec<&str> {
        self.reach.channels.iter().flatten().map(ChannelId::as_str).collect()
    }

    /// Returns the environments whose channels it may see.
    pub(crate) fn environments(&self) -> Vec<&'static str> {
        match self.reach.environment {
            Some(environment) => vec![environment.as_str()],
            None => Environment::ALL.iter().map(|environment| environment.as_str()).collect(),
        }
    }
}
