//! This file's job is to make an app with the first secret of its device tokens.

use super::{display_name, slug};
use crate::app::record;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names;
use db::Tx;
use db::apps::App;
use domain::AppSlug;
use domain::id::AppId;
use domain::snapshot::TokenKey;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewApp {
    slug: AppSlug,
    name: String,
}

impl NewApp {
    /// Checks a request; the display name defaults to the slug.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(slug_text: &str, display: &str) -> Result<Self> {
        let slug = slug("slug", slug_text)?;
        let name = if display.is_empty() { slug.to_string() } else { display_name("display_name", display)? };
        Ok(Self { slug, name })
    }
}

/// Makes the app.
///
/// # Errors
/// Permission denied for a credential of some apps only; already exists when the slug is taken.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewApp) -> Result<App> {
    if change.caller.scope.is_partial() {
        // It could not see what it made.
        return Err(Error::forbidden());
    }
    let app = App {
        id: AppId::from_parts(change.now, runtime::random::bytes()),
        organization: change.caller.organization().clone(),
        slug: new.slug.clone(),
        name: new.name.clone(),
        revision: 1,
        created_at: change.now,
        updated_at: change.now,
    };
    db::apps::insert(tx, &change.caller.scope, &app)?;
    let key = TokenKey { generation: 1, secret: runtime::random::bytes() };
    db::apps::insert_token_key(tx, &change.caller.scope, &app.id, &key, change.now)?;
    record::done(tx, change, "CreateApp", names::of_app(&app.id), &[("slug", app.slug.as_str())])?;
    Ok(app)
}
