//! This file's job is to show bundles, to hand their files and source maps out, and to delete them.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, OwnedPath};
use blob::Store;
use bytes::Bytes;
use db::bundle_builds::BundleBuild;
use db::bundle_contents::Contents;
use db::bundles::Bundle;
use db::source_maps::SourceMap;
use db::{DbConn, Scope, Tx};
use domain::bundle::BundleFile;
use domain::codepush::Package;
use domain::id::BundleId;

/// Far below what one message may have.
const PIECE_MAX_BYTES: u64 = 1 << 20;

/// Returns a file of a bundle.
///
/// # Errors
/// Not found when there is no such bundle, or no such file in it.
pub fn file(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<BundleId>, file: &str) -> Result<BundleFile> {
    let bundle = lookup::bundle(conn, scope, path)?;
    let files = db::bundles::files(conn, scope, &bundle.id)?;
    files
        .into_iter()
        .find(|known| known.path == file)
        .ok_or_else(|| Error::field("path", "must be a file of the bundle"))
}

/// Reads a piece of a file; nothing behind its end.
///
/// # Errors
/// Those of the store.
pub async fn read(store: &Store, file: &BundleFile, offset_bytes: u64) -> Result<Bytes> {
    let begin = offset_bytes.min(file.size_bytes);
    let end = file.size_bytes.min(begin.saturating_add(PIECE_MAX_BYTES));
    Ok(store.get_range(&file.sha256, begin..end).await?)
}

/// A bundle with everything that is known of it.
#[derive(Debug, Clone)]
pub struct View {
    /// The row.
    pub bundle: Bundle,
    /// Its files.
    pub files: Vec<BundleFile>,
    /// What is known of its inside.
    pub contents: Option<Contents>,
    /// Its source map.
    pub source_map: Option<SourceMap>,
    /// How it was compiled, if somebody said.
    pub build: Option<BundleBuild>,
}

/// Shows a bundle.
///
/// # Errors
/// Not found, also for a bundle of another organization.
pub fn view(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<BundleId>) -> Result<View> {
    let bundle = lookup::bundle(conn, scope, path)?;
    let files = db::bundles::files(conn, scope, &bundle.id)?;
    let contents = db::bundle_contents::find(conn, scope, &bundle.id)?;
    let source_map = db::source_maps::find(conn, scope, &bundle.id)?;
    let build = db::bundle_builds::find(conn, scope, &bundle.id)?;
    Ok(View { bundle, files, contents, source_map, build })
}

/// Returns the source map of a bundle, and notes that the caller gets it.
///
/// # Errors
/// Not found when no source map came with the bundle.
pub fn open_source_map(tx: &mut Tx<'_>, change: &Change, path: &OwnedPath<BundleId>) -> Result<SourceMap> {
    let scope = &change.caller.scope;
    let bundle = lookup::bundle(tx, scope, path)?;
    let found = db::source_maps::find(tx, scope, &bundle.id)?.ok_or_else(|| Error::not_found("source map"))?;
    let sha256 = found.sha256.to_hex();
    let resource = names::of_bundle(&bundle.app, &bundle.id);
    record::done(tx, change, "DownloadSourceMap", resource, &[("sha256", sha256.as_str())])?;
    Ok(found)
}

/// Returns what CodePush's clients get of a bundle.
///
/// # Errors
/// Not found when it is not packed.
pub fn package(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<BundleId>) -> Result<Package> {
    let bundle = lookup::bundle(conn, scope, path)?;
    let found = db::packages::find_many(conn, scope, std::slice::from_ref(&bundle.id))?;
    found.into_values().next().ok_or_else(|| Error::not_found("package"))
}

/// Deletes a bundle that no release uses.
///
/// # Errors
/// Failed precondition when a release uses it.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &OwnedPath<BundleId>) -> Result<()> {
    let scope = &change.caller.scope;
    let bundle = lookup::bundle(tx, scope, path)?;
    db::bundles::delete(tx, scope, &bundle.id)?;
    record::done(tx, change, "DeleteBundle", names::of_bundle(&bundle.app, &bundle.id), &[])
}
