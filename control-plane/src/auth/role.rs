//! This file's job is to say which role may do what to which kind of resource.

use db::Role;
use domain::text_enum;

text_enum! {
    /// The kinds of resource that policies name.
    pub enum Resource {
        /// The caller itself.
        Caller => "caller",
        /// An API key.
        ApiKey => "api_key",
        /// Making an account and signing in.
        SignIn => "sign-in",
        /// A person's own account. It belongs to the person, not to an organization.
        Person => "person",
        /// A member of the organization.
        Member => "member",
        /// An app.
        App => "app",
        /// An app that the organization is offered.
        AppOffer => "app_offer",
        /// A channel.
        Channel => "channel",
        /// A device's pin.
        Pin => "pin",
        /// A device as such.
        Device => "device",
        /// A native build.
        Binary => "binary",
        /// An upload.
        Upload => "upload",
        /// A bundle.
        Bundle => "bundle",
        /// A release.
        Release => "release",
        /// A workflow that may publish without a key.
        TrustedPublisher => "trusted_publisher",
        /// A secret of an app.
        Credential => "credential",
        /// An address that is told what happens.
        Webhook => "webhook",
        /// The audit log.
        Audit => "audit",
        /// What is used of the plan.
        Usage => "usage",
        /// Any organization, as the operator sees it.
        Organization => "organization",
        /// What a plan allows.
        Plan => "plan",
        /// What happens, told as it happens.
        Feed => "feed",
        /// The queue of background work.
        Queue => "queue",
        /// An edge proxy's own state.
        Edge => "edge",
        /// What devices report.
        Telemetry => "telemetry",
    }
}

text_enum! {
    /// What is done to a resource.
    pub enum Action {
        /// Looking.
        Read => "read",
        /// Everyday changes.
        Write => "write",
        /// Changes that are hard to undo or concern everybody.
        Admin => "admin",
    }
}

impl Resource {
    /// Says whether it belongs to an organization as a whole, so that a credential for a part of one has nothing to do with it.
    #[must_use]
    pub const fn is_of_organization(self) -> bool {
        match self {
            Self::ApiKey | Self::Audit | Self::Usage | Self::Member | Self::AppOffer | Self::Webhook => true,
            Self::Caller
            | Self::SignIn
            | Self::Person
            | Self::App
            | Self::Channel
            | Self::Pin
            | Self::Device
            | Self::Binary
            | Self::Upload
            | Self::Bundle
            | Self::Release
            | Self::TrustedPublisher
            | Self::Credential
            | Self::Organization
            | Self::Plan
            | Self::Feed
            | Self::Queue
            | Self::Edge
            | Self::Telemetry => false,
        }
    }
}

/// Says whether the role may do the action to the resource. What belongs to no organization is granted to no role: what edges and
/// operators have, signing in, and a person's account.
#[must_use]
pub const fn allows(role: Role, resource: Resource, action: Action) -> bool {
    match resource {
        Resource::Caller | Resource::Feed => matches!(action, Action::Read),
        Resource::ApiKey
        | Resource::Audit
        | Resource::Usage
        | Resource::Member
        | Resource::App
        | Resource::Channel
        | Resource::Pin
        | Resource::Device
        | Resource::Binary
        | Resource::Upload
        | Resource::Bundle
        | Resource::AppOffer
        | Resource::TrustedPublisher
        | Resource::Credential
        | Resource::Webhook
        | Resource::Release => match action {
            Action::Read => true,
            Action::Write => matches!(role, Role::Owner | Role::Admin | Role::Developer),
            Action::Admin => matches!(role, Role::Owner | Role::Admin),
        },
        Resource::Organization
        | Resource::Plan
        | Resource::Queue
        | Resource::Edge
        | Resource::Telemetry
        | Resource::SignIn
        | Resource::Person => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read, write, admin on a release; a change here is a change of what people may do.
    #[test]
    fn the_table_of_roles() {
        let row = |role| Action::ALL.iter().map(|&action| allows(role, Resource::Release, action)).collect::<Vec<_>>();
        assert_eq!(row(Role::Owner), [true, true, true]);
        assert_eq!(row(Role::Admin), [true, true, true]);
        assert_eq!(row(Role::Developer), [true, true, false]);
        assert_eq!(row(Role::Viewer), [true, false, false]);
    }

    #[test]
    fn nobody_with_a_role_may_act_as_an_edge() {
        for &role in Role::ALL {
            for &action in Action::ALL {
                assert!(!allows(role, Resource::Edge, action) && !allows(role, Resource::Telemetry, action));
            }
        }
    }
}
