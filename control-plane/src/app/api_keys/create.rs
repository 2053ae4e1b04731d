//! This file's job is to make an API key that carries no more than its maker.

use super::Minted;
use crate::app::{lookup, record};
use crate::auth::caller::Caller;
use crate::auth::grant::{Grant, KeyLimits, LIMITS_MAX};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::api_keys::ApiKey;
use db::{Role, Tx};
use domain::id::ApiKeyId;
use domain::{Environment, ErrorKind, Timestamp};
use proto::v1::{self, Reason};

/// Names for people are one line in lists.
const NAME_MAX_BYTES: usize = 128;
/// Keys of one organization that are not revoked; nobody can look through more.
pub const KEYS_MAX: u64 = 10_000;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewKey {
    name: String,
    role: Role,
    /// Which channels the key sees.
    pub environment: Environment,
    apps: Vec<AppRef>,
    grant: Grant,
    expires_at: Option<Timestamp>,
}

impl NewKey {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field; permission denied when the key would carry more than the caller.
    pub fn new(request: &v1::CreateApiKeyRequest, caller: &Caller, now: Timestamp) -> Result<Self> {
        let name = name("display_name", &request.display_name)?;
        if request.apps.len() > LIMITS_MAX || request.actions.len() > LIMITS_MAX {
            return Err(Error::field("apps", "and actions must be at most 100 each"));
        }
        let role: Role = request.role.parse().map_err(Error::in_field("role"))?;
        let actions = request.actions.iter().map(|action| action.parse()).collect::<Result<_, _>>();
        let new = Self {
            name,
            role,
            environment: environment(request.environment)?,
            apps: request.apps.iter().map(|app| app_ref(app)).collect::<Result<_>>()?,
            grant: Grant::new(actions.map_err(Error::in_field("actions"))?),
            expires_at: expiry("expires_at_us", request.expires_at_us, now)?,
        };
        // Roles are declared from most to least.
        let carries_more = new.role < caller.role
            || !caller.grant.includes(&new.grant)
            || (caller.scope.reach().environment == Some(Environment::Test) && new.environment == Environment::Live);
        if carries_more { Err(Error::forbidden()) } else { Ok(new) }
    }
}

/// Checks a name for people.
pub(super) fn name(field: &'static str, text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.len() > NAME_MAX_BYTES {
        return Err(Error::field(field, "must be 1 to 128 bytes"));
    }
    Ok(name.to_owned())
}

fn environment(value: i32) -> Result<Environment> {
    match v1::Environment::try_from(value) {
        Ok(v1::Environment::Live) => Ok(Environment::Live),
        Ok(v1::Environment::Test) => Ok(Environment::Test),
        Ok(v1::Environment::Unspecified) | Err(_) => Err(Error::field("environment", "must be live or test")),
    }
}

fn app_ref(text: &str) -> Result<AppRef> {
    let name = if text.starts_with("apps/") { text.to_owned() } else { format!("apps/{text}") };
    names::app("apps", &name)
}

/// Checks when a key stops working; 0 is never.
pub(super) fn expiry(field: &'static str, at_us: i64, now: Timestamp) -> Result<Option<Timestamp>> {
    match at_us {
        0 => Ok(None),
        at_us if at_us > now.as_us() => Ok(Some(Timestamp::from_us(at_us))),
        _ => Err(Error::field(field, "must lie ahead")),
    }
}

/// Makes the key.
///
/// # Errors
/// Not found for an app that the caller does not see; resource exhausted when there are as many keys as there may be.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewKey, minted: &Minted) -> Result<ApiKey> {
    let scope = &change.caller.scope;
    if db::api_keys::count(tx, scope, change.now)? >= KEYS_MAX {
        let message = format!("the organization has {KEYS_MAX} keys: revoke some");
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", KEYS_MAX));
    }
    let mut limits = KeyLimits { grant: new.grant.clone(), ..KeyLimits::default() };
    for app in &new.apps {
        limits.reach.apps.get_or_insert_default().push(lookup::app(tx, scope, app)?.id);
    }
    let key = ApiKey {
        id: ApiKeyId::from_parts(change.now, runtime::random::bytes()),
        organization: scope.organization().clone(),
        public_id: minted.key.public_id().to_owned(),
        secret_bcrypt: minted.stored.clone(),
        name: new.name.clone(),
        role: new.role,
        scopes: limits.stored(),
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    db::api_keys::insert(tx, &key)?;
    let facts = [("public_id", key.public_id.as_str()), ("role", key.role.as_str())];
    record::done(tx, change, "CreateApiKey", names::of_key(&key.id), &facts)?;
    Ok(key)
}
