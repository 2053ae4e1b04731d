//! This file's job is to show the queue to people, metrics and timers.

use super::{StoredJob, StoredJobRow, all_tiers, payload};
use crate::column::{Column as _, all, row};
use crate::dialect::db;
use crate::schema::{job, job_attempt};
use crate::{AttemptOutcome, DbConn, JobState, Result, Scope, Tx};
use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{JobId, OrganizationId, WorkerId};
use domain::job::{Job, Tier};
use std::collections::BTreeMap;

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
            .filter(job::tier.eq_any(all_tiers()).and(job::unique_key.eq(work.unique_key())))
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

/// Returns how many ready jobs of the tier's lane come before this one; none when it is not ready.
pub fn position(conn: &mut DbConn, tier: Tier, id: &JobId) -> Result<Option<u64>> {
    let own: Option<(i64, String)> = db!(conn, |c| {
        job::table
            .find((tier.to_sql(), id.as_str()))
            .filter(job::state.eq(JobState::Ready.as_str()))
            .select((job::vstart, job::lane))
            .first(c)
            .optional()
    })?;
    let Some((vstart, lane)) = own else { return Ok(None) };
    let before: i64 = db!(conn, |c| {
        job::table
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Ready.as_str())).and(job::lane.eq(lane)))
            .filter(job::vstart.le(vstart))
            .filter(job::vstart.lt(vstart).or(job::id.lt(id.as_str())))
            .count()
            .get_result(c)
    })?;
    Ok(Some(u64::from_sql(before)?))
}

/// The jobs of one tenant in one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantStats {
    /// Whose jobs.
    pub tenant: OrganizationId,
    /// What they do.
    pub stats: TierStats,
}

impl TierStats {
    const fn empty(tier: Tier) -> Self {
        Self { tier, ready: 0, running: 0, waiting: 0, oldest_ready_at: None }
    }

    fn add(&mut self, state: JobState, count: u64, oldest: Option<i64>) {
        match state {
            JobState::Ready => {
                self.ready += count;
                let oldest = oldest.map(Timestamp::from_us);
                self.oldest_ready_at = self.oldest_ready_at.into_iter().chain(oldest).min();
            }
            JobState::Running => self.running += count,
            JobState::Waiting => self.waiting += count,
        }
    }
}

/// Returns the state of every tier, best first.
pub fn stats(conn: &mut DbConn) -> Result<Vec<TierStats>> {
    let rows: Vec<(i64, String, i64, Option<i64>)> = db!(conn, |c| {
        job::table
            .group_by((job::tier, job::state))
            .select((job::tier, job::state, count_star(), min(job::enqueued_at)))
            .load(c)
    })?;
    let mut stats: Vec<TierStats> = Tier::ALL.iter().copied().map(TierStats::empty).collect();
    for (tier, state, count, oldest) in rows {
        let (tier, state, count) = (Tier::from_sql(tier)?, JobState::from_sql(state)?, u64::from_sql(count)?);
        stats.iter_mut().filter(|stats| stats.tier == tier).for_each(|stats| stats.add(state, count, oldest));
    }
    Ok(stats)
}

/// Returns the tenants with the most live jobs, for operators.
pub fn tenant_stats(conn: &mut DbConn, limit: u32) -> Result<Vec<TenantStats>> {
    let rows: Vec<(i64, String, String, i64, Option<i64>)> = db!(conn, |c| {
        job::table
            .group_by((job::tier, job::tenant, job::state))
            .select((job::tier, job::tenant, job::state, count_star(), min(job::enqueued_at)))
            .load(c)
    })?;
    let mut tenants: BTreeMap<(i64, String), TierStats> = BTreeMap::new();
    for (number, tenant, state, count, oldest) in rows {
        let (tier, state, count) = (Tier::from_sql(number)?, JobState::from_sql(state)?, u64::from_sql(count)?);
        let stats = tenants.entry((number, tenant)).or_insert(TierStats::empty(tier));
        stats.add(state, count, oldest);
    }
    let mut tenants: Vec<((i64, String), TierStats)> = tenants.into_iter().collect();
    tenants.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.ready + stats.running + stats.waiting));
    tenants.truncate(limit as usize);
    let named = tenants
        .into_iter()
        .map(|((_, tenant), stats)| Ok(TenantStats { tenant: OrganizationId::from_sql(tenant)?, stats }));
    named.collect()
}

/// Returns when the tier's next waiting job becomes ready, for a worker's timer.
pub fn next_due_at(conn: &mut DbConn, tier: Tier) -> Result<Option<Timestamp>> {
    let due: Option<i64> = db!(conn, |c| {
        job::table.filter(job::tier.eq(tier.to_sql()).and(job::due_at.is_not_null())).select(min(job::due_at)).first(c)
    })?;
    Ok(due.map(Timestamp::from_us))
}

/// Returns when the next lease lapses, for a worker's timer.
pub fn next_lapse_at(conn: &mut DbConn) -> Result<Option<Timestamp>> {
    let lapses: Option<i64> =
        db!(conn, |c| job::table.filter(job::lease_until.is_not_null()).select(min(job::lease_until)).first(c))?;
    Ok(lapses.map(Timestamp::from_us))
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
