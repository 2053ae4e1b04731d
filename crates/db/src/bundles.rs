//! This file's job is to read and write bundles with their files.

use crate::apps::{self, apps_of};
use crate::blobs;
use crate::column::{ID_END, INSERT_ROWS_MAX, all, page, row};
use crate::dialect::db;
use crate::schema::{bundle, bundle_file, release};
use crate::{DbConn, Error, Result, Scope, Tx};
use diesel::prelude::*;
use domain::bundle::{BundleFile, Engine, FileRole};
use domain::id::{AppId, BundleId};
use domain::warning::Warning;
use domain::{Platform, Sha256, Timestamp};
use std::collections::BTreeSet;

row! {
    /// Immutable content of an app, for one platform.
    pub struct Bundle as BundleRow in bundle {
        /// Its id.
        pub id: BundleId,
        /// The app.
        pub app: AppId,
        /// What it runs on.
        pub platform: Platform,
        /// What names it; see [`domain::bundle::content_hash`]. Unique for app and platform.
        pub content_hash: Sha256,
        /// What the launch file holds.
        pub engine: Engine,
        /// The version of Hermes bytecode.
        pub hermes_version: Option<u32>,
        /// The path of the launch file.
        pub launch_path: String,
        /// How many files it has.
        pub file_count: u32,
        /// The sum of their sizes.
        pub total_size_bytes: u64,
        /// What is allowed, but perhaps not meant.
        pub warnings: Vec<Warning>,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

row! {
    /// A stored file.
    pub(crate) struct StoredFile as StoredFileRow in bundle_file {
        pub bundle: BundleId,
        pub path: String,
        pub sha256: Sha256,
        pub size_bytes: u64,
        pub role: FileRole,
    }
}

impl From<StoredFile> for BundleFile {
    fn from(file: StoredFile) -> Self {
        Self { path: file.path, sha256: file.sha256, size_bytes: file.size_bytes, role: file.role }
    }
}

/// Adds a bundle and returns the stored one: when the app has the same content for the platform, that is the earlier one and
/// nothing is added. `FailedPrecondition` when the organization lacks the blob of a file.
pub fn insert_with_files(tx: &mut Tx<'_>, scope: &Scope, row: &Bundle, files: &[BundleFile]) -> Result<Bundle> {
    apps::get(tx, scope, &row.app)?;
    let hashes: BTreeSet<Sha256> = files.iter().map(|file| file.sha256).collect();
    let wanted: Vec<Sha256> = hashes.into_iter().collect();
    if blobs::touch(tx, scope, &wanted, row.created_at)? != wanted.len() {
        return Err(Error::FailedPrecondition { rule: "a file of the bundle has no stored blob" });
    }
    let added = db!(tx, |c| {
        diesel::insert_into(bundle::table)
            .values(BundleRow::from(row))
            .on_conflict((bundle::app, bundle::platform, bundle::content_hash))
            .do_nothing()
            .execute(c)
    })?;
    if added == 0 {
        return find_by_hash(tx, scope, &row.app, row.platform, &row.content_hash)?.ok_or(Error::not_found("bundle"));
    }
    for part in files.chunks(INSERT_ROWS_MAX) {
        let rows: Vec<StoredFileRow> = part.iter().map(|file| stored_file(&row.id, file)).collect();
        db!(tx, |c| diesel::insert_into(bundle_file::table).values(rows).execute(c))?;
    }
    Ok(row.clone())
}

fn stored_file(bundle: &BundleId, file: &BundleFile) -> StoredFileRow {
    StoredFileRow::from(&StoredFile {
        bundle: bundle.clone(),
        path: file.path.clone(),
        sha256: file.sha256,
        size_bytes: file.size_bytes,
        role: file.role,
    })
}

/// Returns a bundle.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &BundleId) -> Result<Bundle> {
    let found = db!(conn, |c| {
        bundle::table
            .find(id.as_str())
            .filter(bundle::app.eq_any(apps_of!(scope)))
            .select(BundleRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("bundle"))?.try_into()
}

/// Returns the app's bundle with this content.
pub fn find_by_hash(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
    content_hash: &Sha256,
) -> Result<Option<Bundle>> {
    let found = db!(conn, |c| {
        bundle::table
            .filter(bundle::app.eq(app.as_str()))
            .filter(bundle::app.eq_any(apps_of!(scope)))
            .filter(bundle::platform.eq(platform.as_str()))
            .filter(bundle::content_hash.eq(content_hash.as_bytes().as_slice()))
            .select(BundleRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists an app's bundles, newest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId, after: Option<&str>, limit: u32) -> Result<Vec<Bundle>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<BundleRow> = db!(conn, |c| {
        bundle::table
            .filter(bundle::app.eq(app.as_str()))
            .filter(bundle::id.lt(after.unwrap_or(ID_END)))
            .order(bundle::id.desc())
            .limit(page(limit))
            .select(BundleRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns a bundle's files, sorted by the bytes of their paths.
pub fn files(conn: &mut DbConn, scope: &Scope, id: &BundleId) -> Result<Vec<BundleFile>> {
    get(conn, scope, id)?;
    let rows: Vec<StoredFileRow> = db!(conn, |c| {
        bundle_file::table
            .filter(bundle_file::bundle.eq(id.as_str()))
            .order(bundle_file::path)
            .select(StoredFileRow::as_select())
            .load(c)
    })?;
    rows.into_iter().map(|row| Ok(StoredFile::try_from(row)?.into())).collect()
}

/// Deletes a bundle that no release brings, with its files and deltas; `FailedPrecondition` when one does.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, id: &BundleId) -> Result<()> {
    get(tx, scope, id)?;
    let uses: i64 = db!(tx, |c| { release::table.filter(release::bundle.eq(id.as_str())).count().get_result(c) })?;
    if uses > 0 {
        return Err(Error::FailedPrecondition { rule: "the bundle is part of a release" });
    }
    let deleted = db!(tx, |c| diesel::delete(bundle::table.find(id.as_str())).execute(c))?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("bundle")) }
}
