//! This file's job is to tell one webhook what happened, once.

use crate::context::{Context, jitter};
use crate::error::Error;
use crate::webhook::{self, SigningKey};
use db::queue::{self, Lease};
use db::webhook_deliveries::{self, Delivery, Outcome};
use db::webhooks::Webhook;
use db::{DbConn, DeliveryState, Tx};
use domain::Timestamp;
use domain::id::DeliveryId;
use runtime::random;
use runtime::secret::ExposeSecret as _;
use runtime::vault::{Sealed, Vault, VaultError};

/// What receivers answer that want no more.
const GONE: u16 = 410;

/// Where a delivery goes.
enum Receiver {
    /// To a webhook of an organization.
    Webhook(Box<Webhook>),
    /// To whoever runs the installation.
    Operator,
}

/// Sends the delivery unless it was sent, notes how that went, and completes the job. A crash behind the sending sends it again, with the
/// same id.
pub(crate) async fn run(context: &Context, lease: &Lease, id: &DeliveryId) -> Result<(), Error> {
    let wanted = id.clone();
    let Some((row, receiver)) = context.db.read(move |conn| find(conn, &wanted)).await? else {
        let (lease, now) = (lease.clone(), context.clock.now());
        return Ok(context.db.write(move |tx| queue::complete(tx, &lease, now)).await?);
    };
    let (outcome, webhook) = match receiver {
        Receiver::Webhook(webhook) if webhook.enabled => {
            let keys = keys(&context.vault, &webhook, context.clock.now())?;
            let outcome = context.courier.send(&webhook.url, &keys, &row).await;
            (outcome, Some(webhook))
        }
        Receiver::Webhook(webhook) => (refused(context, "the webhook is turned off"), Some(webhook)),
        Receiver::Operator => (send_to_operator(context, &row).await, None),
    };
    let (lease, now, jitter) = (lease.clone(), context.clock.now(), jitter());
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        webhook_deliveries::note(tx, &row, &outcome, jitter, now, random::bytes)?;
        match &webhook {
            Some(webhook) if outcome.status == Some(GONE) => db::webhooks::turn_off(tx, &webhook.id, now),
            Some(_) | None => Ok(()),
        }
    };
    Ok(context.db.write(write).await?)
}

/// Returns a delivery that is still to be sent, and where to.
fn find(conn: &mut DbConn, id: &DeliveryId) -> db::Result<Option<(Delivery, Receiver)>> {
    let found = webhook_deliveries::find(conn, id)?.filter(|row| row.state == DeliveryState::Pending);
    let Some(row) = found else { return Ok(None) };
    Ok(match &row.webhook {
        None => Some((row, Receiver::Operator)),
        Some(to) => db::webhooks::find(conn, to)?.map(|webhook| (row, Receiver::Webhook(Box::new(webhook)))),
    })
}

/// Opens the secrets that messages are signed with now: the newest first.
fn keys(vault: &Vault, webhook: &Webhook, now: Timestamp) -> Result<Vec<SigningKey>, Error> {
    let open = |bytes: &[u8], master_key: &str| {
        let sealed = Sealed { master_key: master_key.to_owned(), bytes: bytes.to_vec() };
        vault.open(webhook.id.as_str(), &sealed).map_err(|error: VaultError| Error::Internal(error.to_string()))
    };
    let mut keys = vec![open(&webhook.sealed_secret, &webhook.master_key)?];
    if let (Some(bytes), Some(master_key)) = (&webhook.previous_secret, &webhook.previous_master_key)
        && webhook.previous_until.is_some_and(|until| now < until)
    {
        keys.push(open(bytes, master_key)?);
    }
    Ok(keys)
}

async fn send_to_operator(context: &Context, row: &Delivery) -> Outcome {
    let config = &context.config;
    match webhook::read_secret(config.operator_webhook_secret.expose_secret()) {
        Some(key) if !config.operator_webhook_url.is_empty() => {
            context.courier.send(&config.operator_webhook_url, &[key], row).await
        }
        Some(_) | None => refused(context, "worker.operator_webhook_url is empty"),
    }
}

fn refused(context: &Context, error: &str) -> Outcome {
    Outcome {
        at: context.clock.now(),
        duration: std::time::Duration::ZERO,
        status: None,
        error: Some(error.to_owned()),
        retryable: false,
    }
}
