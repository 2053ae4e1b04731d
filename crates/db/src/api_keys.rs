//! This file's job is to read and write API keys.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::api_key;
use crate::{DbConn, Error, Result, Role, Scope, Tx, credential_changes};
use diesel::prelude::*;
use domain::id::{ApiKeyId, OrganizationId};
use domain::{Environment, Timestamp};

row! {
    /// An API key as it is kept: its secret only as a slow hash.
    pub struct ApiKey as ApiKeyRow in api_key {
        /// Its id.
        pub id: ApiKeyId,
        /// Whose key it is.
        pub organization: OrganizationId,
        /// The public part that it is looked up by; unique.
        pub public_id: String,
        /// bcrypt over HMAC-SHA-256(pepper, key).
        pub secret_bcrypt: String,
        /// A name for people.
        pub name: String,
        /// What it may do at most.
        pub role: Role,
        /// What it is limited to; empty is no limit beyond the role.
        pub scopes: Vec<String>,
        /// Who made it.
        pub created_by: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it stops working.
        pub expires_at: Option<Timestamp>,
        /// When it was revoked.
        pub revoked_at: Option<Timestamp>,
        /// When it was last used, to within a few minutes.
        pub last_used_at: Option<Timestamp>,
    }
}

/// What to change in a key; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyChanges {
    /// A name for people.
    pub name: Option<String>,
    /// When it stops working, or that it never does.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Adds a key; `AlreadyExists` when the public id is taken.
pub fn insert(tx: &mut Tx<'_>, row: &ApiKey) -> Result<()> {
    db!(tx, |c| diesel::insert_into(api_key::table).values(ApiKeyRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("API key"))?;
    Ok(())
}

/// Returns the key with this public id, revoked and expired ones too. Not scoped: the authorizer asks.
pub fn find_by_public_id(conn: &mut DbConn, public_id: &str) -> Result<Option<ApiKey>> {
    let found = db!(conn, |c| {
        api_key::table.filter(api_key::public_id.eq(public_id)).select(ApiKeyRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns a key of the organization. A scope of test channels sees test keys only.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &ApiKeyId) -> Result<ApiKey> {
    let found = db!(conn, |c| {
        api_key::table
            .find(id.as_str())
            .filter(api_key::organization.eq(scope.as_str()))
            .filter(api_key::public_id.like(public_ids(scope)))
            .select(ApiKeyRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("API key"))?.try_into()
}

/// Lists the organization's keys, oldest first. A scope of test channels sees test keys only.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&str>, limit: u32) -> Result<Vec<ApiKey>> {
    let rows: Vec<ApiKeyRow> = db!(conn, |c| {
        api_key::table
            .filter(api_key::organization.eq(scope.as_str()))
            .filter(api_key::public_id.like(public_ids(scope)))
            .filter(api_key::id.gt(after.unwrap_or_default()))
            .order(api_key::id)
            .limit(page(limit))
            .select(ApiKeyRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// The pattern of the public ids that a scope may manage: whoever sees live channels may also make and end test keys.
fn public_ids(scope: &Scope) -> &'static str {
    match scope.reach().environment {
        Some(Environment::Test) => "cp_test_%",
        Some(Environment::Live) | None => "%",
    }
}

/// Counts the organization's keys that were neither revoked nor have expired.
pub fn count(conn: &mut DbConn, scope: &Scope, now: Timestamp) -> Result<u64> {
    let count: i64 = db!(conn, |c| {
        api_key::table
            .filter(api_key::organization.eq(scope.as_str()))
            .filter(api_key::revoked_at.is_null())
            .filter(api_key::expires_at.is_null().or(api_key::expires_at.gt(now.as_us())))
            .count()
            .get_result(c)
    })?;
    u64::from_sql(count)
}

/// Notes when keys were used; never moves a time back.
pub fn touch(tx: &mut Tx<'_>, uses: &[(ApiKeyId, Timestamp)]) -> Result<()> {
    for (id, at) in uses {
        db!(tx, |c| {
            diesel::update(api_key::table.find(id.as_str()))
                .filter(api_key::last_used_at.is_null().or(api_key::last_used_at.lt(at.as_us())))
                .set(api_key::last_used_at.eq(at.as_us()))
                .execute(c)
        })?;
    }
    Ok(())
}

/// Revokes a key for good; a key that is revoked already keeps its time. Every replica forgets it.
pub fn revoke(tx: &mut Tx<'_>, scope: &Scope, id: &ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    let mut key = get(tx, scope, id)?;
    if key.revoked_at.is_none() {
        key.revoked_at = Some(now);
        end(tx, &key, now)?;
    }
    Ok(key)
}

/// Lets a key expire at the time, unless it does so earlier. Every replica learns of it.
pub fn expire(tx: &mut Tx<'_>, scope: &Scope, id: &ApiKeyId, at: Timestamp, now: Timestamp) -> Result<ApiKey> {
    let mut key = get(tx, scope, id)?;
    if key.expires_at.is_none_or(|expires| expires > at) {
        key.expires_at = Some(at);
        end(tx, &key, now)?;
    }
    Ok(key)
}

/// Changes a key. Every replica learns of it.
pub fn apply(tx: &mut Tx<'_>, scope: &Scope, id: &ApiKeyId, changes: &ApiKeyChanges, now: Timestamp) -> Result<ApiKey> {
    let mut key = get(tx, scope, id)?;
    key.name = changes.name.clone().unwrap_or(key.name);
    key.expires_at = changes.expires_at.unwrap_or(key.expires_at);
    db!(tx, |c| {
        diesel::update(api_key::table.find(key.id.as_str()))
            .set((api_key::name.eq(&key.name), api_key::expires_at.eq(key.expires_at.to_sql())))
            .execute(c)
    })?;
    credential_changes::append(tx, &key.public_id, now)?;
    Ok(key)
}

fn end(tx: &mut Tx<'_>, key: &ApiKey, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(api_key::table.find(key.id.as_str()))
            .set((api_key::revoked_at.eq(key.revoked_at.to_sql()), api_key::expires_at.eq(key.expires_at.to_sql())))
            .execute(c)
    })?;
    credential_changes::append(tx, &key.public_id, now)
}
