//! This file's job is to put a new API key in the place of an old one, which lives on for a while.

use super::Minted;
use crate::app::record;
use crate::auth::grant::KeyLimits;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names;
use db::api_keys::ApiKey;
use db::{DbConn, Scope, Tx};
use domain::id::ApiKeyId;
use domain::{Environment, ErrorKind, Timestamp};
use proto::v1::{self, Reason};
use std::time::Duration;

/// Longer than any machine needs to get its new key; a key that must live longer is not being rolled.
const KEEP_MAX_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Roll {
    /// The old key.
    pub id: ApiKeyId,
    keep: Duration,
}

impl Roll {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::RollApiKeyRequest) -> Result<Self> {
        let keep = u64::try_from(request.keep_seconds).ok().filter(|seconds| *seconds <= KEEP_MAX_SECONDS);
        let keep = keep.ok_or_else(|| Error::field("keep_seconds", "must be 0 to 2592000, which is 30 days"))?;
        Ok(Self { id: names::key("name", &request.name)?, keep: Duration::from_secs(keep) })
    }

    /// Returns the environment of the new key: that of the old one.
    ///
    /// # Errors
    /// Not found, also for a key of another organization.
    pub fn environment(&self, conn: &mut DbConn, scope: &Scope) -> Result<Environment> {
        let key = db::api_keys::get(conn, scope, &self.id)?;
        let limits = KeyLimits::read(&key.scopes, &key.public_id);
        let limits =
            limits.map_err(|cause| Error::Broken { what: "a stored key cannot be read", cause: cause.into() })?;
        Ok(limits.reach.environment.unwrap_or(Environment::Live))
    }
}

/// Makes a key like the old one, and ends the old one now or after the time that was asked for.
///
/// # Errors
/// Failed precondition when the old key has ended; permission denied when it carries more than the caller.
pub fn roll(tx: &mut Tx<'_>, change: &Change, roll: &Roll, minted: &Minted) -> Result<ApiKey> {
    let (scope, now) = (&change.caller.scope, change.now);
    let old = db::api_keys::get(tx, scope, &roll.id)?;
    check_live(&old, change)?;
    let lifetime = old.expires_at.map(|at| at.since(old.created_at));
    let new = ApiKey {
        id: ApiKeyId::from_parts(now, runtime::random::bytes()),
        public_id: minted.key.public_id().to_owned(),
        secret_bcrypt: minted.stored.clone(),
        created_by: change.caller.actor.id.clone(),
        created_at: now,
        expires_at: lifetime.map(|lifetime| now.plus(lifetime)),
        last_used_at: None,
        ..old.clone()
    };
    db::api_keys::insert(tx, &new)?;
    end(tx, scope, &old, roll.keep, now)?;
    let keep = roll.keep.as_secs().to_string();
    let facts = [("public_id", new.public_id.as_str()), ("old", old.public_id.as_str()), ("keep_seconds", &keep)];
    record::done(tx, change, "RollApiKey", names::of_key(&new.id), &facts)?;
    Ok(new)
}

/// Checks that a key still works, and that the caller may have one like it.
pub(super) fn check_live(key: &ApiKey, change: &Change) -> Result<()> {
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= change.now) {
        let message = "the key was revoked or has expired: make a new one";
        return Err(Error::refused(ErrorKind::FailedPrecondition, Reason::KeyEnded, message));
    }
    if key.role < change.caller.role { Err(Error::forbidden()) } else { Ok(()) }
}

fn end(tx: &mut Tx<'_>, scope: &Scope, old: &ApiKey, keep: Duration, now: Timestamp) -> Result<()> {
    if keep.is_zero() {
        db::api_keys::revoke(tx, scope, &old.id, now)?;
    } else {
        db::api_keys::expire(tx, scope, &old.id, now.plus(keep), now)?;
    }
    Ok(())
}
