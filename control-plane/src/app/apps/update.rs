//! This file's job is to change an app's names.

use super::{display_name, slug};
use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;
use db::apps::{App, AppChanges};

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    name: AppRef,
    etag: String,
    changes: AppChanges,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `app`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(app: &proto::v1::App, mask: &[String], etag: &str) -> Result<Self> {
        let mut changes = AppChanges::default();
        for path in mask {
            match path.as_str() {
                "slug" => changes.slug = Some(slug("app.slug", &app.slug)?),
                "display_name" => changes.name = Some(display_name("app.display_name", &app.display_name)?),
                _ => return Err(Error::field("update_mask", "may have slug and display_name")),
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        Ok(Self { name: names::app("app.name", &app.name)?, etag: etag.to_owned(), changes })
    }
}

/// Changes the app.
///
/// # Errors
/// Conflict when the etag is not the current one; already exists when the slug is taken.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<App> {
    let scope = &change.caller.scope;
    let before = lookup::app(tx, scope, &update.name)?;
    etag::check(&update.etag, before.revision, "app")?;
    let after = db::apps::apply(tx, scope, &before.id, before.revision, &update.changes, change.now)?;
    let facts = [("slug", after.slug.as_str()), ("name", after.name.as_str())];
    record::done(tx, change, "UpdateApp", names::of_app(&after.id), &facts)?;
    Ok(after)
}
