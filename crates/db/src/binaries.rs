//! This file's job is to read and write the native builds that devices run.

use crate::apps::{self, apps_of};
use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::{binary_build, bundle};
use crate::{DbConn, Error, Result, Scope, Tx, channels};
use diesel::prelude::*;
use domain::expo::{EMBEDDED_MAX, UpdateId};
use domain::id::{AppId, BinaryId};
use domain::{Platform, Sha256, Timestamp};
use std::collections::BTreeMap;

row! {
    /// A native build. (The table is not called `binary`, which is a reserved word.)
    pub struct Binary as BinaryRow in binary_build {
        /// Its id.
        pub id: BinaryId,
        /// The app.
        pub app: AppId,
        /// What it runs on.
        pub platform: Platform,
        /// Its version, for instance `1.4.0`.
        pub version: String,
        /// The store's build number; empty when the app has none.
        pub build_number: String,
        /// The name of its native interface.
        pub runtime_version: Option<String>,
        /// Content hash of the bundle that came with it.
        pub embedded_bundle_hash: Option<Sha256>,
        /// The version of Hermes bytecode that it runs.
        pub hermes_version: Option<u32>,
        /// By what Expo clients name the update that came with it.
        pub embedded_update: Option<UpdateId>,
        /// Grows with each change; callers compare and swap on it.
        pub revision: u64,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it was last changed.
        pub updated_at: Timestamp,
    }
}

/// What to change in a binary; `None` leaves a field alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct BinaryChanges {
    /// The name of its native interface.
    pub runtime_version: Option<Option<String>>,
    /// Content hash of the bundle that came with it.
    pub embedded_bundle_hash: Option<Option<Sha256>>,
    /// The version of Hermes bytecode that it runs.
    pub hermes_version: Option<Option<u32>>,
    /// By what Expo clients name the update that came with it.
    pub embedded_update: Option<Option<UpdateId>>,
}

/// Adds a binary; `AlreadyExists` when the app has one with this platform, version and build number.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Binary) -> Result<()> {
    apps::get(tx, scope, &row.app)?;
    db!(tx, |c| diesel::insert_into(binary_build::table).values(BinaryRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("binary"))?;
    tell_edges(tx, row, row.created_at)
}

/// Edges know the updates that came with binaries.
fn tell_edges(tx: &mut Tx<'_>, row: &Binary, now: Timestamp) -> Result<()> {
    if row.embedded_update.is_some() { channels::touch_all(tx, &row.app, now) } else { Ok(()) }
}

