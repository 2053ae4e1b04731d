//! This file's job is to try dead jobs again or to give them up, each with an entry in its organization's audit log.

use crate::app::record;
use crate::auth::caller::Operator;
use crate::context::{Context, OperatorChange};
use crate::error::{Error, Result};
use db::Tx;
use db::queue::{self, DeadFilter, DeadJob, Enqueued};
use domain::id::JobId;
use domain::job::system_tenant;
use proto::v1;

/// Jobs of one call, which is one transaction.
const JOBS_MAX: u32 = 1_000;
/// Enough to say why.
const REASON_MAX_CHARACTERS: usize = 500;

/// Which dead jobs a call means.
#[derive(Debug, Clone)]
pub struct Which {
    /// What narrows them.
    pub filter: DeadFilter,
}

impl Which {
    /// Reads a filter.
    ///
    /// # Errors
    /// Invalid argument, also when nothing narrows the jobs and all of them are not asked for.
    pub fn read(wire: &v1::DeadJobFilter) -> Result<Self> {
        fn optional<T: std::str::FromStr<Err = domain::error::Invalid>>(
            text: &str,
            field: &'static str,
        ) -> Result<Option<T>> {
            if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(Error::in_field(field)) }
        }
        let filter = DeadFilter {
            id: optional(&wire.job_id, "filter.job_id")?,
            kind: optional(&wire.kind, "filter.kind")?,
            reason: (!wire.cause.is_empty()).then(|| wire.cause.clone()),
            organization: optional(&wire.organization_id, "filter.organization_id")?,
            ..DeadFilter::default()
        };
        if filter == DeadFilter::default() && !wire.all {
            return Err(Error::field("filter", "must narrow the jobs, or say all"));
        }
        Ok(Self { filter })
    }
}

/// Checks the reason of a discard.
///
/// # Errors
/// Invalid argument when it is missing or too long.
pub fn reason(text: String) -> Result<String> {
    if text.trim().is_empty() || text.chars().count() > REASON_MAX_CHARACTERS {
        return Err(Error::field("reason", "must be said in at most 500 characters"));
    }
    Ok(text)
}

/// Makes new jobs of the dead ones and returns how many there are; only counts them with `validate_only`.
///
/// # Errors
/// Those of the database; nothing is changed then.
pub async fn retry(context: &Context, operator: Operator, which: Which, validate_only: bool) -> Result<u64> {
    if validate_only {
        return count(context, which).await;
    }
    let write = move |tx: &mut Tx<'_>, change: &OperatorChange| {
        let mut jobs = queue::list_dead(tx, &which.filter, None, JOBS_MAX)?;
        in_one_order(&mut jobs);
        let mut made = Vec::new();
        for job in &jobs {
            let id = JobId::from_parts(change.now, runtime::random::bytes());
            let retried_as = match queue::retry_dead(tx, &job.id, &id, &change.operator.actor.id, change.now)? {
                Enqueued::New => id,
                Enqueued::Existing(live) => live,
            };
            made.push(retried_as);
        }
        for (job, made) in jobs.iter().zip(&made) {
            note(tx, change, job, "RetryDeadJobs", ("retried_as", made.as_str()))?;
        }
        Ok(jobs.len() as u64)
    };
    context.operate(operator, write).await
}

/// Gives the dead jobs up and returns how many there are; only counts them with `validate_only`.
///
/// # Errors
/// Those of the database; nothing is changed then.
pub async fn discard(
    context: &Context,
    operator: Operator,
    which: Which,
    reason: String,
    validate_only: bool,
) -> Result<u64> {
    if validate_only {
        return count(context, which).await;
    }
    let write = move |tx: &mut Tx<'_>, change: &OperatorChange| {
        let mut jobs = queue::list_dead(tx, &which.filter, None, JOBS_MAX)?;
        in_one_order(&mut jobs);
        for job in &jobs {
            queue::discard_dead(tx, &job.id, &reason, &change.operator.actor.id, change.now)?;
        }
        for job in &jobs {
            note(tx, change, job, "DiscardDeadJobs", ("reason", &reason))?;
        }
        Ok(jobs.len() as u64)
    };
    context.operate(operator, write).await
}

/// Every call locks its tenants' rows in the same order, so that none waits for another in a circle.
fn in_one_order(jobs: &mut [DeadJob]) {
    jobs.sort_by(|one, other| (&one.tenant, &one.id).cmp(&(&other.tenant, &other.id)));
}

async fn count(context: &Context, which: Which) -> Result<u64> {
    let counted = context.read(move |conn| Ok(queue::list_dead(conn, &which.filter, None, JOBS_MAX)?.len()));
    Ok(counted.await? as u64)
}

fn note(tx: &mut Tx<'_>, change: &OperatorChange, job: &DeadJob, action: &str, fact: (&str, &str)) -> Result<()> {
    // No organization's log tells of the installation's own jobs; the dead job itself says who dealt with it.
    if job.tenant == system_tenant() {
        return Ok(());
    }
    record::operated_on(tx, change, &job.tenant, (action, format!("deadJobs/{}", job.id)), &[fact])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_means_all_jobs_by_mistake() {
        let empty = v1::DeadJobFilter::default();
        assert!(Which::read(&empty).is_err());
        assert!(Which::read(&v1::DeadJobFilter { all: true, ..empty.clone() }).is_ok());
        assert!(Which::read(&v1::DeadJobFilter { cause: "unavailable".into(), ..empty.clone() }).is_ok());
        assert!(Which::read(&v1::DeadJobFilter { kind: "nonsense".into(), ..empty }).is_err());
    }

    #[test]
    fn a_discard_says_why() {
        assert!(reason("  ".into()).is_err() && reason("x".repeat(501)).is_err());
        assert!(reason("test data".into()).is_ok());
    }
}
