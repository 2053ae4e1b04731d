//! This file's job is to correct what is known of a native build.

use super::{embedded_bundle, embedded_update, hermes_version, runtime_version};
use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, OwnedPath};
use db::Tx;
use db::binaries::{Binary, BinaryChanges};
use domain::id::BinaryId;
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    path: OwnedPath<BinaryId>,
    etag: String,
    changes: BinaryChanges,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `binary`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(binary: &v1::Binary, mask: &[String], etag: &str) -> Result<Self> {
        let mut changes = BinaryChanges::default();
        for path in mask {
            match path.as_str() {
                "runtime_version" => {
                    let value = runtime_version("binary.runtime_version", &binary.runtime_version)?;
                    changes.runtime_version = Some(value);
                }
                "embedded_bundle" => {
                    let value = embedded_bundle("binary.embedded_bundle", &binary.embedded_bundle)?;
                    changes.embedded_bundle_hash = Some(value);
                }
                "hermes_version" => changes.hermes_version = Some(hermes_version(binary.hermes_version)),
                "embedded_update_id" => {
                    let value = embedded_update("binary.embedded_update_id", &binary.embedded_update_id)?;
                    changes.embedded_update = Some(value);
                }
                _ => {
                    let rule = "may have runtime_version, embedded_bundle, hermes_version and embedded_update_id";
                    return Err(Error::field("update_mask", rule));
                }
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        Ok(Self { path: names::binary("binary.name", &binary.name)?, etag: etag.to_owned(), changes })
    }
}

/// Changes the binary.
///
/// # Errors
/// Conflict when the etag is not the current one.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<Binary> {
    let scope = &change.caller.scope;
    let before = lookup::binary(tx, scope, &update.path)?;
    etag::check(&update.etag, before.revision, "binary")?;
    let after = db::binaries::apply(tx, scope, &before.id, before.revision, &update.changes, change.now)?;
    record::done(tx, change, "UpdateBinary", names::of_binary(&after.app, &after.id), &[])?;
    Ok(after)
}
