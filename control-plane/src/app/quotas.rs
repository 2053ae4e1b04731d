//! This file's job is to compare what an organization uses with what its plan allows.

use crate::context::Change;
use crate::error::Result;
use db::Tx;
use domain::ErrorKind;
use domain::month::Month;
use domain::plan::Plan;
use domain::text_enum;
use proto::error::PublicError;
use proto::v1::Reason;
use std::time::Duration;

/// Somebody may have finished an upload by then.
const UPLOADS_RETRY_AFTER: Duration = Duration::from_secs(30);

text_enum! {
    /// What a plan limits.
    pub enum Quota {
        /// The size of an archive in bytes.
        ArchiveSize => "archive-size-bytes",
        /// Uploads at the same time.
        OpenUploads => "open-uploads",
        /// Processed uploads in a month.
        Builds => "builds-per-month",
    }
}

/// Admits one more upload of this size, before any of its bytes are taken. What is used is counted from live rows while no other
/// transaction of the organization can add one, so there is never one more than allowed.
///
/// # Errors
/// Resource exhausted with the limit, the current value and the plan.
pub fn admit_upload(tx: &mut Tx<'_>, change: &Change, size_bytes: u64) -> Result<()> {
    let scope = &change.caller.scope;
    db::plans::lock_usage(tx, scope)?;
    let plan = db::plans::of(tx, scope)?;
    let usage = db::plans::usage(tx, scope, change.now)?;
    if size_bytes > plan.archive_max_bytes {
        return Err(exceeded(Quota::ArchiveSize, &plan, plan.archive_max_bytes, size_bytes, None));
    }
    let uploads_max = u64::from(plan.uploads_max);
    if usage.open_uploads >= uploads_max {
        let wait = Some(UPLOADS_RETRY_AFTER);
        return Err(exceeded(Quota::OpenUploads, &plan, uploads_max, usage.open_uploads, wait));
    }
    // Those under way may all become builds.
    let builds = usage.builds + usage.builds_under_way + usage.open_uploads;
    let builds_max = u64::from(plan.builds_per_month);
    if builds >= builds_max {
        return Err(exceeded(Quota::Builds, &plan, builds_max, builds, Some(Month::left(change.now))));
    }
    Ok(())
}

fn exceeded(quota: Quota, plan: &Plan, limit: u64, current: u64, wait: Option<Duration>) -> crate::error::Error {
    let message = format!("the plan {} allows {quota} up to {limit}, this would come on top of {current}", plan.name);
    let reason = match quota {
        Quota::ArchiveSize => Reason::SizeLimit,
        Quota::OpenUploads | Quota::Builds => Reason::QuotaExceeded,
    };
    let error = PublicError::new(ErrorKind::ResourceExhausted, reason, message.clone())
        .with("quota", quota)
        .with("limit", limit)
        .with("current", current)
        .with("plan", plan.name)
        .quota(quota.as_str(), message);
    match wait {
        Some(wait) => error.retry_after(wait).into(),
        None => error.into(),
    }
}
