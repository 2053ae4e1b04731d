//! This file's job is to remove what nobody needs any more: unfinished uploads, hints and answers that are old.

use crate::context::Context;
use crate::error::{Result, chain};
use domain::Timestamp;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often to look.
const EVERY: Duration = Duration::from_secs(60);
/// Uploads that are given up at once; what is left is for the next round.
const UPLOADS_MAX: u32 = 100;
/// Hints are for people; the truth is each channel's version.
const HINTS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The contract promises that answers are kept for a day.
const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Whoever asks what a workflow's key did asks within days; the audit log keeps it anyway.
const WORKFLOW_KEYS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Whoever asks why a mail did not come asks within weeks.
const MAILS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Rounds of a thousand events of a plan in one sweep; what is left is for the next one.
const EVENT_ROUNDS_MAX: usize = 50;
/// Edges send a batch again for hours, not for weeks.
const BATCHES_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Sweeps until the stop. Any number of replicas may do so.
pub async fn run(context: Context) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while context.stop.run_until(ticks.tick()).await.is_some() {
        if let Err(error) = sweep(&context, context.clock.now()).await {
            tracing::warn!(cause = chain(&error), "sweeping failed; the next round tries again");
        }
    }
}

/// Sweeps once.
///
/// # Errors
/// Those of the database and of the store.
pub async fn sweep(context: &Context, now: Timestamp) -> Result<()> {
    let expired = context.db.write(move |tx| db::uploads::expire(tx, now, UPLOADS_MAX)).await?;
    for upload in expired {
        tracing::info!(upload = %upload.id, "an unfinished upload was given up");
        context.store.remove_upload(&upload.id).await?;
    }
    let trimmed = context.db.write(move |tx| {
        db::outbox::trim(tx, now.minus(HINTS_KEPT))?;
        db::credential_changes::trim(tx, now.minus(HINTS_KEPT))?;
        db::idempotency::trim(tx, now.minus(ANSWERS_KEPT))?;
        db::sessions::trim(tx, now)?;
        db::logins::trim(tx, now)?;
        db::app_offers::trim(tx, now)?;
        db::publishers::trim(tx, now, now.minus(WORKFLOW_KEYS_KEPT))?;
        db::mails::trim(tx, now.minus(MAILS_KEPT))?;
        db::telemetry::trim_batches(tx, now.minus(BATCHES_KEPT))
    });
    trimmed.await?;
    forget_events(context, now).await
}

/// Forgets what devices reported longer ago than their organization's plan keeps it.
async fn forget_events(context: &Context, now: Timestamp) -> Result<()> {
    for plan in context.read(|conn| Ok(db::plans::list(conn)?)).await? {
        let before = now.minus(Duration::from_secs(u64::from(plan.retention_days) * 24 * 60 * 60));
        for _ in 0..EVENT_ROUNDS_MAX {
            if context.db.write_relaxed(move |tx| db::telemetry::trim_events(tx, plan.name, before)).await? == 0 {
                break;
            }
        }
    }
    Ok(())
}
