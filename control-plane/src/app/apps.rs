//! This file's job is to name what can be done with apps.

mod create;
mod delete;
mod update;

pub use create::{NewApp, create};
pub use delete::delete;
pub use update::{Update, update};

use crate::error::{Error, Result};
use domain::AppSlug;

/// Fits any list and any dialogue.
const DISPLAY_NAME_MAX_BYTES: usize = 128;

/// Reads a slug. One that looks like an id would name two apps.
fn slug(field: &'static str, text: &str) -> Result<AppSlug> {
    if text.parse::<domain::id::AppId>().is_ok() {
        return Err(Error::field(field, "must not look like an app's id"));
    }
    text.parse().map_err(Error::in_field(field))
}

fn display_name(field: &'static str, text: &str) -> Result<String> {
    let fits = !text.trim().is_empty() && text.len() <= DISPLAY_NAME_MAX_BYTES && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Error::field(field, "must be 1 to 128 bytes without control characters"))
    }
}
