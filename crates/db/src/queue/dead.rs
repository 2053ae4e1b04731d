//! This file's job is to keep jobs that failed for good until an operator has dealt with them.

use super::{Enqueued, Failure, NewJob, StoredJob, enqueue, payload};
use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::job_dead;
use crate::{DbConn, DeadResolution, Error, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId};
use domain::job::{Job, JobKind, Tier};

row! {
    /// A job that failed for good.
    pub struct DeadJob as DeadJobRow in job_dead {
        /// The job's id.
        pub id: JobId,
        /// Its tier.
        pub tier: Tier,
        /// Whose job it is.
        pub tenant: OrganizationId,
        /// The app.
        pub app: Option<AppId>,
        /// The kind of work.
        pub kind: JobKind,
        /// The id that people look it up by.
        pub subject: String,
        /// What it was about; read it with [`DeadJob::work`].
        pub payload: String,
        /// How much of its tenant's share it used.
        pub cost: u32,
        /// Why it died, as a stable word.
        pub reason: String,
        /// The last error; [`super::attempts`] has all.
        pub error: String,
        /// How many attempts were charged.
        pub attempts: u32,
        /// When it was added.
        pub enqueued_at: Timestamp,
        /// When it died.
        pub died_at: Timestamp,
        /// What an operator did with it; none while it is open.
        pub resolution: Option<DeadResolution>,
        /// Why it was discarded.
        pub resolution_reason: Option<String>,
        /// Who dealt with it.
        pub resolved_by: Option<String>,
        /// When.
        pub resolved_at: Option<Timestamp>,
        /// The job that was made of it.
        pub retried_as: Option<JobId>,
    }
}

impl DeadJob {
    /// Returns what it was about.
    pub fn work(&self) -> Result<Job> {
        payload::decode(self.kind, &self.payload)
    }
}

/// Which dead jobs to list; `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Of this tier.
    pub tier: Option<Tier>,
    /// Of this organization.
    pub organization: Option<OrganizationId>,
    /// Those that were dealt with as well.
    pub resolved_too: bool,
}

pub(super) fn bury(tx: &mut Tx<'_>, row: &StoredJob, failure: &Failure, now: Timestamp) -> Result<()> {
    let dead = DeadJob {
        id: row.id.clone(),
        tier: row.tier,
        tenant: row.tenant.clone(),
        app: row.app.clone(),
        kind: row.kind,
        subject: row.subject.clone(),
        payload: row.payload.clone(),
        cost: row.cost,
        reason: failure.reason.clone(),
        error: failure.error.clone(),
        attempts: row.attempt,
        enqueued_at: row.enqueued_at,
        died_at: now,
        resolution: None,
        resolution_reason: None,
        resolved_by: None,
        resolved_at: None,
        retried_as: None,
    };
    db!(tx, |c| diesel::insert_into(job_dead::table).values(DeadJobRow::from(&dead)).execute(c))?;
    Ok(())
}

/// Lists dead jobs, oldest first, for operators; `after` is the id of the last one of the page before.
pub fn list_dead(conn: &mut DbConn, filter: &DeadFilter, after: Option<&str>, limit: u32) -> Result<Vec<DeadJob>> {
    let rows: Vec<DeadJobRow> = db!(conn, |c| {
        let mut query = job_dead::table.select(DeadJobRow::as_select()).into_boxed();
        if let Some(tier) = filter.tier {
            query = query.filter(job_dead::tier.eq(tier.to_sql()));
        }
        if let Some(organization) = &filter.organization {
            query = query.filter(job_dead::tenant.eq(organization.as_str()));
        }
        if !filter.resolved_too {
            query = query.filter(job_dead::resolution.is_null());
        }
        query.filter(job_dead::id.gt(after.unwrap_or_default())).order(job_dead::id).limit(page(limit)).load(c)
    })?;
    all(rows)
}

/// Counts the dead jobs that nobody has dealt with.
pub fn count_dead(conn: &mut DbConn) -> Result<u64> {
    let count: i64 = db!(conn, |c| { job_dead::table.filter(job_dead::resolution.is_null()).count().get_result(c) })?;
    u64::from_sql(count)
}

/// Returns a dead job, for operators.
pub fn get_dead(conn: &mut DbConn, id: &JobId) -> Result<DeadJob> {
    let found = db!(conn, |c| job_dead::table.find(id.as_str()).select(DeadJobRow::as_select()).first(c).optional())?;
    found.ok_or(Error::not_found("dead job"))?.try_into()
}

/// Makes a new job of a dead one; `Conflict` when it was dealt with already.
pub fn retry_dead(tx: &mut Tx<'_>, id: &JobId, new_id: &JobId, by: &str, now: Timestamp) -> Result<Enqueued> {
    let dead = get_dead(tx, id)?;
    let new = NewJob {
        id: new_id.clone(),
        tier: dead.tier,
        organization: dead.tenant.clone(),
        app: dead.app.clone(),
        work: dead.work()?,
        cost: dead.cost,
        run_at: now,
    };
    let enqueued = enqueue(tx, &new, now)?;
    let retried_as = match &enqueued {
        Enqueued::New => new_id,
        Enqueued::Existing(live) => live,
    };
    resolve(tx, id, DeadResolution::Retried, None, by, Some(retried_as), now)?;
    Ok(enqueued)
}

/// Gives a dead job up, with a reason; `Conflict` when it was dealt with already.
pub fn discard_dead(tx: &mut Tx<'_>, id: &JobId, reason: &str, by: &str, now: Timestamp) -> Result<()> {
    get_dead(tx, id)?;
    resolve(tx, id, DeadResolution::Discarded, Some(reason), by, None, now)
}

fn resolve(
    tx: &mut Tx<'_>,
    id: &JobId,
    resolution: DeadResolution,
    reason: Option<&str>,
    by: &str,
    retried_as: Option<&JobId>,
    now: Timestamp,
) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(job_dead::table.find(id.as_str()))
            .filter(job_dead::resolution.is_null())
            .set((
                job_dead::resolution.eq(resolution.as_str()),
                job_dead::resolution_reason.eq(reason),
                job_dead::resolved_by.eq(by),
                job_dead::resolved_at.eq(now.as_us()),
                job_dead::retried_as.eq(retried_as.map(JobId::as_str)),
            ))
            .execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::Conflict { what: "dead job" }) }
}
