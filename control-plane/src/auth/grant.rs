//! This file's job is to say what of its role a credential carries: apps, channels and actions, as `api_key.scopes` stores them.
//!
//! Each stored text is `app:app_…`, `channel:chn_…` or `action:release.write`. No text of a kind means no limit of that kind.

use crate::auth::role::{Action, Resource};
use db::Reach;
use domain::Environment;
use domain::error::Invalid;

/// Limits of one key; more are no key that anybody can review.
pub const LIMITS_MAX: usize = 100;

/// One permission: an action on a kind of resource, or on all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The kind of resource; all of them when none.
    resource: Option<Resource>,
    /// Also allows what is less: writing includes reading.
    action: Action,
}

/// The actions that a credential carries. The default carries everything that its role may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant(Vec<Permission>);

/// Everything that limits a key below its role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLimits {
    /// The rows that it sees.
    pub reach: Reach,
    /// The actions that it carries.
    pub grant: Grant,
}

impl std::str::FromStr for Permission {
    type Err = Invalid;

    /// Reads `release.write` or `*.read`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new("action", "must be RESOURCE.read, .write or .admin, for instance release.write or *.read");
        let (resource, action) = text.split_once('.').ok_or_else(invalid)?;
        let resource = match resource {
            "*" => None,
            word => Some(word.parse().map_err(|_| invalid())?),
        };
        Ok(Self { resource, action: action.parse().map_err(|_| invalid())? })
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.resource.map_or("*", Resource::as_str), self.action)
    }
}

impl Permission {
    /// Says whether it covers the action. Actions are declared from least to most.
    fn covers(self, resource: Resource, action: Action) -> bool {
        self.resource.is_none_or(|granted| granted == resource) && action <= self.action
    }

    /// Says whether it covers everything that another one covers.
    fn includes(self, other: Self) -> bool {
        (self.resource.is_none() || self.resource == other.resource) && other.action <= self.action
    }
}

impl Grant {
    /// Makes the grant of these permissions; of everything when there are none.
    #[must_use]
    pub const fn new(permissions: Vec<Permission>) -> Self {
        Self(permissions)
    }

    /// Says whether the action is carried. Everybody may ask who they are.
    #[must_use]
    pub fn allows(&self, resource: Resource, action: Action) -> bool {
        self.0.is_empty()
            || resource == Resource::Caller
            || self.0.iter().any(|permission| permission.covers(resource, action))
    }

    /// Says whether everything that `other` carries is carried here.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.0.is_empty()
            || (!other.0.is_empty()
                && other.0.iter().all(|wanted| self.0.iter().any(|permission| permission.includes(*wanted))))
    }

    /// Returns the permissions; none means everything.
    #[must_use]
    pub fn permissions(&self) -> &[Permission] {
        &self.0
    }
}

impl KeyLimits {
    /// Reads what is stored, and the environment that the key's public part tells.
    ///
    /// # Errors
    /// When a text has none of the forms: the key must not be believed then.
    pub fn read(scopes: &[String], public_id: &str) -> Result<Self, Invalid> {
        let mut limits = Self::default();
        let environment = public_id.strip_prefix("cp_").and_then(|rest| rest.split('_').next()).unwrap_or_default();
        limits.reach.environment = Some(environment.parse::<Environment>()?);
        for scope in scopes {
            match scope.split_once(':') {
                Some(("app", id)) => limits.reach.apps.get_or_insert_default().push(id.parse()?),
                Some(("channel", id)) => limits.reach.channels.get_or_insert_default().push(id.parse()?),
                Some(("action", text)) => limits.grant.0.push(text.parse()?),
                Some(_) | None => return Err(Invalid::new("scope", "has none of the known forms")),
            }
        }
        Ok(limits)
    }

    /// Returns what is stored.
    #[must_use]
    pub fn stored(&self) -> Vec<String> {
        let apps = self.reach.apps.iter().flatten().map(|id| format!("app:{id}"));
        let channels = self.reach.channels.iter().flatten().map(|id| format!("channel:{id}"));
        apps.chain(channels).chain(self.grant.0.iter().map(|permission| format!("action:{permission}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(texts: &[&str]) -> Grant {
        Grant::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_grant_carries_its_actions_and_lesser_ones_only() {
        let publish = grant(&["release.write", "upload.write", "*.read"]);
        assert!(publish.allows(Resource::Release, Action::Write) && publish.allows(Resource::Release, Action::Read));
        assert!(!publish.allows(Resource::Release, Action::Admin) && !publish.allows(Resource::Channel, Action::Write));
        assert!(publish.allows(Resource::Binary, Action::Read));
        assert!(grant(&[]).allows(Resource::App, Action::Admin), "no permission named: all of the role");
        assert!(grant(&["release.read"]).allows(Resource::Caller, Action::Read));
    }

    #[test]
    fn a_grant_includes_only_what_it_carries() {
        let publish = grant(&["release.write", "*.read"]);
        assert!(publish.includes(&grant(&["release.read"])) && publish.includes(&publish));
        for more in [grant(&[]), grant(&["release.admin"]), grant(&["*.write"]), grant(&["release.read", "app.write"])]
        {
            assert!(!publish.includes(&more), "{more:?}");
        }
        assert!(grant(&[]).includes(&publish));
    }

    #[test]
    fn limits_come_back_as_they_were_stored_and_unknown_ones_are_refused() {
        let texts =
            ["app:app_00000000000000000000000001", "channel:chn_00000000000000000000000001", "action:release.write"];
        let stored: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let limits = KeyLimits::read(&stored, "cp_test_3f9a1c2b").unwrap();
        assert_eq!((limits.stored(), limits.reach.environment), (stored, Some(Environment::Test)));
        for bad in ["", "release", "action:release", "action:release.destroy", "app:*", "apps:app_1"] {
            assert!(KeyLimits::read(&[bad.to_owned()], "cp_live_3f9a1c2b").is_err(), "{bad}");
        }
        assert!(KeyLimits::read(&[], "cp_dead_3f9a1c2b").is_err());
    }
}
