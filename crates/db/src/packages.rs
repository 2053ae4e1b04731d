//! This file's job is to read and write bundles as CodePush's clients get them.

use crate::apps::apps_of;
use crate::column::{Column as _, IN_LIST_MAX, all, row};
use crate::dialect::db;
use crate::schema::{bundle, package, package_diff};
use crate::{DbConn, Error, Result, Scope, Tx, blobs, bundles, channels, deployment_keys};
use diesel::prelude::*;
use domain::codepush::{CodePush, DIFFS_PER_BUNDLE_MAX, Package as OfferedPackage, PackageDiff as OfferedDiff};
use domain::id::{AppId, BundleId, ChannelId};
use domain::{Platform, Sha256, Timestamp};
use std::collections::BTreeMap;

row! {
    /// A bundle as one zip file.
    pub struct Package as PackageRow in package {
        /// The bundle.
        pub bundle: BundleId,
        /// What clients compute of its files.
        pub package_hash: Sha256,
        /// Digest of the zip file.
        pub blob_sha256: Sha256,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

row! {
    /// A zip file with what differs between a package and a bundle.
    pub struct Diff as DiffRow in package_diff {
        /// The bundle that devices get.
        pub to_bundle: BundleId,
        /// Hash of the package that they have.
        pub from_package_hash: Sha256,
        /// Digest of the zip file.
        pub blob_sha256: Sha256,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds a package, whose blob the organization must have, unless the bundle has one; touches the channels that offer the bundle.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Package) -> Result<()> {
    bundles::get(tx, scope, &row.bundle)?;
    blobs::need(tx, scope, &row.blob_sha256, row.created_at)?;
    let added = db!(tx, |c| {
        diesel::insert_into(package::table).values(PackageRow::from(row)).on_conflict_do_nothing().execute(c)
    })?;
    if added == 1 { channels::touch_offering(tx, &row.bundle, row.created_at) } else { Ok(()) }
}

/// Adds a diff, whose blob the organization must have, unless there is one or there are [`DIFFS_PER_BUNDLE_MAX`]; touches the channels
/// that offer the bundle.
pub fn insert_diff(tx: &mut Tx<'_>, scope: &Scope, row: &Diff) -> Result<()> {
    bundles::get(tx, scope, &row.to_bundle)?;
    blobs::need(tx, scope, &row.blob_sha256, row.created_at)?;
    let count: i64 = db!(tx, |c| {
        package_diff::table.filter(package_diff::to_bundle.eq(row.to_bundle.as_str())).count().get_result(c)
    })?;
    if usize::try_from(count).is_ok_and(|count| count >= DIFFS_PER_BUNDLE_MAX) {
        return Ok(());
    }
    let added = db!(tx, |c| {
        diesel::insert_into(package_diff::table).values(DiffRow::from(row)).on_conflict_do_nothing().execute(c)
    })?;
    if added == 1 { channels::touch_offering(tx, &row.to_bundle, row.created_at) } else { Ok(()) }
}

/// Returns the package of a bundle.
pub fn find(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> Result<Option<Package>> {
    bundles::get(conn, scope, bundle)?;
    Ok(list_for(conn, std::slice::from_ref(bundle))?.pop())
}

/// Returns the packages of those of these bundles that have one. Not scoped: the caller has the bundles from scoped verbs.
pub fn find_many(conn: &mut DbConn, owner: &Scope, bundles: &[BundleId]) -> Result<BTreeMap<BundleId, OfferedPackage>> {
    let stored = list_for(conn, bundles)?;
    let wanted: Vec<Sha256> = stored.iter().map(|package| package.blob_sha256).collect();
    let blobs = blobs::by_hash(conn, owner, &wanted)?;
    let offered = |row: Package| {
        let blob = blobs.get(&row.blob_sha256).cloned().ok_or(Error::not_found("blob"))?;
        Ok((row.bundle, OfferedPackage { hash: row.package_hash, blob }))
    };
    stored.into_iter().map(offered).collect()
}

/// Lists the packages of these bundles. Not scoped: for callers that have the bundles already.
fn list_for(conn: &mut DbConn, bundles: &[BundleId]) -> Result<Vec<Package>> {
    let mut found = Vec::new();
    for part in bundles.chunks(IN_LIST_MAX) {
        let ids = part.iter().map(BundleId::as_str);
        let rows: Vec<PackageRow> = db!(conn, |c| {
            package::table
                .filter(package::bundle.eq_any(ids))
                .order(package::bundle)
                .select(PackageRow::as_select())
                .load(c)
        })?;
        found.extend(all::<_, Package>(rows)?);
    }
    Ok(found)
}

/// Returns the newest of an app's bundles whose package has the hash.
pub fn find_bundle(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
    package_hash: &Sha256,
) -> Result<Option<BundleId>> {
    let found: Option<String> = db!(conn, |c| {
        package::table
            .inner_join(bundle::table)
            .filter(package::package_hash.eq(package_hash.as_bytes().as_slice()))
            .filter(bundle::app.eq(app.as_str()))
            .filter(bundle::app.eq_any(apps_of!(scope)))
            .filter(bundle::platform.eq(platform.as_str()))
            .order(bundle::id.desc())
            .select(bundle::id)
            .first(c)
            .optional()
    })?;
    found.map(BundleId::from_sql).transpose()
}

/// Lists the diffs that lead to these bundles. Not scoped: for callers that have the bundles already.
pub fn list_diffs_for(conn: &mut DbConn, bundles: &[BundleId]) -> Result<Vec<Diff>> {
    let mut found = Vec::new();
    for part in bundles.chunks(IN_LIST_MAX) {
        let ids = part.iter().map(BundleId::as_str);
        let rows: Vec<DiffRow> = db!(conn, |c| {
            package_diff::table
                .filter(package_diff::to_bundle.eq_any(ids))
                .order((package_diff::to_bundle, package_diff::from_package_hash))
                .select(DiffRow::as_select())
                .load(c)
        })?;
        found.extend(all::<_, Diff>(rows)?);
    }
    Ok(found)
}

/// Returns what a channel has for CodePush's clients, given the bundles of its releases with their content hashes.
pub(crate) fn of_channel(
    conn: &mut DbConn,
    owner: &Scope,
    channel: &ChannelId,
    contents: &BTreeMap<BundleId, Sha256>,
) -> Result<CodePush> {
    let keys = deployment_keys::platforms(conn, channel)?;
    if keys.is_empty() {
        return Ok(CodePush::default());
    }
    let ids: Vec<BundleId> = contents.keys().cloned().collect();
    let (stored, stored_diffs) = (find_many(conn, owner, &ids)?, list_diffs_for(conn, &ids)?);
    let wanted: Vec<Sha256> = stored_diffs.iter().map(|diff| diff.blob_sha256).collect();
    let blobs = blobs::by_hash(conn, owner, &wanted)?;
    let blob = |hash| blobs.get(hash).cloned().ok_or(Error::not_found("blob"));
    let content = |bundle: &BundleId| contents.get(bundle).copied().ok_or(Error::not_found("bundle"));
    let (mut packages, mut diffs) = (BTreeMap::new(), Vec::new());
    for (bundle, package) in stored {
        packages.insert(content(&bundle)?, package);
    }
    for row in &stored_diffs {
        let to = content(&row.to_bundle)?;
        diffs.push(OfferedDiff { from: row.from_package_hash, to, blob: blob(&row.blob_sha256)? });
    }
    // By content, not by id: one state has one snapshot.
    diffs.sort_by_key(|diff| (diff.to, diff.from));
    Ok(CodePush { keys, packages, diffs })
}
