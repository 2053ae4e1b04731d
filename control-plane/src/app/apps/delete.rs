//! This file's job is to delete an app that has no channels.

use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;

/// Deletes the app.
///
/// # Errors
/// Failed precondition when the app has channels; conflict when the etag is not the current one.
pub fn delete(tx: &mut Tx<'_>, change: &Change, name: &AppRef, tag: &str) -> Result<()> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, name)?;
    etag::check(tag, app.revision, "app")?;
    if db::channels::exist(tx, scope, &app.id)? {
        return Err(Error::in_use("the app has channels: delete them first"));
    }
    db::apps::delete(tx, scope, &app.id, Some(app.revision), change.now)?;
    record::done(tx, change, "DeleteApp", names::of_app(&app.id), &[("slug", app.slug.as_str())])
}
