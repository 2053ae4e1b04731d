//! This file's job is to read and write apps with the secrets of their device tokens.

use crate::column::{Column as _, IN_LIST_MAX, all, page, row};
use crate::dialect::db;
use crate::schema::{app, app_token_key};
use crate::{DbConn, Error, Result, Scope, Tx, channels};
use diesel::prelude::*;
use domain::id::{AppId, OrganizationId};
use domain::snapshot::TokenKey;
use domain::{AppSlug, Timestamp};
use std::collections::BTreeSet;

/// The condition that an app is in a scope.
macro_rules! app_in {
    ($scope:expr) => {
        $crate::schema::app::organization.eq($scope.as_str()).and(
            $crate::schema::app::id.eq_any($scope.apps()).or($scope
                .reach()
                .apps
                .is_none()
                .into_sql::<diesel::sql_types::Bool>()),
        )
    };
}

/// A subselect of the ids of the apps in a scope, by which every row of an app is scoped.
macro_rules! apps_of {
    ($scope:expr) => {
        $crate::schema::app::table.filter($crate::apps::app_in!($scope)).select($crate::schema::app::id)
    };
}
pub(crate) use {app_in, apps_of};

row! {
    /// An app.
    pub struct App as AppRow in app {
        /// Its id.
        pub id: AppId,
        /// Whose app it is.
        pub organization: OrganizationId,
        /// Its name in addresses; unique in the organization.
        pub slug: AppSlug,
        /// Its name for people.
        pub name: String,
        /// Grows with each change; callers compare and swap on it.
        pub revision: u64,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it was last changed.
        pub updated_at: Timestamp,
    }
}

row! {
    /// A stored token key.
    pub(crate) struct StoredTokenKey as StoredTokenKeyRow in app_token_key {
        pub app: AppId,
        pub generation: u32,
        pub secret: [u8; 32],
        pub created_at: Timestamp,
    }
}

/// What to change in an app; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct AppChanges {
    /// A new slug.
    pub slug: Option<AppSlug>,
    /// A new name.
    pub name: Option<String>,
}

/// Adds an app; `AlreadyExists` when the slug is taken. `row.organization` must be the scope's.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &App) -> Result<()> {
    if row.organization != *scope.organization() {
        return Err(Error::not_found("organization"));
    }
    db!(tx, |c| diesel::insert_into(app::table).values(AppRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("app"))?;
    Ok(())
}

/// Returns an app.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &AppId) -> Result<App> {
    let found = db!(conn, |c| {
        app::table.find(id.as_str()).filter(app_in!(scope)).select(AppRow::as_select()).first(c).optional()
    })?;
    found.ok_or(Error::not_found("app"))?.try_into()
}

/// Returns those of the apps that exist. Not scoped: edges report things of all apps.
pub(crate) fn known(conn: &mut DbConn, ids: &BTreeSet<AppId>) -> Result<BTreeSet<AppId>> {
    let ids: Vec<&str> = ids.iter().map(AppId::as_str).collect();
    let mut known = BTreeSet::new();
    for part in ids.chunks(IN_LIST_MAX) {
        let found: Vec<String> = db!(conn, |c| app::table.filter(app::id.eq_any(part)).select(app::id).load(c))?;
        for id in found {
            known.insert(AppId::from_sql(id)?);
        }
    }
    Ok(known)
}

/// Returns whose app it is. Not scoped: for edges, which name an app as devices do.
pub fn find_organization(conn: &mut DbConn, id: &AppId) -> Result<Option<OrganizationId>> {
    let found: Option<String> =
        db!(conn, |c| app::table.find(id.as_str()).select(app::organization).first(c).optional())?;
    found.map(OrganizationId::from_sql).transpose()
}

