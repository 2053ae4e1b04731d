//! This file's job is to forget a native build.

use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::Result;
use crate::names::{self, OwnedPath};
use db::Tx;
use domain::id::BinaryId;

/// Forgets the binary.
///
/// # Errors
/// Conflict when the etag is not the current one.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &OwnedPath<BinaryId>, tag: &str) -> Result<()> {
    let scope = &change.caller.scope;
    let binary = lookup::binary(tx, scope, path)?;
    etag::check(tag, binary.revision, "binary")?;
    db::binaries::delete(tx, scope, &binary.id, Some(binary.revision))?;
    record::done(tx, change, "DeleteBinary", names::of_binary(&binary.app, &binary.id), &[])
}
