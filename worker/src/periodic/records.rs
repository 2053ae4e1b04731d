//! This file's job is to forget what the platform noted about its own work and nobody asks for any more.

use super::Left;
use crate::context::Context;
use crate::error::Error;
use domain::Timestamp;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Hints are for people; the truth is each channel's version.
const HINTS_KEPT: Duration = DAY;
/// The contract promises that answers are kept for a day.
const ANSWERS_KEPT: Duration = DAY;
/// Whoever asks what a workflow's key did asks within days; the audit log keeps it anyway.
const WORKFLOW_KEYS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Rounds of a thousand events of a plan in one go; what is left is for the next one.
const EVENT_ROUNDS_MAX: usize = 50;
/// Whoever asks why a mail did not come asks within weeks.
const MAILS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Edges send a batch again for hours, not for weeks.
const BATCHES_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// A client that was away for longer gets the state instead.
const FEED_KEPT: Duration = DAY;
/// Organizations whose feed is trimmed in one transaction.
const FEEDS_MAX: u32 = 500;
/// Longer than any delivery is tried, and than anybody asks why one did not come.
const DELIVERIES_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The history of jobs that nobody has looked at for a month.
const ATTEMPTS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Dead jobs that were dealt with stay for those who ask what happened.
const RESOLVED_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) async fn trim(context: &Context) -> Result<Left, Error> {
    let now = context.clock.now();
    // One after the other, so that no transaction is long.
    context.db.write(move |tx| db::outbox::trim(tx, now.minus(HINTS_KEPT))).await?;
    context.db.write(move |tx| db::credential_changes::trim(tx, now.minus(HINTS_KEPT))).await?;
    context.db.write(move |tx| db::idempotency::trim(tx, now.minus(ANSWERS_KEPT))).await?;
    context.db.write(move |tx| db::sessions::trim(tx, now)).await?;
    context.db.write(move |tx| db::logins::trim(tx, now)).await?;
    context.db.write(move |tx| db::app_offers::trim(tx, now)).await?;
    context.db.write(move |tx| db::publishers::trim(tx, now, now.minus(WORKFLOW_KEYS_KEPT))).await?;
    context.db.write(move |tx| db::mails::trim(tx, now.minus(MAILS_KEPT))).await?;
    context.db.write(move |tx| db::telemetry::trim_batches(tx, now.minus(BATCHES_KEPT))).await?;
    context.db.write(move |tx| db::feed::trim(tx, now.minus(FEED_KEPT), FEEDS_MAX)).await?;
    context.db.write(move |tx| db::webhook_deliveries::trim(tx, now.minus(DELIVERIES_KEPT))).await?;
    context.db.write(move |tx| db::queue::trim_attempts(tx, now.minus(ATTEMPTS_KEPT))).await?;
    context.db.write(move |tx| db::queue::trim_resolved(tx, now.minus(RESOLVED_KEPT))).await?;
    forget_events(context, now).await
}

/// Forgets what devices reported longer ago than their organization's plan keeps it.
async fn forget_events(context: &Context, now: Timestamp) -> Result<Left, Error> {
    for plan in context.db.read(db::plans::list).await? {
        let before = now.minus(plan.retention());
        for _ in 0..EVENT_ROUNDS_MAX {
            if context.db.write_relaxed(move |tx| db::telemetry::trim_events(tx, plan.name, before)).await? == 0 {
                break;
            }
        }
    }
    Ok(Left::Nothing)
}
