//! This file's job is to manage the addresses that are told what happens.

mod rotate;
mod send;

pub use rotate::{Rotation, rotate};
pub use send::{redeliver, test};

use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::Tx;
use db::webhooks::Webhook;
use domain::ErrorKind;
use domain::id::WebhookId;
use domain::web_address::WebReach;
use domain::webhook::WebhookEvent;
use proto::v1::{self, Reason};
use runtime::vault::{Sealed, Vault};
use zeroize::Zeroizing;

/// For one app, or for the organization as a whole: each one makes every change write a row more.
const WEBHOOKS_MAX: usize = 20;
/// 256 bits; the specification allows 24 to 64 bytes.
const SECRET_BYTES: usize = 32;
/// What secrets begin with, so that scanners find lost ones.
const SECRET_PREFIX: &str = "whsec_";

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    app: Option<AppRef>,
    url: String,
    events: Vec<WebhookEvent>,
}

impl NewWebhook {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::CreateWebhookRequest, reach: WebReach) -> Result<Self> {
        Ok(Self {
            app: (!request.app.is_empty()).then(|| names::app("app", &request.app)).transpose()?,
            url: url("url", &request.url, reach)?,
            events: events("events", &request.events)?,
        })
    }
}

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    id: WebhookId,
    etag: String,
    mask: String,
    url: Option<String>,
    events: Option<Vec<WebhookEvent>>,
    enabled: Option<bool>,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `webhook`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(webhook: &v1::Webhook, mask: &[String], etag: &str, reach: WebReach) -> Result<Self> {
        let mut update = Self {
            id: names::webhook("webhook.name", &webhook.name)?,
            etag: etag.to_owned(),
            mask: mask.join(","),
            url: None,
            events: None,
            enabled: None,
        };
        for path in mask {
            match path.as_str() {
                "url" => update.url = Some(url("webhook.url", &webhook.url, reach)?),
                "events" => update.events = Some(events("webhook.events", &webhook.events)?),
                "enabled" => update.enabled = Some(webhook.enabled),
                _ => return Err(Error::field("update_mask", "may have url, events and enabled")),
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        Ok(update)
    }
}

/// Makes a webhook; returns its secret, too.
///
/// # Errors
/// Not found when there is no such app; resource exhausted when it has as many as it may have.
pub fn create(tx: &mut Tx<'_>, change: &Change, vault: &Vault, new: &NewWebhook) -> Result<(Webhook, String)> {
    let scope = change.live_scope()?;
    let app = new.app.as_ref().map(|name| lookup::app(tx, scope, name)).transpose()?.map(|app| app.id);
    if db::webhooks::count(tx, scope, app.as_ref())? >= WEBHOOKS_MAX {
        let message = format!("there may be {WEBHOOKS_MAX} webhooks: delete some");
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", WEBHOOKS_MAX));
    }
    let id = WebhookId::from_parts(change.now, runtime::random::bytes());
    let (Sealed { master_key, bytes: sealed_secret }, secret) = new_secret(vault, &id)?;
    let row = Webhook {
        id,
        organization: scope.organization().clone(),
        app,
        url: new.url.clone(),
        events: new.events.clone(),
        enabled: true,
        sealed_secret,
        master_key,
        previous_secret: None,
        previous_master_key: None,
        previous_until: None,
        revision: 1,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        updated_at: change.now,
    };
    db::webhooks::insert(tx, scope, &row)?;
    record::done(tx, change, "CreateWebhook", names::of_webhook(&row.id), &[("host", &host(&row.url))])?;
    Ok((row, secret))
}

/// Changes a webhook.
///
/// # Errors
/// Conflict when the etag is not the current one.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<Webhook> {
    let before = db::webhooks::get(tx, change.live_scope()?, &update.id)?;
    etag::check(&update.etag, before.revision, "webhook")?;
    let row = Webhook {
        url: update.url.clone().unwrap_or_else(|| before.url.clone()),
        events: update.events.clone().unwrap_or_else(|| before.events.clone()),
        enabled: update.enabled.unwrap_or(before.enabled),
        ..before
    };
    let after = db::webhooks::apply(tx, &row, change.now)?;
    let facts = [("fields", update.mask.as_str()), ("host", &host(&after.url))];
    record::done(tx, change, "UpdateWebhook", names::of_webhook(&after.id), &facts)?;
    Ok(after)
}

/// Forgets a webhook.
///
/// # Errors
/// Not found, also for one of another organization.
pub fn delete(tx: &mut Tx<'_>, change: &Change, id: &WebhookId) -> Result<()> {
    db::webhooks::delete(tx, change.live_scope()?, id)?;
    record::done(tx, change, "DeleteWebhook", names::of_webhook(id), &[])
}

/// Makes a secret; returns it sealed, and as people write it.
fn new_secret(vault: &Vault, id: &WebhookId) -> Result<(Sealed, String)> {
    let secret = Zeroizing::new(runtime::random::bytes::<SECRET_BYTES>());
    Ok((vault.seal(id.as_str(), &*secret)?, format!("{SECRET_PREFIX}{}", STANDARD.encode(*secret))))
}

fn url(field: &'static str, text: &str, reach: WebReach) -> Result<String> {
    Ok(reach.read(text).map_err(Error::in_field(field))?.into())
}

/// Addresses often hold secrets in their paths; the audit log must not.
fn host(url: &str) -> String {
    url.parse::<url::Url>().ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Reads what a webhook is told: each event once, all of them when none is named.
fn events(field: &'static str, words: &[String]) -> Result<Vec<WebhookEvent>> {
    let mut events = Vec::new();
    for word in words {
        let event = word.parse().ok().filter(|event: &WebhookEvent| event.can_be_asked_for());
        let event = event.ok_or_else(|| {
            let known: Vec<_> = asked_for().map(WebhookEvent::as_str).collect();
            Error::field(field, format!("may have {}", known.join(", ")))
        })?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(if events.is_empty() { asked_for().collect() } else { events })
}

fn asked_for() -> impl Iterator<Item = WebhookEvent> {
    WebhookEvent::ALL.iter().copied().filter(|event| event.can_be_asked_for())
}
