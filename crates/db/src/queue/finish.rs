//! This file's job is to write the outcome of a job under the guard of its lease.

use super::{Lease, StoredJob, StoredJobRow, dead};
use crate::column::Column as _;
use crate::dialect::{db, first_locked};
use crate::schema::{job, job_attempt};
use crate::{AttemptOutcome, Error, JobState, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{JobId, WorkerId};
use domain::job::{Tier, retry_delay};
use std::time::Duration;

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable word, for instance `corrupt-archive`.
    pub reason: String,
    /// The error, for operators.
    pub error: String,
    /// Whether another attempt can help.
    pub retryable: bool,
}

/// What became of a failed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It runs again at this time.
    Retried {
        /// When.
        run_at: Timestamp,
    },
    /// It is a dead letter now.
    Dead,
}

/// What a write must match: the job as it was leased.
pub(super) struct Guard<'a> {
    pub(super) tier: Tier,
    pub(super) job: &'a JobId,
    pub(super) fence: u64,
    pub(super) worker: &'a WorkerId,
}

impl<'a> From<&'a Lease> for Guard<'a> {
    fn from(lease: &'a Lease) -> Self {
        Self { tier: lease.tier, job: &lease.job, fence: lease.fence, worker: &lease.worker }
    }
}

macro_rules! guarded {
    ($guard:expr) => {
        job::tier
            .eq($guard.tier.to_sql())
            .and(job::id.eq($guard.job.as_str()))
            .and(job::state.eq(JobState::Running.as_str()))
            .and(job::fence.eq($guard.fence.to_sql()))
            .and(job::worker.eq($guard.worker.as_str()))
    };
}

/// Ends a job that is done. Call it first in the transaction that writes the job's effect: [`Error::StaleLease`] then undoes both.
pub fn complete(tx: &mut Tx<'_>, lease: &Lease, now: Timestamp) -> Result<()> {
    let guard = Guard::from(lease);
    let deleted = db!(tx, |c| diesel::delete(job::table).filter(guarded!(guard)).execute(c))?;
    if deleted == 0 {
        return Err(Error::StaleLease);
    }
    end_attempt(tx, &guard, AttemptOutcome::Completed, None, now)
}

/// Makes sure that the lease is held, and on PostgreSQL stays so until the transaction ends. Call it first in a transaction that writes
/// part of a job's effect before its end: [`Error::StaleLease`] then undoes that.
pub fn hold(tx: &mut Tx<'_>, lease: &Lease) -> Result<()> {
    let guard = Guard::from(lease);
    let held = first_locked!(tx, job::table.filter(guarded!(guard)).select(job::id), String).optional()?;
    if held.is_some() { Ok(()) } else { Err(Error::StaleLease) }
}

/// Notes a failure: the job runs again later, or becomes a dead letter after its last attempt or when no attempt can help.
/// `jitter` is random: it lengthens the wait by up to a tenth. [`Error::StaleLease`] when the lease is no longer held.
pub fn fail(tx: &mut Tx<'_>, lease: &Lease, failure: &Failure, jitter: u16, now: Timestamp) -> Result<Failed> {
    let guard = Guard::from(lease);
    let row: Option<StoredJobRow> =
        db!(tx, |c| { job::table.filter(guarded!(guard)).select(StoredJobRow::as_select()).first(c).optional() })?;
    let row: StoredJob = row.ok_or(Error::StaleLease)?.try_into()?;
    end_badly(tx, &row, &guard, AttemptOutcome::Failed, failure, jitter, now)
}

/// Gives a job back because its worker stops: it is ready at once, in its old place, and no attempt is charged.
pub fn release(tx: &mut Tx<'_>, lease: &Lease, now: Timestamp) -> Result<()> {
    let guard = Guard::from(lease);
    let changed = db!(tx, |c| {
        diesel::update(job::table)
            .filter(guarded!(guard))
            .set((
                job::state.eq(JobState::Ready.as_str()),
                job::attempt.eq(job::attempt - 1),
                job::worker.eq(None::<&str>),
                job::lease_until.eq(None::<i64>),
                job::deadline_at.eq(None::<i64>),
            ))
            .execute(c)
    })?;
    if changed == 0 {
        return Err(Error::StaleLease);
    }
    tx.note_job(lease.tier);
    end_attempt(tx, &guard, AttemptOutcome::Released, None, now)
}

/// Ends an attempt that did not succeed, for whatever cause. The guard is checked by the write itself.
pub(super) fn end_badly(
    tx: &mut Tx<'_>,
    row: &StoredJob,
    guard: &Guard<'_>,
    outcome: AttemptOutcome,
    failure: &Failure,
    jitter: u16,
    now: Timestamp,
) -> Result<Failed> {
    let delay = if failure.retryable && row.attempt < row.max_attempts { retry_delay(row.attempt) } else { None };
    let (changed, failed) = match delay {
        Some(delay) => {
            let run_at = now.plus(with_jitter(delay, jitter));
            let changed = db!(tx, |c| {
                diesel::update(job::table)
                    .filter(guarded!(guard))
                    .set((
                        job::state.eq(JobState::Waiting.as_str()),
                        job::run_at.eq(run_at.as_us()),
                        job::due_at.eq(run_at.as_us()),
                        job::worker.eq(None::<&str>),
                        job::lease_until.eq(None::<i64>),
                        job::deadline_at.eq(None::<i64>),
                    ))
                    .execute(c)
            })?;
            // Workers must arm their timers for it.
            tx.note_job(row.tier);
            (changed, Failed::Retried { run_at })
        }
        None => {
            let deleted = db!(tx, |c| diesel::delete(job::table).filter(guarded!(guard)).execute(c))?;
            dead::bury(tx, row, failure, now)?;
            (deleted, Failed::Dead)
        }
    };
    if changed == 0 {
        return Err(Error::StaleLease);
    }
    end_attempt(tx, guard, outcome, Some(&failure.error), now)?;
    Ok(failed)
}

/// Lengthens a wait by up to a tenth, so that jobs which failed together do not come back together.
fn with_jitter(delay: Duration, jitter: u16) -> Duration {
    delay + delay * u32::from(jitter) / (10 * u32::from(u16::MAX))
}

fn end_attempt(
    tx: &mut Tx<'_>,
    guard: &Guard<'_>,
    outcome: AttemptOutcome,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    db!(tx, |c| {
        diesel::update(job_attempt::table.find((guard.job.as_str(), guard.fence.to_sql())))
            .set((
                job_attempt::ended_at.eq(now.as_us()),
                job_attempt::outcome.eq(outcome.as_str()),
                job_attempt::error.eq(error),
            ))
            .execute(c)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_adds_at_most_a_tenth() {
        let delay = Duration::from_secs(100);
        assert_eq!(with_jitter(delay, 0), delay);
        assert_eq!(with_jitter(delay, u16::MAX), Duration::from_secs(110));
    }
}
