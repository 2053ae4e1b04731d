//! This file's job is to show the queue to people, metrics and timers.

use super::{StoredJob, StoredJobRow, payload};
use crate::column::{Column as _, all, row};
use crate::dialect::db;
use crate::schema::{job, job_attempt};
use crate::{AttemptOutcome, DbConn, JobState, Result, Scope, Tx};
use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{JobId, WorkerId};
use domain::job::{Job, Tier};

row! {
    /// One attempt at a job. Kept after the job is gone.
    pub struct Attempt as AttemptRow in job_attempt {
        /// The job.
        pub job: JobId,
        /// The fence of its lease.
        pub fence: u64,
        /// Which attempt it was, from 1; a released one has the same number as the next.
        pub n: u32,
        /// Who made it.
        pub worker: WorkerId,
        /// When it started.
        pub started_at: Timestamp,
        /// When it ended; none while it runs.
        pub ended_at: Option<Timestamp>,
        /// How it ended.
        pub outcome: Option<AttemptOutcome>,
        /// The error.
        pub error: Option<String>,
    }
}

/// A live job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInfo {
    /// Its id.
    pub id: JobId,
    /// Its tier.
    pub tier: Tier,
    /// What it does.
    pub work: Job,
    /// Where it stands.
    pub state: JobState,
    /// How many attempts have started.
    pub attempt: u32,
    /// When it may start.
    pub run_at: Timestamp,
    /// When it was added.
    pub enqueued_at: Timestamp,
    /// When its first attempt started.
    pub first_started_at: Option<Timestamp>,
}

/// The state of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierStats {
    /// The tier.
    pub tier: Tier,
    /// Jobs that may be claimed.
    pub ready: u64,
    /// Jobs that are leased.
    pub running: u64,
    /// Jobs that wait for their time.
    pub waiting: u64,
    /// When the oldest ready job was added.
    pub oldest_ready_at: Option<Timestamp>,
}

/// Returns the organization's live job that does this work.
pub fn find(conn: &mut DbConn, scope: &Scope, work: &Job) -> Result<Option<JobInfo>> {
    let found: Option<StoredJobRow> = db!(conn, |c| {
        job::table
            .filter(job::unique_key.eq(work.unique_key()))
            .filter(job::tenant.eq(scope.as_str()))
            .select(StoredJobRow::as_select())
            .first(c)
            .optional()
    })?;
    let Some(found) = found else { return Ok(None) };
    let row = StoredJob::try_from(found)?;
    Ok(Some(JobInfo {
        work: payload::decode(row.kind, &row.payload)?,
        id: row.id,
        tier: row.tier,
        state: row.state,
        attempt: row.attempt,
        run_at: row.run_at,
        enqueued_at: row.enqueued_at,
        first_started_at: row.first_started_at,
    }))
}

/// Returns how many ready jobs of the tier come before this one; none when it is not ready.
pub fn position(conn: &mut DbConn, tier: Tier, id: &JobId) -> Result<Option<u64>> {
    let ready = || job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Ready.as_str()));
    let own: Option<i64> = db!(conn, |c| {
        job::table.filter(ready()).filter(job::id.eq(id.as_str())).select(job::vstart).first(c).optional()
    })?;
    let Some(vstart) = own else { return Ok(None) };
    let before: i64 = db!(conn, |c| {
        job::table
            .filter(ready())
            .filter(job::vstart.lt(vstart).or(job::vstart.eq(vstart).and(job::id.lt(id.as_str()))))
            .count()
            .get_result(c)
    })?;
    Ok(Some(u64::from_sql(before)?))
}

/// Returns the state of every tier, best first.
pub fn stats(conn: &mut DbConn) -> Result<Vec<TierStats>> {
    let rows: Vec<(i64, String, i64, Option<i64>)> = db!(conn, |c| {
        job::table
            .group_by((job::tier, job::state))
            .select((job::tier, job::state, count_star(), min(job::enqueued_at)))
            .load(c)
    })?;
    let empty = |tier| TierStats { tier, ready: 0, running: 0, waiting: 0, oldest_ready_at: None };
    let mut stats: Vec<TierStats> = Tier::ALL.iter().copied().map(empty).collect();
    for (tier, state, count, oldest) in rows {
        let (tier, count) = (Tier::from_sql(tier)?, u64::from_sql(count)?);
        for stats in stats.iter_mut().filter(|stats| stats.tier == tier) {
            match JobState::from_sql(state.clone())? {
                JobState::Ready => {
                    stats.ready = count;
                    stats.oldest_ready_at = oldest.map(Timestamp::from_us);
                }
                JobState::Running => stats.running = count,
                JobState::Waiting => stats.waiting = count,
            }
        }
    }
    Ok(stats)
}

/// Returns when the next waiting job becomes ready or the next lease lapses, for a worker's timer.
pub fn next_due_at(conn: &mut DbConn) -> Result<Option<Timestamp>> {
    let due: Option<i64> = db!(conn, |c| {
        job::table.filter(job::state.eq(JobState::Waiting.as_str())).select(min(job::run_at)).first(c)
    })?;
    let lapses: Option<i64> = db!(conn, |c| {
        job::table.filter(job::state.eq(JobState::Running.as_str())).select(min(job::lease_until)).first(c)
    })?;
    Ok(due.into_iter().chain(lapses).min().map(Timestamp::from_us))
}

/// Lists the attempts at a job, first one first.
pub fn attempts(conn: &mut DbConn, id: &JobId) -> Result<Vec<Attempt>> {
    let rows: Vec<AttemptRow> = db!(conn, |c| {
        job_attempt::table
            .filter(job_attempt::job.eq(id.as_str()))
            .order(job_attempt::fence)
            .select(AttemptRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Forgets attempts that started before the time and returns how many there were.
pub fn trim_attempts(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| {
        diesel::delete(job_attempt::table).filter(job_attempt::started_at.lt(before.as_us())).execute(c)
    })?)
}
