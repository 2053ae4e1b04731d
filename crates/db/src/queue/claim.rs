//! This file's job is to lease ready jobs to workers and to keep the leases alive.

use super::enqueue::virtual_time;
use super::{StoredJob, StoredJobRow, payload};
use crate::column::{Column as _, all};
use crate::dialect::{self, db, load_skipping_locked};
use crate::schema::{job, job_attempt, job_flow};
use crate::{DbConn, JobState, Result, Scope, Tx};
use diesel::dsl::{case_when, count_star};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId, WorkerId};
use domain::job::{Job, Tier};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tier.
    pub tier: Tier,
    /// Jobs at most; the smaller of the tier's batch and the worker's free slots.
    pub limit: u32,
    /// The worker's incarnation: a fresh id for each start of a process.
    pub worker: WorkerId,
    /// How long a lease lasts without a heartbeat.
    pub lease: Duration,
    /// How long a job may run altogether.
    pub deadline: Duration,
}

/// The right to do a job and to write its outcome, until it lapses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Its tier.
    pub tier: Tier,
    /// Whose job it is.
    pub organization: OrganizationId,
    /// The app.
    pub app: Option<AppId>,
    /// What to do.
    pub work: Job,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Grows with each lease of the job.
    pub fence: u64,
    /// The worker's incarnation.
    pub worker: WorkerId,
    /// When it lapses without a heartbeat.
    pub lease_until: Timestamp,
    /// When it lapses in any case.
    pub deadline_at: Timestamp,
    /// When the job was added.
    pub enqueued_at: Timestamp,
}

impl Lease {
    /// Returns the scope in which the job's work reads and writes.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::authorized(self.organization.clone())
    }
}

/// Leases ready jobs of a tier, those with the smallest tags first, passing over tenants that run as many as they may. No two
/// workers get the same job. May run in [`crate::Db::write_relaxed`].
pub fn claim(tx: &mut Tx<'_>, claim: &Claim, now: Timestamp) -> Result<Vec<Lease>> {
    if claim.limit == 0 {
        return Ok(Vec::new());
    }
    dialect::lock_tier(tx, claim.tier.to_sql())?;
    wake_due(tx, claim.tier, now)?;
    let picked = pick(tx, claim)?;
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let (lease_until, deadline_at) = (now.plus(claim.lease), now.plus(claim.deadline));
    let ids: Vec<&str> = picked.iter().map(|row| row.id.as_str()).collect();
    db!(tx, |c| {
        diesel::update(job::table)
            .filter(job::tier.eq(claim.tier.to_sql()).and(job::id.eq_any(ids)))
            .set((
                job::state.eq(JobState::Running.as_str()),
                job::attempt.eq(job::attempt + 1),
                job::fence.eq(job::fence + 1),
                job::worker.eq(claim.worker.as_str()),
                job::lease_until.eq(lease_until.as_us()),
                job::deadline_at.eq(deadline_at.as_us()),
                job::first_started_at.eq(case_when::<_, _, Nullable<BigInt>>(
                    job::first_started_at.is_null(),
                    now.as_us(),
                )
                .otherwise(job::first_started_at)),
            ))
            .execute(c)
    })?;
    let mut leases = Vec::with_capacity(picked.len());
    for row in picked {
        leases.push(Lease {
            work: payload::decode(row.kind, &row.payload)?,
            job: row.id,
            tier: row.tier,
            organization: row.tenant,
            app: row.app,
            attempt: row.attempt + 1,
            fence: row.fence + 1,
            worker: claim.worker.clone(),
            lease_until,
            deadline_at,
            enqueued_at: row.enqueued_at,
        });
    }
    note_attempts(tx, &leases, now)?;
    Ok(leases)
}

/// Makes waiting jobs ready whose time has come. They re-enter no earlier than the tier's virtual time, so that waiting earns no
/// credit against others.
fn wake_due(tx: &mut Tx<'_>, tier: Tier, now: Timestamp) -> Result<()> {
    let due: Option<i64> = db!(tx, |c| {
        job::table
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Waiting.as_str())))
            .select(diesel::dsl::min(job::run_at))
            .first(c)
    })?;
    if due.is_none_or(|due| due > now.as_us()) {
        return Ok(());
    }
    let start = virtual_time(tx, tier)?.unwrap_or(0);
    db!(tx, |c| {
        diesel::update(job::table)
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Waiting.as_str())))
            .filter(job::run_at.le(now.as_us()))
            .set((
                job::state.eq(JobState::Ready.as_str()),
                job::vstart.eq(case_when::<_, _, BigInt>(job::vstart.lt(start), start).otherwise(job::vstart)),
            ))
            .execute(c)
    })?;
    Ok(())
}

