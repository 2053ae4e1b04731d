//! This file's job is to show webhooks and what they were told.

use crate::{moment, names, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// A webhook without its secret.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Webhook")]
pub struct Webhook {
    pub name: String,
    pub app: String,
    pub url: String,
    pub events: Vec<String>,
    pub enabled: bool,
    pub created_by: String,
    pub created_at_us: i64,
    pub updated_at_us: i64,
    pub previous_secret_until_us: i64,
    /// The secret; only right after it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl Webhook {
    /// Shows a webhook, with its secret when it has just been made.
    pub fn new(row: v1::Webhook, secret: Option<String>) -> Self {
        Self {
            name: row.name,
            app: row.app,
            url: row.url,
            events: row.events,
            enabled: row.enabled,
            created_by: row.created_by,
            created_at_us: row.created_at_us,
            updated_at_us: row.updated_at_us,
            previous_secret_until_us: row.previous_secret_until_us,
            secret,
        }
    }

    fn of(&self) -> String {
        if self.app.is_empty() { "the organization".to_owned() } else { names::short(&self.app).to_owned() }
    }

    const fn state(&self) -> &'static str {
        if self.enabled { "on" } else { "off" }
    }
}

impl Display for Webhook {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut pairs = vec![
            ("webhook", names::short(&self.name).to_owned()),
            ("url", self.url.clone()),
            ("told of", self.of()),
            ("events", self.events.join(" ")),
            ("state", self.state().to_owned()),
        ];
        if self.previous_secret_until_us != 0 {
            pairs.push(("old secret", format!("used, too, until {}", moment::text(self.previous_secret_until_us))));
        }
        f.write_str(&table::pairs(&pairs))?;
        match &self.secret {
            Some(secret) => writeln!(f, "\n{secret}\n\nKeep this secret now: nobody can read it again."),
            None => Ok(()),
        }
    }
}

/// The organization's webhooks.
#[derive(Debug, Serialize)]
pub struct Webhooks {
    /// The webhooks, oldest first.
    pub webhooks: Vec<Webhook>,
}

impl Display for Webhooks {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row =
            |row: &Webhook| vec![names::short(&row.name).to_owned(), row.state().to_owned(), row.of(), row.url.clone()];
        let rows: Vec<_> = self.webhooks.iter().map(row).collect();
        f.write_str(&table::text(&["webhook", "state", "told of", "url"], &rows))
    }
}

/// A webhook that is gone.
#[derive(Debug, Serialize)]
pub struct Deleted {
    /// Its full name.
    pub name: String,
}

impl Display for Deleted {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was forgotten.", names::short(&self.name))
    }
}

/// Something that a webhook is, or was, told.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.WebhookDelivery")]
pub struct Delivery {
    pub name: String,
    pub message_id: String,
    pub event: String,
    pub state: String,
    pub try_count: u32,
    pub next_try_at_us: i64,
    pub error: String,
    pub created_at_us: i64,
    pub finished_at_us: i64,
    pub body: String,
    pub tries: Vec<Try>,
}

/// One try to deliver.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.WebhookTry")]
pub struct Try {
    pub number: u32,
    pub at_us: i64,
    pub duration_ms: u64,
    pub status: u32,
    pub error: String,
}

impl From<v1::WebhookDelivery> for Delivery {
    fn from(row: v1::WebhookDelivery) -> Self {
        let one = |row: v1::WebhookTry| {
            let v1::WebhookTry { number, at_us, duration_ms, status, error } = row;
            Try { number, at_us, duration_ms, status, error }
        };
        Self {
            name: row.name,
            message_id: row.message_id,
            event: row.event,
            state: row.state,
            try_count: row.try_count,
            next_try_at_us: row.next_try_at_us,
            error: row.error,
            created_at_us: row.created_at_us,
            finished_at_us: row.finished_at_us,
            body: row.body,
            tries: row.tries.into_iter().map(one).collect(),
        }
    }
}

impl Display for Delivery {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut pairs = vec![
            ("delivery", names::short(&self.name).to_owned()),
            ("message", self.message_id.clone()),
            ("event", self.event.clone()),
            ("state", self.state.clone()),
            ("since", moment::text(self.created_at_us)),
        ];
        if self.next_try_at_us != 0 {
            pairs.push(("next try", moment::text(self.next_try_at_us)));
        }
        if !self.error.is_empty() {
            pairs.push(("error", self.error.clone()));
        }
        f.write_str(&table::pairs(&pairs))?;
        if !self.tries.is_empty() {
            let row = |row: &Try| {
                let status = if row.status == 0 { "none".to_owned() } else { row.status.to_string() };
                vec![moment::text(row.at_us), format!("{} ms", row.duration_ms), status, row.error.clone()]
            };
            let rows: Vec<_> = self.tries.iter().map(row).collect();
            write!(f, "\n{}", table::text(&["try", "took", "status", "error"], &rows))?;
        }
        if self.body.is_empty() { Ok(()) } else { writeln!(f, "\n{}", self.body) }
    }
}

/// What a webhook was told.
#[derive(Debug, Serialize)]
pub struct Deliveries {
    /// The deliveries, newest first.
    pub deliveries: Vec<Delivery>,
}

impl Display for Deliveries {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |row: &Delivery| {
            let (at, id) = (moment::text(row.created_at_us), names::short(&row.name).to_owned());
            vec![at, row.event.clone(), row.state.clone(), row.try_count.to_string(), row.error.clone(), id]
        };
        let rows: Vec<_> = self.deliveries.iter().map(row).collect();
        f.write_str(&table::text(&["since", "event", "state", "tries", "error", "delivery"], &rows))
    }
}
