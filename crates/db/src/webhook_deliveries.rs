//! This file's job is to keep what webhooks are told, and how telling them went.
//!
//! A delivery and its job are written in the transaction of what is told, so nothing is told that did not happen, and nothing that
//! happened is forgotten. A try ends with its job; the next try is another job.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::queue::{self, NewJob};
use crate::schema::{webhook_delivery, webhook_try};
use crate::webhooks::{self, Webhook};
use crate::{DbConn, DeliveryState, Error, Result, Scope, Tx, organizations};
use diesel::prelude::*;
use domain::Timestamp;
use domain::calendar::Moment;
use domain::id::{AppId, DeliveryId, JobId, MessageId, OrganizationId, WebhookId};
use domain::job::{Job, Tier, system_tenant};
use domain::webhook::{WebhookEvent, retry_delay};
use serde_json::{Value, json};
use std::time::Duration;

/// What waits for a receiver that is away. More is noted as failed at once, and can be sent again by hand.
const PENDING_MAX: i64 = 1_000;
/// Enough to see what went wrong.
const ERROR_MAX_CHARACTERS: usize = 500;

row! {
    /// What is, or was, sent to a webhook.
    pub struct Delivery as DeliveryRow in webhook_delivery {
        /// Its id.
        pub id: DeliveryId,
        /// The webhook; that of whoever runs the installation when none.
        pub webhook: Option<WebhookId>,
        /// Whose turn in the queue it takes.
        pub tenant: OrganizationId,
        /// What is told; the same for every webhook, and when it is sent again.
        pub message: MessageId,
        /// What happened.
        pub event: WebhookEvent,
        /// What is sent: JSON.
        pub body: String,
        /// Where it stands.
        pub state: DeliveryState,
        /// How often it was tried.
        pub tries: u32,
        /// When it is tried next.
        pub next_try_at: Option<Timestamp>,
        /// Why the last try failed.
        pub error: Option<String>,
        /// When it happened.
        pub created_at: Timestamp,
        /// When it was delivered or given up.
        pub finished_at: Option<Timestamp>,
    }
}

row! {
    /// One try of a delivery.
    pub struct Try as TryRow in webhook_try {
        /// The delivery.
        pub delivery: DeliveryId,
        /// Counted from 1.
        pub number: u32,
        /// When it began.
        pub at: Timestamp,
        /// How long it took, in milliseconds.
        pub duration_ms: u64,
        /// The status of the answer; none when there was no answer.
        pub status: Option<u32>,
        /// Why it failed.
        pub error: Option<String>,
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Where.
    pub organization: OrganizationId,
    /// In which app; none when it concerns all of them.
    pub app: Option<AppId>,
    /// What.
    pub event: WebhookEvent,
    /// The details.
    pub data: Value,
}

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why it failed; none when it was delivered.
    pub error: Option<String>,
    /// Whether another try can help.
    pub retryable: bool,
}

/// Where the random bits of ids come from.
pub type Random = fn() -> [u8; 10];

/// Tells every webhook of the organization that asked for it, in the transaction of what happened.
pub fn tell(tx: &mut Tx<'_>, happening: &Happening, now: Timestamp, random: Random) -> Result<()> {
    let Happening { organization, app, event, data } = happening;
    let mut told = webhooks::list_told(tx, organization, app.as_ref())?;
    told.retain(|row| row.enabled && row.events.contains(event));
    if told.is_empty() {
        return Ok(());
    }
    let message = MessageId::from_parts(now, random());
    for row in &told {
        let body = body(*event, data, now);
        send(tx, organization, Some(&row.id), (&message, *event, body), now, random)?;
    }
    Ok(())
}

/// Tells one webhook, whatever it asked for.
pub fn tell_one(
    tx: &mut Tx<'_>,
    row: &Webhook,
    event: WebhookEvent,
    data: &Value,
    now: Timestamp,
    random: Random,
) -> Result<Delivery> {
    let message = MessageId::from_parts(now, random());
    send(tx, &row.organization, Some(&row.id), (&message, event, body(event, data, now)), now, random)
}

