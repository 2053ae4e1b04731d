//! This file's job is to take jobs back from workers that are gone or too slow.

use super::finish::{Guard, end_badly};
use super::{Failed, Failure, StoredJob, StoredJobRow};
use crate::column::{all, page};
use crate::dialect::load_skipping_locked;
use crate::schema::job;
use crate::{AttemptOutcome, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::JobId;

/// A job that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// The job.
    pub job: JobId,
    /// [`AttemptOutcome::LeaseLost`] or [`AttemptOutcome::Deadline`].
    pub cause: AttemptOutcome,
    /// What became of it.
    pub failed: Failed,
}

/// Takes back at most `limit` running jobs whose lease or deadline has passed; the attempt counts. Any worker may call it, every few
/// seconds; `jitter` as in [`super::fail`].
pub fn rescue_expired(tx: &mut Tx<'_>, limit: u32, jitter: u16, now: Timestamp) -> Result<Vec<Rescued>> {
    // Only what has lapsed is selected, so a page can't be filled with jobs that are well.
    let rows = load_skipping_locked!(
        tx,
        job::table
            // No lease outlives the deadline, so this finds both. Only running jobs have one.
            .filter(job::lease_until.le(now.as_us()))
            .order((job::lease_until, job::id))
            .limit(page(limit))
            .select(StoredJobRow::as_select()),
        StoredJobRow
    )?;
    let mut rescued = Vec::with_capacity(rows.len());
    for row in all::<_, StoredJob>(rows)? {
        let Some(worker) = &row.worker else { continue };
        let guard = Guard { tier: row.tier, job: &row.id, fence: row.fence, worker };
        let (cause, reason) = if row.deadline_at.is_some_and(|deadline| deadline <= now) {
            (AttemptOutcome::Deadline, "deadline")
        } else {
            (AttemptOutcome::LeaseLost, "lease-lost")
        };
        let error = format!("worker {worker}: {reason}");
        let failure = Failure { reason: reason.to_owned(), error, retryable: true };
        let failed = end_badly(tx, &row, &guard, cause, &failure, jitter, now)?;
        rescued.push(Rescued { job: row.id.clone(), cause, failed });
    }
    Ok(rescued)
}
