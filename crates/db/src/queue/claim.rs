//! This file's job is to lease ready jobs to workers and to keep the leases alive.

use super::enqueue::virtual_time;
use super::{StoredJob, StoredJobRow, payload, pick};
use crate::column::{Column as _, all};
use crate::dialect::{self, db};
use crate::schema::{job, job_attempt};
use crate::{JobState, Result, Scope, Tx};
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId, WorkerId};
use domain::job::{Job, Lane, Tier};
use std::time::Duration;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tier.
    pub tier: Tier,
    /// Jobs at most; the smaller of the tier's batch and the worker's free slots.
    pub limit: u32,
    /// Jobs of the background lane at most.
    pub background_max: u32,
    /// The lane that is looked at first; what is left of the limit goes to the other.
    pub first: Lane,
    /// How many jobs of one tenant run at once in the tier, on all workers together, unless [`super::set_flow`] says otherwise.
    pub tenant_max: Option<u32>,
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
    let ids = pick::pick(tx, claim)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut leases = Vec::with_capacity(ids.len());
    for row in all::<_, StoredJob>(lease(tx, claim, &ids, now)?)? {
        leases.push(Lease {
            work: payload::decode(row.kind, &row.payload)?,
            job: row.id,
            tier: row.tier,
            organization: row.tenant,
            app: row.app,
            attempt: row.attempt,
            fence: row.fence,
            worker: claim.worker.clone(),
            lease_until: row.lease_until.unwrap_or(now),
            deadline_at: row.deadline_at.unwrap_or(now),
            enqueued_at: row.enqueued_at,
        });
    }
    leases.sort_by_key(|lease| ids.iter().position(|id| id == lease.job.as_str()));
    note_attempts(tx, &leases, now)?;
    Ok(leases)
}

fn lease(tx: &mut Tx<'_>, claim: &Claim, ids: &[String], now: Timestamp) -> Result<Vec<StoredJobRow>> {
    let deadline_at = now.plus(claim.deadline);
    let lease_until = now.plus(claim.lease).min(deadline_at);
    Ok(db!(tx, |c| {
        diesel::update(job::table)
            .filter(job::tier.eq(claim.tier.to_sql()).and(job::id.eq_any(ids)))
            // The lock of the tier keeps other claimers away; this keeps everybody else away.
            .filter(job::state.eq(JobState::Ready.as_str()))
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
            .returning(StoredJobRow::as_returning())
            .get_results(c)
    })?)
}

/// Makes waiting jobs ready whose time has come. They re-enter no earlier than the tier's virtual time, so that waiting earns no
/// credit against others.
fn wake_due(tx: &mut Tx<'_>, tier: Tier, now: Timestamp) -> Result<()> {
    let is_due = || job::tier.eq(tier.to_sql()).and(job::due_at.le(now.as_us()));
    let due: Option<String> = db!(tx, |c| job::table.filter(is_due()).select(job::id).first(c).optional())?;
    if due.is_none() {
        return Ok(());
    }
    for &lane in Lane::ALL {
        let start = virtual_time(tx, tier, lane)?.unwrap_or(0);
        db!(tx, |c| {
            diesel::update(job::table)
                .filter(is_due().and(job::lane.eq(lane.as_str())))
                .set((
                    job::state.eq(JobState::Ready.as_str()),
                    job::due_at.eq(None::<i64>),
                    job::vstart.eq(case_when::<_, _, BigInt>(job::vstart.lt(start), start).otherwise(job::vstart)),
                ))
                .execute(c)
        })?;
    }
    Ok(())
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

/// Renews every lease of a worker and returns the job and fence of those that it still holds; work on any other must stop. No lease
/// outlives its job's deadline. May run in [`crate::Db::write_relaxed`].
pub fn heartbeat(tx: &mut Tx<'_>, worker: &WorkerId, lease: Duration, now: Timestamp) -> Result<Vec<(JobId, u64)>> {
    let until = now.plus(lease).as_us();
    let held: Vec<(String, i64)> =
        db!(tx, |c| {
            diesel::update(job::table)
                .filter(job::lease_until.is_not_null())
                .filter(job::worker.eq(worker.as_str()).and(job::deadline_at.gt(now.as_us())))
                .set(job::lease_until.eq(
                    case_when::<_, _, Nullable<BigInt>>(job::deadline_at.lt(until), job::deadline_at).otherwise(until),
                ))
                .returning((job::id, job::fence))
                .get_results(c)
        })?;
    held.into_iter().map(|(id, fence)| Ok((JobId::from_sql(id)?, u64::from_sql(fence)?))).collect()
}
