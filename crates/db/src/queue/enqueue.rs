//! This file's job is to add jobs, tagged so that a tier's tenants take turns.
//!
//! Start-time fair queueing (Goyal, Vin, Cheng 1996), with the virtual time read off the queue itself: the tag of the job that is
//! next, else of the one that was last. No row is shared between tenants, and an idle tenant saves up no credit.

use super::{StoredJob, StoredJobRow, all_tiers, payload};
use crate::column::Column as _;
use crate::dialect::{self, db, first_locked};
use crate::schema::{job, job_flow, job_turn};
use crate::{DbConn, Error, JobState, Result, Tx};
use diesel::dsl::{max, min};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId};
use domain::job::{ATTEMPTS_MAX, Job, Lane, Tier};

/// Virtual time that one unit of cost takes at weight 1; keeps integer division by a weight exact enough.
const VIRTUAL_UNIT: i64 = 1_000_000;
/// No job uses more of a share: 8 GiB. Tags last for thousands of years of such jobs.
const COST_MAX: u32 = 1_024;

/// A job to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The tier of the organization's plan.
    pub tier: Tier,
    /// Whose turn it takes.
    pub organization: OrganizationId,
    /// The app, for people who look.
    pub app: Option<AppId>,
    /// What to do.
    pub work: Job,
    /// How much of its tenant's share it uses, at least 1; for an upload 1 + its size in units of 8 MiB.
    pub cost: u32,
    /// When it may start; at once when that is past.
    pub run_at: Timestamp,
}

/// What became of a job to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// It was added.
    New,
    /// A live job does the same work; nothing was added.
    Existing(JobId),
}

/// How a tenant shares a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its share against others; at least 1.
    pub weight: u32,
    /// How many of its jobs run at once at most; no limit when none.
    pub max_running: Option<u32>,
}

/// Adds a job in the caller's transaction, unless a live one does the same work. Wakes workers after the commit.
pub fn enqueue(tx: &mut Tx<'_>, new: &NewJob, now: Timestamp) -> Result<Enqueued> {
    let unique_key = new.work.unique_key();
    dialect::lock_unique_key(tx, &unique_key)?;
    let existing: Option<String> = db!(tx, |c| {
        job::table
            .filter(job::tier.eq_any(all_tiers()).and(job::unique_key.eq(&unique_key)))
            .select(job::id)
            .first(c)
            .optional()
    })?;
    if let Some(id) = existing {
        return Ok(Enqueued::Existing(JobId::from_sql(id)?));
    }
    let cost = new.cost.clamp(1, COST_MAX);
    let lane = new.work.kind().lane();
    let vstart = take_turn(tx, new.tier, lane, &new.organization, cost)?;
    let due_at = (new.run_at > now).then_some(new.run_at);
    let state = if due_at.is_some() { JobState::Waiting } else { JobState::Ready };
    let row = StoredJob {
        tier: new.tier,
        id: new.id.clone(),
        tenant: new.organization.clone(),
        app: new.app.clone(),
        kind: new.work.kind(),
        subject: payload::subject(&new.work),
        payload: payload::encode(&new.work),
        state,
        vstart,
        cost,
        run_at: new.run_at,
        attempt: 0,
        max_attempts: ATTEMPTS_MAX,
        fence: 0,
        worker: None,
        lease_until: None,
        deadline_at: None,
        unique_key,
        enqueued_at: now,
        first_started_at: None,
        lane,
        due_at,
    };
    db!(tx, |c| diesel::insert_into(job::table).values(StoredJobRow::from(&row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("job"))?;
    // A waiting job too: workers must arm their timers for it.
    tx.note_job(new.tier);
    Ok(Enqueued::New)
}

/// Takes the tenant's next turn in a lane: returns the job's tag and moves the tenant's finish on.
fn take_turn(tx: &mut Tx<'_>, tier: Tier, lane: Lane, tenant: &OrganizationId, cost: u32) -> Result<i64> {
    let key = (tier.to_sql(), lane.as_str(), tenant.as_str());
    db!(tx, |c| {
        diesel::insert_into(job_turn::table)
            .values((
                job_turn::tier.eq(key.0),
                job_turn::lane.eq(key.1),
                job_turn::tenant.eq(key.2),
                job_turn::last_vfinish.eq(0_i64),
            ))
            .on_conflict((job_turn::tier, job_turn::lane, job_turn::tenant))
            .do_nothing()
            .execute(c)
    })?;
    let last_vfinish: i64 = first_locked!(tx, job_turn::table.find(key).select(job_turn::last_vfinish), i64)?;
    let weight: Option<i64> = db!(tx, |c| {
        job_flow::table.find((tier.to_sql(), tenant.as_str())).select(job_flow::weight).first(c).optional()
    })?;
    let vstart = virtual_time(tx, tier, lane)?.unwrap_or(last_vfinish).max(last_vfinish);
    let vfinish = vstart.saturating_add(i64::from(cost) * VIRTUAL_UNIT / weight.unwrap_or(1).max(1));
    db!(tx, |c| { diesel::update(job_turn::table.find(key)).set(job_turn::last_vfinish.eq(vfinish)).execute(c) })?;
    Ok(vstart)
}

/// Returns a lane's virtual time: the tag of the job that is next, else of the running one that started last, else none.
pub(super) fn virtual_time(conn: &mut DbConn, tier: Tier, lane: Lane) -> Result<Option<i64>> {
    let in_lane = || job::tier.eq(tier.to_sql()).and(job::lane.eq(lane.as_str()));
    let is_ready = job::state.eq(JobState::Ready.as_str());
    let next: Option<i64> =
        db!(conn, |c| job::table.filter(in_lane().and(is_ready)).select(min(job::vstart)).first(c))?;
    if next.is_some() {
        return Ok(next);
    }
    let is_running = job::lease_until.is_not_null();
    Ok(db!(conn, |c| job::table.filter(in_lane().and(is_running)).select(max(job::vstart)).first(c))?)
}

/// Says how a tenant shares a tier; without it the weight is 1 and the workers' own limit holds. A new weight counts for jobs that
/// are added from now on.
pub fn set_flow(tx: &mut Tx<'_>, tier: Tier, tenant: &OrganizationId, flow: Flow) -> Result<()> {
    let (weight, most) = (flow.weight.max(1).to_sql(), flow.max_running.map(|most| most.max(1)).to_sql());
    db!(tx, |c| {
        diesel::insert_into(job_flow::table)
            .values((
                job_flow::tier.eq(tier.to_sql()),
                job_flow::tenant.eq(tenant.as_str()),
                job_flow::weight.eq(weight),
                job_flow::max_running.eq(most),
            ))
            .on_conflict((job_flow::tier, job_flow::tenant))
            .do_update()
            .set((job_flow::weight.eq(weight), job_flow::max_running.eq(most)))
            .execute(c)
    })?;
    tx.note_job(tier);
    Ok(())
}
