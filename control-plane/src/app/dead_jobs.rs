//! This file's job is to try dead jobs again or to give them up, each with an entry in its organization's audit log.

use crate::auth::caller::Operator;
use crate::context::Context;
use crate::error::{Error, Result};
use db::queue::{self, DeadFilter, DeadJob};
use db::{AuditOutcome, Tx};
use domain::Timestamp;
use domain::id::{AuditId, JobId};
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
    let now = context.clock.now();
    let write = move |tx: &mut Tx<'_>| {
        let jobs = queue::list_dead(tx, &which.filter, None, JOBS_MAX)?;
        for job in &jobs {
            let made = JobId::from_parts(now, runtime::random::bytes());
            queue::retry_dead(tx, &job.id, &made, &operator.actor.id, now)?;
            note(tx, &operator, job, "RetryDeadJobs", ("retried_as", made.as_str()), now)?;
        }
        Ok(jobs.len() as u64)
    };
    Ok(context.db.write(write).await?)
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
    let now = context.clock.now();
    let write = move |tx: &mut Tx<'_>| {
        let jobs = queue::list_dead(tx, &which.filter, None, JOBS_MAX)?;
        for job in &jobs {
            queue::discard_dead(tx, &job.id, &reason, &operator.actor.id, now)?;
            note(tx, &operator, job, "DiscardDeadJobs", ("reason", &reason), now)?;
        }
        Ok(jobs.len() as u64)
    };
    Ok(context.db.write(write).await?)
}

async fn count(context: &Context, which: Which) -> Result<u64> {
    let counted = context.read(move |conn| Ok(queue::list_dead(conn, &which.filter, None, JOBS_MAX)?.len()));
    Ok(counted.await? as u64)
}

fn note(
    tx: &mut Tx<'_>,
    operator: &Operator,
    job: &DeadJob,
    action: &str,
    (name, value): (&str, &str),
    now: Timestamp,
) -> db::Result<()> {
    let entry = db::audit::Entry {
        id: AuditId::from_parts(now, runtime::random::bytes()),
        organization: job.tenant.clone(),
        actor_kind: operator.actor.kind.to_string(),
        actor_id: operator.actor.id.clone(),
        credential_id: Some(operator.actor.credential.clone()),
        action: action.to_owned(),
        resource: format!("deadJobs/{}", job.id),
        outcome: AuditOutcome::Done,
        detail: serde_json::json!({ name: value }).to_string(),
        at: now,
    };
    db::audit::insert(tx, &entry)
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
