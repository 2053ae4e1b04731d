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
use std::collections::BTreeMap;

/// Dead jobs that are grouped at once; an operator who has more deals with the largest groups first.
const GROUPED_MAX: i64 = 10_000;
/// Enough to tell errors apart.
const FINGERPRINT_MAX_CHARACTERS: usize = 200;

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
        /// When operators were told of it.
        pub noticed_at: Option<Timestamp>,
    }
}

impl DeadJob {
    /// Returns what it was about.
    pub fn work(&self) -> Result<Job> {
        payload::decode(self.kind, &self.payload)
    }
}

/// Which dead jobs to list; `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Exactly this one.
    pub id: Option<JobId>,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// Those that died of this.
    pub reason: Option<String>,
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
        noticed_at: None,
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
        if let Some(id) = &filter.id {
            query = query.filter(job_dead::id.eq(id.as_str()));
        }
        if let Some(kind) = filter.kind {
            query = query.filter(job_dead::kind.eq(kind.as_str()));
        }
        if let Some(reason) = &filter.reason {
            query = query.filter(job_dead::reason.eq(reason));
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

/// Dead jobs that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadGroup {
    /// The kind of work.
    pub kind: JobKind,
    /// Why they died, as a stable word.
    pub reason: String,
    /// What their errors have in common: words with digits, such as ids, are replaced by `#`.
    pub error: String,
    /// How many there are.
    pub count: u64,
    /// When the first of them died.
    pub first_died_at: Timestamp,
    /// When the last of them died.
    pub last_died_at: Timestamp,
    /// One of them.
    pub sample: JobId,
}

/// Groups the oldest [`GROUPED_MAX`] dead jobs that nobody has dealt with by their error, largest group first.
pub fn dead_groups(conn: &mut DbConn) -> Result<Vec<DeadGroup>> {
    let rows: Vec<(String, String, String, String, i64)> = db!(conn, |c| {
        job_dead::table
            .filter(job_dead::resolution.is_null())
            .order(job_dead::id)
            .limit(GROUPED_MAX)
            .select((job_dead::id, job_dead::kind, job_dead::reason, job_dead::error, job_dead::died_at))
            .load(c)
    })?;
    let mut groups: BTreeMap<(String, String, String), DeadGroup> = BTreeMap::new();
    for (id, kind, reason, error, died_at) in rows {
        let (error, died_at) = (fingerprint(&error), Timestamp::from_us(died_at));
        let key = (kind.clone(), reason.clone(), error.clone());
        match groups.get_mut(&key) {
            Some(group) => {
                group.count += 1;
                group.first_died_at = group.first_died_at.min(died_at);
                group.last_died_at = group.last_died_at.max(died_at);
            }
            None => {
                let (kind, sample) = (JobKind::from_sql(kind)?, JobId::from_sql(id)?);
                let group =
                    DeadGroup { kind, reason, error, count: 1, first_died_at: died_at, last_died_at: died_at, sample };
                groups.insert(key, group);
            }
        }
    }
    let mut groups: Vec<DeadGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(groups)
}

/// Returns what errors of one cause have in common.
fn fingerprint(error: &str) -> String {
    let word =
        |word: &str| if word.bytes().any(|byte| byte.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    let words: Vec<String> = error.split_whitespace().map(word).collect();
    words.join(" ").chars().take(FINGERPRINT_MAX_CHARACTERS).collect()
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

/// Takes dead jobs that operators were not told of yet, oldest first, and notes that they are told now.
pub fn notice_dead(tx: &mut Tx<'_>, limit: u32, now: Timestamp) -> Result<Vec<DeadJob>> {
    let ids: Vec<String> = db!(tx, |c| {
        job_dead::table
            .filter(job_dead::noticed_at.is_null())
            .order(job_dead::id)
            .limit(page(limit))
            .select(job_dead::id)
            .load(c)
    })?;
    let rows: Vec<DeadJobRow> = db!(tx, |c| {
        diesel::update(job_dead::table.filter(job_dead::id.eq_any(ids).and(job_dead::noticed_at.is_null())))
            .set(job_dead::noticed_at.eq(now.as_us()))
            .returning(DeadJobRow::as_returning())
            .get_results(c)
    })?;
    all(rows)
}

/// Forgets dead jobs that were dealt with before the time and returns how many there were.
pub fn trim_resolved(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(job_dead::table.filter(job_dead::resolved_at.lt(before.as_us()))).execute(c))?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_ids_only_are_alike() {
        let (one, two) = ("worker wrk_01j9: lease-lost", "worker wrk_77xx: lease-lost");
        assert_eq!((fingerprint(one), fingerprint(one)), (fingerprint(two), "worker # lease-lost".to_owned()));
        assert_ne!(fingerprint("disk full"), fingerprint("no route"));
    }
}
