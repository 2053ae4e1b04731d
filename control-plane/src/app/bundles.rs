//! This file's job is to delete bundles. Reading them needs no use case of its own.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::Result;
use crate::names::{self, OwnedPath};
use db::Tx;
use domain::id::BundleId;

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
