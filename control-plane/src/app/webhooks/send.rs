//! This file's job is to send a webhook something that a person asks for: a test, or once more what it was told.

use crate::app::record;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, DeliveryPath};
use db::webhook_deliveries::{self, Delivery};
use db::{DeliveryState, Tx};
use domain::ErrorKind;
use domain::id::WebhookId;
use domain::webhook::WebhookEvent;
use proto::v1::Reason;
use runtime::random;
use serde_json::json;

/// Sends the event for tests, whatever the webhook asked for.
///
/// # Errors
/// Not found; failed precondition when the webhook is turned off; resource exhausted when too much waits for it.
pub fn test(tx: &mut Tx<'_>, change: &Change, id: &WebhookId) -> Result<Delivery> {
    let webhook = db::webhooks::get(tx, change.live_scope()?, id)?;
    if !webhook.enabled {
        return Err(turned_off());
    }
    let data = json!({ "webhook": names::of_webhook(id) });
    let sent = webhook_deliveries::tell_one(tx, &webhook, WebhookEvent::WebhookTest, &data, change.now, random::bytes)?;
    record::done(tx, change, "TestWebhook", names::of_webhook(id), &[("message", sent.message.as_str())])?;
    admitted(sent)
}

/// Sends a message again, as another delivery.
///
/// # Errors
/// Not found; failed precondition when the webhook is turned off; resource exhausted when too much waits for it.
pub fn redeliver(tx: &mut Tx<'_>, change: &Change, path: &DeliveryPath) -> Result<Delivery> {
    let scope = change.live_scope()?;
    let webhook = db::webhooks::get(tx, scope, &path.webhook)?;
    let old = webhook_deliveries::get(tx, scope, &path.webhook, &path.delivery)?;
    if !webhook.enabled {
        return Err(turned_off());
    }
    let sent = webhook_deliveries::send_again(tx, &old, change.now, random::bytes)?;
    let name = names::of_delivery(&path.webhook, &sent.id);
    record::done(tx, change, "RedeliverWebhook", name, &[("message", sent.message.as_str())])?;
    admitted(sent)
}

/// What is not even tried is undone.
fn admitted(sent: Delivery) -> Result<Delivery> {
    if sent.state == DeliveryState::Pending {
        return Ok(sent);
    }
    let message = "too much waits for this webhook already";
    Err(Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message))
}

fn turned_off() -> Error {
    Error::in_use("the webhook is turned off: turn it on first")
}
