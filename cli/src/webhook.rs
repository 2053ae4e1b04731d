//! This file's job is `aloft webhook`: say who is told what happens, and look how that went.

use crate::connection::Connection;
use crate::error::Error;
use crate::key::duration;
use crate::report::AnyReport;
use crate::{names, paging};
use proto::v1;
use std::time::Duration;

pub mod view;

use view::{Deleted, Deliveries, Delivery, Webhook, Webhooks};

/// Manages webhooks: addresses that are told what happens.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a webhook and shows its secret once.
    #[command(
        after_help = "Examples:\n  aloft webhook create https://ci.example.com/aloft --app shop --event release.created --event rollout.changed\n  aloft webhook create https://ops.example.com/hook"
    )]
    Create {
        /// Where to send to, https://.
        url: String,
        /// The app that it is told of, by short name or id; the whole organization when not given.
        #[arg(long, env = "ALOFT_APP")]
        app: Option<String>,
        /// What it is told, for instance release.created; may be given more than once. Everything when not given.
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<String>,
    },
    /// Lists the organization's webhooks.
    List,
    /// Shows a webhook.
    Get {
        /// The webhook's id.
        webhook: String,
    },
    /// Changes where a webhook is sent to, what it is told, or whether it is told anything.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Update {
        /// The webhook's id.
        webhook: String,
        /// Where to send to, https://.
        #[arg(long, group = "change")]
        url: Option<String>,
        /// What it is told; may be given more than once.
        #[arg(long = "event", value_name = "EVENT", group = "change")]
        events: Vec<String>,
        /// Whether it is told anything.
        #[arg(long, group = "change", value_name = "true|false")]
        enabled: Option<bool>,
    },
    /// Makes another secret and shows it once; messages are signed with the old one, too, for a while.
    Rotate {
        /// The webhook's id.
        webhook: String,
        /// How long the old secret is used, too: 0h, 12h, 7d; at most 30d.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
        keep: Duration,
    },
    /// Forgets a webhook, with its deliveries.
    Delete {
        /// The webhook's id.
        webhook: String,
    },
    /// Sends a webhook the event webhook.test.
    Test {
        /// The webhook's id.
        webhook: String,
    },
    /// Lists what a webhook was told in the last 30 days, newest first.
    Deliveries {
        /// The webhook's id.
        webhook: String,
    },
    /// Shows one delivery with its body and every try.
    Delivery {
        /// The webhook's id.
        webhook: String,
        /// The delivery's id.
        delivery: String,
    },
    /// Sends the same message again.
    Redeliver {
        /// The webhook's id.
        webhook: String,
        /// The delivery's id.
        delivery: String,
    },
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { url, app, events } => create(connection, url, app, events).await,
        Command::List => {
            let webhooks = paging::webhooks(connection).await?;
            Ok(Box::new(Webhooks { webhooks: webhooks.into_iter().map(|row| Webhook::new(row, None)).collect() }))
        }
        Command::Get { webhook } => {
            let request = v1::GetWebhookRequest { name: names::webhook(&webhook)? };
            show(connection.answer(connection.webhooks().get_webhook(request).await)?.webhook, None)
        }
        Command::Update { webhook, url, events, enabled } => update(connection, &webhook, url, events, enabled).await,
        Command::Rotate { webhook, keep } => rotate(connection, &webhook, keep).await,
        Command::Delete { webhook } => delete(connection, &webhook).await,
        Command::Test { webhook } => {
            let request = v1::TestWebhookRequest { name: names::webhook(&webhook)? };
            show_delivery(connection.answer(connection.webhooks().test_webhook(request).await)?.delivery)
        }
        Command::Deliveries { webhook } => {
            let rows = paging::webhook_deliveries(connection, &names::webhook(&webhook)?).await?;
            Ok(Box::new(Deliveries { deliveries: rows.into_iter().map(Delivery::from).collect() }))
        }
        Command::Delivery { webhook, delivery } => {
            let request = v1::GetWebhookDeliveryRequest { name: names::delivery(&webhook, &delivery)? };
            show_delivery(connection.answer(connection.webhooks().get_webhook_delivery(request).await)?.delivery)
        }
        Command::Redeliver { webhook, delivery } => {
            let request = v1::RedeliverWebhookRequest { name: names::delivery(&webhook, &delivery)? };
            show_delivery(connection.answer(connection.webhooks().redeliver_webhook(request).await)?.delivery)
        }
    }
}

async fn create(
    connection: &Connection,
    url: String,
    app: Option<String>,
    events: Vec<String>,
) -> Result<AnyReport, Error> {
    let app = app.map(|app| names::app(&app)).transpose()?.unwrap_or_default();
    let request = v1::CreateWebhookRequest { app, url, events };
    let answer = connection.answer(connection.webhooks().create_webhook(request).await)?;
    show(answer.webhook, Some(answer.secret))
}

async fn rotate(connection: &Connection, webhook: &str, keep: Duration) -> Result<AnyReport, Error> {
    let keep_seconds = i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
    let request = v1::RotateWebhookSecretRequest { name: names::webhook(webhook)?, keep_seconds };
    let answer = connection.answer(connection.webhooks().rotate_webhook_secret(request).await)?;
    show(answer.webhook, Some(answer.secret))
}

async fn delete(connection: &Connection, webhook: &str) -> Result<AnyReport, Error> {
    let name = names::webhook(webhook)?;
    let request = v1::DeleteWebhookRequest { name: name.clone() };
    connection.answer(connection.webhooks().delete_webhook(request).await)?;
    Ok(Box::new(Deleted { name }))
}

async fn update(
    connection: &Connection,
    webhook: &str,
    url: Option<String>,
    events: Vec<String>,
    enabled: Option<bool>,
) -> Result<AnyReport, Error> {
    let mut paths = Vec::new();
    paths.extend(url.is_some().then(|| "url".to_owned()));
    paths.extend((!events.is_empty()).then(|| "events".to_owned()));
    paths.extend(enabled.is_some().then(|| "enabled".to_owned()));
    let wanted = v1::Webhook {
        name: names::webhook(webhook)?,
        url: url.unwrap_or_default(),
        events,
        enabled: enabled.unwrap_or_default(),
        ..v1::Webhook::default()
    };
    let request = v1::UpdateWebhookRequest {
        webhook: Some(wanted),
        update_mask: Some(prost_types::FieldMask { paths }),
        etag: String::new(),
    };
    show(connection.answer(connection.webhooks().update_webhook(request).await)?.webhook, None)
}

fn show(row: Option<v1::Webhook>, secret: Option<String>) -> Result<AnyReport, Error> {
    Ok(Box::new(Webhook::new(row.ok_or_else(|| Error::missing("the webhook"))?, secret)))
}

fn show_delivery(row: Option<v1::WebhookDelivery>) -> Result<AnyReport, Error> {
    Ok(Box::new(Delivery::from(row.ok_or_else(|| Error::missing("the delivery"))?)))
}