/// Tells the webhook of whoever runs the installation.
pub fn tell_operator(
    tx: &mut Tx<'_>,
    event: WebhookEvent,
    data: &Value,
    now: Timestamp,
    random: Random,
) -> Result<Delivery> {
    let message = MessageId::from_parts(now, random());
    send(tx, &system_tenant(), None, (&message, event, body(event, data, now)), now, random)
}

/// Sends the same message again, as another delivery.
pub fn send_again(tx: &mut Tx<'_>, row: &Delivery, now: Timestamp, random: Random) -> Result<Delivery> {
    let message = (&row.message, row.event, row.body.clone());
    send(tx, &row.tenant, row.webhook.as_ref(), message, now, random)
}

fn body(event: WebhookEvent, data: &Value, now: Timestamp) -> String {
    json!({ "type": event.as_str(), "timestamp": Moment::of(now).to_string(), "data": data }).to_string()
}

fn send(
    tx: &mut Tx<'_>,
    tenant: &OrganizationId,
    to: Option<&WebhookId>,
    (message, event, body): (&MessageId, WebhookEvent, String),
    now: Timestamp,
    random: Random,
) -> Result<Delivery> {
    let is_full = count_pending(tx, to)? >= PENDING_MAX;
    let row = Delivery {
        id: DeliveryId::from_parts(now, random()),
        webhook: to.cloned(),
        tenant: tenant.clone(),
        message: message.clone(),
        event,
        body,
        state: if is_full { DeliveryState::Failed } else { DeliveryState::Pending },
        tries: 0,
        next_try_at: (!is_full).then_some(now),
        error: is_full.then(|| format!("{PENDING_MAX} others wait for this webhook")),
        created_at: now,
        finished_at: is_full.then_some(now),
    };
    db!(tx, |c| diesel::insert_into(webhook_delivery::table).values(DeliveryRow::from(&row)).execute(c))?;
    if !is_full {
        enqueue(tx, &row, now, now, random)?;
    }
    Ok(row)
}

fn count_pending(conn: &mut DbConn, to: Option<&WebhookId>) -> Result<i64> {
    let is_pending = webhook_delivery::state.eq(DeliveryState::Pending.as_str());
    Ok(match to {
        Some(id) => db!(conn, |c| {
            let to_it = webhook_delivery::webhook.eq(id.as_str());
            webhook_delivery::table.filter(to_it.and(is_pending)).count().get_result(c)
        }),
        None => db!(conn, |c| {
            let to_operator = webhook_delivery::webhook.is_null();
            webhook_delivery::table.filter(to_operator.and(is_pending)).count().get_result(c)
        }),
    }?)
}

fn enqueue(tx: &mut Tx<'_>, row: &Delivery, run_at: Timestamp, now: Timestamp, random: Random) -> Result<()> {
    let tier = if row.webhook.is_some() { organizations::get_any(tx, &row.tenant)?.tier } else { Tier::P0 };
    let job = NewJob {
        id: JobId::from_parts(now, random()),
        tier,
        organization: row.tenant.clone(),
        app: None,
        work: Job::SendWebhook { delivery: row.id.clone() },
        cost: 1,
        run_at,
    };
    queue::enqueue(tx, &job, now).map(drop)
}

