//! This file's job is to delete bundles, and to hand their files out. Reading rows needs no use case of its own.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, OwnedPath};
use blob::Store;
use bytes::Bytes;
use db::{DbConn, Scope, Tx};
use domain::bundle::BundleFile;
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
