//! This file's job is to end an API key for good.

use crate::app::record;
use crate::context::Change;
use crate::error::Result;
use crate::names;
use db::Tx;
use db::api_keys::ApiKey;
use domain::id::ApiKeyId;

/// Revokes the key; every replica refuses it within a second. A revoked key stays as it is.
///
/// # Errors
/// Not found, also for a key of another organization.
pub fn revoke(tx: &mut Tx<'_>, change: &Change, id: &ApiKeyId) -> Result<ApiKey> {
    let key = db::api_keys::revoke(tx, &change.caller.scope, id, change.now)?;
    record::done(tx, change, "RevokeApiKey", names::of_key(id), &[("public_id", &key.public_id)])?;
    Ok(key)
}
