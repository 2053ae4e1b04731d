//! This file's job is to read and write API keys.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::api_key;
use crate::{DbConn, Error, Result, Role, Scope, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{ApiKeyId, OrganizationId};

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

/// Returns a key of the organization.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &ApiKeyId) -> Result<ApiKey> {
    let found = db!(conn, |c| {
        api_key::table
            .find(id.as_str())
            .filter(api_key::organization.eq(scope.as_str()))
            .select(ApiKeyRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("API key"))?.try_into()
}

/// Lists the organization's keys, oldest first.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&str>, limit: u32) -> Result<Vec<ApiKey>> {
    let rows: Vec<ApiKeyRow> = db!(conn, |c| {
        api_key::table
            .filter(api_key::organization.eq(scope.as_str()))
            .filter(api_key::id.gt(after.unwrap_or_default()))
            .order(api_key::id)
            .limit(page(limit))
            .select(ApiKeyRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Lists the public ids of keys revoked at or after the time, so that caches can drop them.
pub fn list_revoked_since(conn: &mut DbConn, since: Timestamp) -> Result<Vec<String>> {
    Ok(db!(conn, |c| {
        api_key::table.filter(api_key::revoked_at.ge(since.as_us())).select(api_key::public_id).load(c)
    })?)
}

/// Notes that the key was used; never moves the time back. The authorizer calls this at most every few minutes for a key.
pub fn touch(tx: &mut Tx<'_>, id: &ApiKeyId, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(api_key::table.find(id.as_str()))
            .filter(api_key::last_used_at.is_null().or(api_key::last_used_at.lt(now.as_us())))
            .set(api_key::last_used_at.eq(now.as_us()))
            .execute(c)
    })?;
    Ok(())
}

/// Revokes a key for good; a key that is revoked already keeps its time.
pub fn revoke(tx: &mut Tx<'_>, scope: &Scope, id: &ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    let mut key = get(tx, scope, id)?;
    if key.revoked_at.is_none() {
        key.revoked_at = Some(now);
        db!(tx, |c| {
            diesel::update(api_key::table.find(id.as_str()))
                .set(api_key::revoked_at.eq(key.revoked_at.to_sql()))
                .execute(c)
        })?;
    }
    Ok(key)
}
