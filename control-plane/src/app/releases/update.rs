//! This file's job is to change what a release says and whether it is offered.

use super::{View, notes, target, view, warnings};
use crate::app::{etag, lookup, news, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ReleasePath};
use db::Tx;
use db::releases::ReleaseChanges;
use domain::webhook::WebhookEvent;
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    path: ReleasePath,
    etag: String,
    mask: String,
    changes: ReleaseChanges,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `release`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(release: &v1::Release, mask: &[String], etag: &str) -> Result<Self> {
        let mut changes = ReleaseChanges::default();
        for path in mask {
            match path.as_str() {
                "notes" => changes.notes = Some(notes("release.notes", &release.notes)?),
                "mandatory" => changes.mandatory = Some(release.mandatory),
                "enabled" => changes.enabled = Some(release.enabled),
                "target" => changes.target = Some(target(release.target.clone())?),
                _ => return Err(Error::field("update_mask", "may have notes, mandatory, enabled and target")),
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        let path = names::release("release.name", &release.name)?;
        Ok(Self { path, etag: etag.to_owned(), mask: mask.join(","), changes })
    }
}

/// Changes the release; edges learn of it.
///
/// # Errors
/// Conflict when the etag is not the current one; failed precondition when other binaries bring warnings that the channel refuses.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<View> {
    let scope = &change.caller.scope;
    let (channel, before) = lookup::release(tx, scope, &update.path)?;
    etag::check(&update.etag, before.revision, "release")?;
    let mut changes = update.changes.clone();
    if let (Some(target), Some(bundle)) = (&changes.target, &before.bundle) {
        let bundle = db::bundles::get(tx, scope, bundle)?;
        let warnings = warnings::warnings(tx, scope, &bundle, target)?;
        warnings::admit(&channel, &warnings)?;
        changes.warnings = Some(warnings);
    }
    let after = db::releases::apply(tx, scope, &before.id, before.revision, &changes, change.now)?;
    let changed = [("fields", update.mask.split(',').collect::<Vec<_>>().into())];
    news::release(tx, change, WebhookEvent::ReleaseUpdated, &after, &changed)?;
    let enabled = after.enabled.to_string();
    let facts = [("fields", update.mask.as_str()), ("enabled", enabled.as_str())];
    record::done(tx, change, "UpdateRelease", names::of_release(&after.app, &after.channel, &after.id), &facts)?;
    view(tx, scope, after)
}