/// Returns a delivery, none when it is gone. Not scoped: the worker asks.
pub fn find(conn: &mut DbConn, id: &DeliveryId) -> Result<Option<Delivery>> {
    let found = db!(conn, |c| {
        webhook_delivery::table.find(id.as_str()).select(DeliveryRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns a delivery to a webhook of the scope's organization.
pub fn get(conn: &mut DbConn, scope: &Scope, to: &WebhookId, id: &DeliveryId) -> Result<Delivery> {
    webhooks::get(conn, scope, to)?;
    find(conn, id)?.filter(|row| row.webhook.as_ref() == Some(to)).ok_or(Error::not_found("delivery"))
}

/// Lists deliveries to a webhook of the scope's organization, newest first; `before` is the last one of the page before.
pub fn list(
    conn: &mut DbConn,
    scope: &Scope,
    to: &WebhookId,
    before: Option<&DeliveryId>,
    limit: u32,
) -> Result<Vec<Delivery>> {
    webhooks::get(conn, scope, to)?;
    let rows: Vec<DeliveryRow> = db!(conn, |c| {
        webhook_delivery::table
            .filter(webhook_delivery::webhook.eq(to.as_str()))
            .filter(webhook_delivery::id.lt(before.map_or(crate::column::ID_END, DeliveryId::as_str)))
            .order(webhook_delivery::id.desc())
            .limit(page(limit))
            .select(DeliveryRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Lists the tries of a delivery, in their order. Not scoped: the caller has the delivery from a scoped verb.
pub fn tries(conn: &mut DbConn, id: &DeliveryId) -> Result<Vec<Try>> {
    let rows: Vec<TryRow> = db!(conn, |c| {
        webhook_try::table
            .filter(webhook_try::delivery.eq(id.as_str()))
            .order(webhook_try::number)
            .limit(page(crate::PAGE_MAX))
            .select(TryRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Notes how a try went, and asks for the next one when it failed and there is one. To be called behind [`queue::complete`].
pub fn note(
    tx: &mut Tx<'_>,
    row: &Delivery,
    outcome: &Outcome,
    jitter: u16,
    now: Timestamp,
    random: Random,
) -> Result<()> {
    let number = row.tries + 1;
    let error = outcome.error.as_ref().map(|text| text.chars().take(ERROR_MAX_CHARACTERS).collect::<String>());
    let noted = Try {
        delivery: row.id.clone(),
        number,
        at: outcome.at,
        duration_ms: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
        status: outcome.status.map(u32::from),
        error: error.clone(),
    };
    db!(tx, |c| diesel::insert_into(webhook_try::table).values(TryRow::from(&noted)).execute(c))?;
    let next = retry_delay(number).filter(|_| error.is_some() && outcome.retryable);
    // Up to a tenth longer, so that those who failed together do not come back together.
    let next = next.map(|delay| now.plus(delay + delay / 10 * u32::from(jitter) / u32::from(u16::MAX)));
    let state = match (&error, next) {
        (None, _) => DeliveryState::Delivered,
        (Some(_), Some(_)) => DeliveryState::Pending,
        (Some(_), None) => DeliveryState::Failed,
    };
    let after = Delivery {
        state,
        tries: number,
        next_try_at: next,
        error,
        finished_at: next.is_none().then_some(now),
        ..row.clone()
    };
    set(tx, &after)?;
    next.map_or(Ok(()), |run_at| enqueue(tx, &after, run_at, now, random))
}

/// Gives a delivery up that waits, without a try.
pub fn give_up(tx: &mut Tx<'_>, id: &DeliveryId, error: &str, now: Timestamp) -> Result<()> {
    match find(tx, id)?.filter(|row| row.state == DeliveryState::Pending) {
        Some(row) => {
            let (state, error) = (DeliveryState::Failed, Some(error.to_owned()));
            set(tx, &Delivery { state, next_try_at: None, error, finished_at: Some(now), ..row })
        }
        None => Ok(()),
    }
}

fn set(tx: &mut Tx<'_>, row: &Delivery) -> Result<()> {
    db!(tx, |c| {
        diesel::update(webhook_delivery::table.find(row.id.as_str()))
            .set((
                webhook_delivery::state.eq(row.state.as_str()),
                webhook_delivery::tries.eq(row.tries.to_sql()),
                webhook_delivery::next_try_at.eq(row.next_try_at.to_sql()),
                webhook_delivery::error.eq(&row.error),
                webhook_delivery::finished_at.eq(row.finished_at.to_sql()),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Forgets what happened before the time.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| {
        diesel::delete(webhook_delivery::table).filter(webhook_delivery::created_at.lt(before.as_us())).execute(c)
    })?)
}