/// Returns a binary.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &BinaryId) -> Result<Binary> {
    let found = db!(conn, |c| {
        binary_build::table
            .find(id.as_str())
            .filter(binary_build::app.eq_any(apps_of!(scope)))
            .select(BinaryRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("binary"))?.try_into()
}

/// Returns the binary with this platform, version and build number.
pub fn find_by_version(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
    version: &str,
    build_number: &str,
) -> Result<Option<Binary>> {
    let found = db!(conn, |c| {
        binary_build::table
            .filter(binary_build::app.eq(app.as_str()))
            .filter(binary_build::app.eq_any(apps_of!(scope)))
            .filter(binary_build::platform.eq(platform.as_str()))
            .filter(binary_build::version.eq(version))
            .filter(binary_build::build_number.eq(build_number))
            .select(BinaryRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists an app's binaries, oldest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId, after: Option<&str>, limit: u32) -> Result<Vec<Binary>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<BinaryRow> = db!(conn, |c| {
        binary_build::table
            .filter(binary_build::app.eq(app.as_str()))
            .filter(binary_build::id.gt(after.unwrap_or_default()))
            .order(binary_build::id)
            .limit(page(limit))
            .select(BinaryRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns the content hashes of the bundles that came with an app's binaries for a platform, those of the newest binaries first.
pub fn embedded_bundles(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
    limit: u32,
) -> Result<Vec<Sha256>> {
    let hashes: Vec<Option<Vec<u8>>> = db!(conn, |c| {
        binary_build::table
            .filter(binary_build::app.eq(app.as_str()))
            .filter(binary_build::app.eq_any(apps_of!(scope)))
            .filter(binary_build::platform.eq(platform.as_str()))
            .filter(binary_build::embedded_bundle_hash.is_not_null())
            .order(binary_build::id.desc())
            .limit(page(limit))
            .select(binary_build::embedded_bundle_hash)
            .load(c)
    })?;
    hashes.into_iter().flatten().map(Sha256::from_sql).collect()
}

/// Returns the content of the updates that came with an app's newest binaries, by what Expo clients name them. Not scoped: it is for
/// edges.
pub(crate) fn embedded_updates(conn: &mut DbConn, app: &AppId) -> Result<BTreeMap<UpdateId, Sha256>> {
    let limit = i64::try_from(EMBEDDED_MAX).map_err(Error::internal)?;
    let rows: Vec<(Option<String>, Option<Vec<u8>>)> = db!(conn, |c| {
        binary_build::table
            .filter(binary_build::app.eq(app.as_str()))
            .filter(binary_build::embedded_update.is_not_null())
            .filter(binary_build::embedded_bundle_hash.is_not_null())
            .order(binary_build::id.desc())
            .limit(limit)
            .select((binary_build::embedded_update, binary_build::embedded_bundle_hash))
            .load(c)
    })?;
    let known = rows.into_iter().filter_map(|(update, bundle)| Some((update?, bundle?)));
    known.map(|(update, bundle)| Ok((UpdateId::from_sql(update)?, Sha256::from_sql(bundle)?))).collect()
}

/// Changes a binary that still has this revision, else `Conflict`.
pub fn apply(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &BinaryId,
    expected_revision: u64,
    changes: &BinaryChanges,
    now: Timestamp,
) -> Result<Binary> {
    let before = get(tx, scope, id)?;
    if before.revision != expected_revision {
        return Err(Error::Conflict { what: "binary" });
    }
    let after = Binary {
        runtime_version: changes.runtime_version.clone().unwrap_or_else(|| before.runtime_version.clone()),
        embedded_bundle_hash: changes.embedded_bundle_hash.unwrap_or(before.embedded_bundle_hash),
        hermes_version: changes.hermes_version.unwrap_or(before.hermes_version),
        embedded_update: changes.embedded_update.unwrap_or(before.embedded_update),
        revision: expected_revision + 1,
        updated_at: now,
        ..before.clone()
    };
    let changed = db!(tx, |c| {
        diesel::update(binary_build::table.find(id.as_str()))
            .filter(binary_build::revision.eq(expected_revision.to_sql()))
            .set((
                binary_build::runtime_version.eq(&after.runtime_version),
                binary_build::embedded_bundle_hash.eq(after.embedded_bundle_hash.to_sql()),
                binary_build::hermes_version.eq(after.hermes_version.to_sql()),
                binary_build::embedded_update.eq(after.embedded_update.to_sql()),
                binary_build::revision.eq(after.revision.to_sql()),
                binary_build::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })?;
    if changed == 0 {
        return Err(Error::Conflict { what: "binary" });
    }
    tell_edges(tx, if after.embedded_update.is_some() { &after } else { &before }, now)?;
    Ok(after)
}

/// Deletes a binary that still has this revision (any, when none is given), else `Conflict`.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, id: &BinaryId, expected_revision: Option<u64>) -> Result<()> {
    let row = get(tx, scope, id)?;
    let expected = expected_revision.unwrap_or(row.revision);
    let deleted = db!(tx, |c| {
        diesel::delete(binary_build::table.find(id.as_str()))
            .filter(binary_build::revision.eq(expected.to_sql()))
            .execute(c)
    })?;
    if deleted == 1 { Ok(()) } else { Err(Error::Conflict { what: "binary" }) }
}

/// Returns the app's binaries for a platform whose version of Hermes bytecode is known, with it: it was said, or shows in the embedded
/// bundle, as far as that was uploaded.
pub fn with_hermes_version(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
) -> Result<Vec<(Binary, u32)>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<(BinaryRow, Option<i64>)> = db!(conn, |c| {
        let is_embedded = bundle::app
            .eq(binary_build::app)
            .and(bundle::platform.eq(binary_build::platform))
            .and(bundle::content_hash.nullable().eq(binary_build::embedded_bundle_hash));
        binary_build::table
            .left_join(bundle::table.on(is_embedded))
            .filter(binary_build::app.eq(app.as_str()))
            .filter(binary_build::platform.eq(platform.as_str()))
            .order(binary_build::id.desc())
            .limit(page(crate::PAGE_MAX))
            .select((BinaryRow::as_select(), bundle::hermes_version.nullable()))
            .load(c)
    })?;
    let mut known = Vec::new();
    for (row, embedded) in rows {
        let binary = Binary::try_from(row)?;
        if let Some(version) = binary.hermes_version.or(embedded.map(u32::from_sql).transpose()?) {
            known.push((binary, version));
        }
    }
    Ok(known)
}
