//! This file's job is to tell operators of jobs that died: in the log, in a metric and through their webhook, each once.

use super::Left;
use crate::context::Context;
use crate::error::Error;
use db::queue::DeadJob;
use db::{Tx, webhook_deliveries};
use domain::Timestamp;
use domain::job::JobKind;
use domain::webhook::WebhookEvent;
use runtime::random;
use serde_json::json;

/// Dead jobs of one turn. What is told is told once: a failure here must not tell it again and again.
const BATCH: u32 = 10;

pub(super) async fn tell(context: &Context) -> Result<Left, Error> {
    let (now, has_webhook) = (context.clock.now(), !context.config.operator_webhook_url.is_empty());
    let dead = context.db.write(move |tx| {
        let dead = db::queue::notice_dead(tx, BATCH, now)?;
        // A webhook that cannot be sent must not make another one.
        for job in dead.iter().filter(|job| has_webhook && job.kind != JobKind::SendWebhook) {
            tell_webhook(tx, job, now)?;
        }
        Ok(dead)
    });
    let dead = dead.await?;
    for job in &dead {
        let (kind, reason) = (job.kind.as_str(), job.reason.as_str());
        tracing::error!(
            job = %job.id, organization = %job.tenant, kind, reason, subject = job.subject, error = job.error,
            attempts = job.attempts, "a job died; see `aloft queue dead show`"
        );
        context.metrics.dead.with_label_values(&[kind, reason]).inc();
    }
    Ok(if dead.len() < BATCH as usize { Left::Nothing } else { Left::More })
}

fn tell_webhook(tx: &mut Tx<'_>, job: &DeadJob, now: Timestamp) -> db::Result<()> {
    let data = json!({
        "job": job.id.as_str(),
        "kind": job.kind.as_str(),
        "organization": job.tenant.as_str(),
        "app": job.app.as_ref().map(domain::id::AppId::as_str),
        "subject": job.subject,
        "reason": job.reason,
        "error": job.error,
        "attempts": job.attempts,
    });
    webhook_deliveries::tell_operator(tx, WebhookEvent::JobDead, &data, now, random::bytes).map(drop)
}
