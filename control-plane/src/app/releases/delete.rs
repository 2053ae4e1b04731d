//! This file's job is to delete a disabled release.

use crate::app::{etag, lookup, news, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ReleasePath};
use db::Tx;
use domain::webhook::WebhookEvent;

/// Deletes the release with its pins; its number is not used again.
///
/// # Errors
/// Failed precondition when it is enabled; conflict when the etag is not the current one.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &ReleasePath, tag: &str) -> Result<()> {
    let scope = &change.caller.scope;
    let (channel, release) = lookup::release(tx, scope, path)?;
    etag::check(tag, release.revision, "release")?;
    if release.enabled {
        return Err(Error::in_use("the release is enabled: disable it first"));
    }
    db::releases::delete(tx, scope, &release.id, Some(release.revision), change.now)?;
    news::release(tx, change, WebhookEvent::ReleaseDeleted, &release, &[])?;
    let label = format!("v{}", release.seq);
    let resource = names::of_release(&channel.app, &channel.id, &release.id);
    record::done(tx, change, "DeleteRelease", resource, &[("label", label.as_str())])
}