/// Returns the app with this slug.
pub fn find_by_slug(conn: &mut DbConn, scope: &Scope, slug: &AppSlug) -> Result<Option<App>> {
    let found = db!(conn, |c| {
        app::table
            .filter(app_in!(scope))
            .filter(app::slug.eq(slug.as_str()))
            .select(AppRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists apps, oldest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&str>, limit: u32) -> Result<Vec<App>> {
    let rows: Vec<AppRow> = db!(conn, |c| {
        app::table
            .filter(app_in!(scope))
            .filter(app::id.gt(after.unwrap_or_default()))
            .order(app::id)
            .limit(page(limit))
            .select(AppRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Changes an app that still has this revision, else `Conflict`; `AlreadyExists` when the new slug is taken.
pub fn apply(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &AppId,
    expected_revision: u64,
    changes: &AppChanges,
    now: Timestamp,
) -> Result<App> {
    let before = get(tx, scope, id)?;
    if before.revision != expected_revision {
        return Err(Error::Conflict { what: "app" });
    }
    let after = App {
        slug: changes.slug.clone().unwrap_or(before.slug),
        name: changes.name.clone().unwrap_or(before.name),
        revision: expected_revision + 1,
        updated_at: now,
        ..before
    };
    let changed = db!(tx, |c| {
        diesel::update(app::table.find(id.as_str()))
            .filter(app::revision.eq(expected_revision.to_sql()))
            .set((
                app::slug.eq(after.slug.as_str()),
                app::name.eq(&after.name),
                app::revision.eq(after.revision.to_sql()),
                app::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })
    .map_err(|error| Error::from(error).exists_as("app"))?;
    if changed == 1 { Ok(after) } else { Err(Error::Conflict { what: "app" }) }
}

/// Deletes an app with everything in it, when it still has this revision (any, when none is given). Its blobs stay with the
/// organization for the sweeper. Edges are told that its channels are gone.
pub fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &AppId,
    expected_revision: Option<u64>,
    now: Timestamp,
) -> Result<()> {
    let app = get(tx, scope, id)?;
    if expected_revision.is_some_and(|expected| expected != app.revision) {
        return Err(Error::Conflict { what: "app" });
    }
    channels::note_all_deleted(tx, id, now)?;
    // Releases first: they refer to bundles without a cascade, so that a bundle in use cannot go alone.
    db!(tx, |c| {
        diesel::delete(crate::schema::release::table).filter(crate::schema::release::app.eq(id.as_str())).execute(c)?;
        diesel::delete(app::table.find(id.as_str())).filter(app::revision.eq(app.revision.to_sql())).execute(c)
    })
    .map_err(Error::from)
    .and_then(|deleted| if deleted == 1 { Ok(()) } else { Err(Error::Conflict { what: "app" }) })?;
    // Its devices went with it.
    crate::device_counts::settle(tx, scope.organization(), now).map(drop)
}

/// Adds a secret for device tokens; the one with the highest generation signs. `AlreadyExists` when the generation is taken.
pub fn insert_token_key(tx: &mut Tx<'_>, scope: &Scope, id: &AppId, key: &TokenKey, now: Timestamp) -> Result<()> {
    get(tx, scope, id)?;
    let row = StoredTokenKey { app: id.clone(), generation: key.generation, secret: key.secret, created_at: now };
    db!(tx, |c| diesel::insert_into(app_token_key::table).values(StoredTokenKeyRow::from(&row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("token key"))?;
    channels::touch_all(tx, id, now)
}

/// Removes a secret: tokens made with it stop working.
pub fn delete_token_key(tx: &mut Tx<'_>, scope: &Scope, id: &AppId, generation: u32, now: Timestamp) -> Result<()> {
    get(tx, scope, id)?;
    let deleted =
        db!(tx, |c| { diesel::delete(app_token_key::table.find((id.as_str(), generation.to_sql()))).execute(c) })?;
    if deleted == 0 {
        return Err(Error::not_found("token key"));
    }
    channels::touch_all(tx, id, now)
}

/// Returns the secrets of an app's device tokens, newest first. Not scoped: for snapshots.
pub fn token_keys(conn: &mut DbConn, id: &AppId) -> Result<Vec<TokenKey>> {
    let rows: Vec<StoredTokenKeyRow> = db!(conn, |c| {
        app_token_key::table
            .filter(app_token_key::app.eq(id.as_str()))
            .order(app_token_key::generation.desc())
            .select(StoredTokenKeyRow::as_select())
            .load(c)
    })?;
    let stored: Vec<StoredTokenKey> = all(rows)?;
    Ok(stored.into_iter().map(|key| TokenKey { generation: key.generation, secret: key.secret }).collect())
}