fn pick(tx: &mut Tx<'_>, claim: &Claim) -> Result<Vec<StoredJob>> {
    let mut room = room_left(tx, claim.tier)?;
    let mut full: Vec<String> = room.iter().filter(|(_, room)| **room <= 0).map(|(tenant, _)| tenant.clone()).collect();
    let mut picked: Vec<StoredJob> = Vec::new();
    let limit = usize::try_from(claim.limit.min(crate::PAGE_MAX)).unwrap_or(0);
    // Each round picks something or learns of a tenant that is full, so it ends.
    loop {
        let wanted = limit - picked.len();
        let taken: Vec<&str> = picked.iter().map(|row| row.id.as_str()).collect();
        let rows = load_skipping_locked!(
            tx,
            job::table
                .filter(job::tier.eq(claim.tier.to_sql()))
                .filter(job::state.eq(JobState::Ready.as_str()))
                .filter(job::tenant.ne_all(&full))
                .filter(job::id.ne_all(taken))
                .order((job::vstart, job::id))
                .limit(i64::try_from(wanted).unwrap_or(0))
                .select(StoredJobRow::as_select()),
            StoredJobRow
        )?;
        let mut refused = false;
        for row in all::<_, StoredJob>(rows)? {
            match room.get_mut(row.tenant.as_str()) {
                Some(0) => refused = true,
                Some(left) => {
                    *left -= 1;
                    if *left == 0 {
                        full.push(row.tenant.to_string());
                    }
                    picked.push(row);
                }
                None => picked.push(row),
            }
        }
        if !refused || picked.len() >= limit {
            return Ok(picked);
        }
    }
}

/// Returns how many more jobs each limited tenant may run. Counted from the leases themselves: a counter would drift.
fn room_left(conn: &mut DbConn, tier: Tier) -> Result<BTreeMap<String, i64>> {
    let limits: Vec<(String, Option<i64>)> = db!(conn, |c| {
        job_flow::table
            .filter(job_flow::tier.eq(tier.to_sql()))
            .filter(job_flow::max_running.is_not_null())
            .select((job_flow::tenant, job_flow::max_running))
            .load(c)
    })?;
    let mut room: BTreeMap<String, i64> =
        limits.into_iter().filter_map(|(tenant, most)| Some((tenant, most?))).collect();
    if room.is_empty() {
        return Ok(room);
    }
    let running: Vec<(String, i64)> = db!(conn, |c| {
        job::table
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Running.as_str())))
            .group_by(job::tenant)
            .select((job::tenant, count_star()))
            .load(c)
    })?;
    for (tenant, count) in running {
        if let Some(room) = room.get_mut(&tenant) {
            *room = (*room - count).max(0);
        }
    }
    Ok(room)
}

fn note_attempts(tx: &mut Tx<'_>, leases: &[Lease], now: Timestamp) -> Result<()> {
    let rows: Vec<_> = leases
        .iter()
        .map(|lease| {
            (
                job_attempt::job.eq(lease.job.as_str()),
                job_attempt::fence.eq(lease.fence.to_sql()),
                job_attempt::n.eq(lease.attempt.to_sql()),
                job_attempt::worker.eq(lease.worker.as_str()),
                job_attempt::started_at.eq(now.as_us()),
            )
        })
        .collect();
    db!(tx, |c| diesel::insert_into(job_attempt::table).values(rows).execute(c))?;
    Ok(())
}

/// Renews every lease of a worker and returns the job and fence of those that it still holds; work on any other must stop. Jobs past
/// their deadline are not renewed. May run in [`crate::Db::write_relaxed`].
pub fn heartbeat(tx: &mut Tx<'_>, worker: &WorkerId, lease: Duration, now: Timestamp) -> Result<Vec<(JobId, u64)>> {
    let held: Vec<(String, i64)> = db!(tx, |c| {
        diesel::update(job::table)
            .filter(job::state.eq(JobState::Running.as_str()).and(job::worker.eq(worker.as_str())))
            .filter(job::deadline_at.gt(now.as_us()))
            .set(job::lease_until.eq(now.plus(lease).as_us()))
            .returning((job::id, job::fence))
            .get_results(c)
    })?;
    held.into_iter().map(|(id, fence)| Ok((JobId::from_sql(id)?, u64::from_sql(fence)?))).collect()
}
