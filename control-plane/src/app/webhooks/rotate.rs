//! This file's job is to give a webhook another secret, while receivers learn of it.

use super::new_secret;
use crate::app::record;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names;
use db::Tx;
use db::webhooks::Webhook;
use domain::id::WebhookId;
use proto::v1;
use runtime::vault::{Sealed, Vault};
use std::time::Duration;

/// Longer than anybody needs to hand a secret on.
const KEEP_MAX_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Rotation {
    id: WebhookId,
    keep: Duration,
}

impl Rotation {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::RotateWebhookSecretRequest) -> Result<Self> {
        let keep = u64::try_from(request.keep_seconds).ok().filter(|seconds| *seconds <= KEEP_MAX_SECONDS);
        let keep = keep.ok_or_else(|| Error::field("keep_seconds", "must be 0 to 2592000, which is 30 days"))?;
        Ok(Self { id: names::webhook("name", &request.name)?, keep: Duration::from_secs(keep) })
    }
}

/// Makes another secret and returns it. Messages are signed with the old one, too, for the time that was asked for; one that is older
/// still ends at once.
///
/// # Errors
/// Not found, also for one of another organization.
pub fn rotate(tx: &mut Tx<'_>, change: &Change, vault: &Vault, rotation: &Rotation) -> Result<(Webhook, String)> {
    let before = db::webhooks::get(tx, change.live_scope()?, &rotation.id)?;
    let (Sealed { master_key, bytes: sealed_secret }, secret) = new_secret(vault, &before.id)?;
    let keeps = !rotation.keep.is_zero();
    let row = Webhook {
        previous_secret: keeps.then(|| before.sealed_secret.clone()),
        previous_master_key: keeps.then(|| before.master_key.clone()),
        previous_until: keeps.then(|| change.now.plus(rotation.keep)),
        sealed_secret,
        master_key,
        ..before
    };
    let after = db::webhooks::apply(tx, &row, change.now)?;
    let keep = rotation.keep.as_secs().to_string();
    record::done(tx, change, "RotateWebhookSecret", names::of_webhook(&after.id), &[("keep_seconds", &keep)])?;
    Ok((after, secret))
}
