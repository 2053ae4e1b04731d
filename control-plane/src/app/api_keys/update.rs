//! This file's job is to change an API key's name and the moment at which it stops working.

use super::create::{expiry, name};
use super::roll::check_live;
use crate::app::record;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names;
use db::Tx;
use db::api_keys::{ApiKey, ApiKeyChanges};
use domain::Timestamp;
use domain::id::ApiKeyId;
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    id: ApiKeyId,
    changes: ApiKeyChanges,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `key`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(key: &v1::ApiKey, mask: &[String], now: Timestamp) -> Result<Self> {
        let mut changes = ApiKeyChanges::default();
        for path in mask {
            match path.as_str() {
                "display_name" => changes.name = Some(name("api_key.display_name", &key.display_name)?),
                "expires_at_us" => changes.expires_at = Some(expiry("api_key.expires_at_us", key.expires_at_us, now)?),
                _ => return Err(Error::field("update_mask", "may have display_name and expires_at_us")),
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        Ok(Self { id: names::key("api_key.name", &key.name)?, changes })
    }
}

/// Changes the key.
///
/// # Errors
/// Not found, also for a key of another organization; failed precondition when the key has ended; permission denied when it carries
/// more than the caller.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<ApiKey> {
    let (scope, now) = (&change.caller.scope, change.now);
    check_live(&db::api_keys::get(tx, scope, &update.id)?, change)?;
    let key = db::api_keys::apply(tx, scope, &update.id, &update.changes, now)?;
    let expires = key.expires_at.map_or_else(|| "never".to_owned(), |at| at.as_us().to_string());
    let facts = [("public_id", key.public_id.as_str()), ("name", &key.name), ("expires_at_us", &expires)];
    record::done(tx, change, "UpdateApiKey", names::of_key(&key.id), &facts)?;
    Ok(key)
}
