//! This file's job is to queue background work in the transaction that makes it necessary.

use crate::context::Change;
use crate::error::Result;
use db::Tx;
use db::queue::NewJob;
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId};
use domain::job::{self, Job, Tier};

/// One unit of a tenant's share of the workers.
const COST_UNIT_BYTES: u64 = 8 << 20;

/// Queues work that concerns no organization. People wait for it, and it is short: it goes before what takes long.
///
/// # Errors
/// Those of the database.
pub fn enqueue_system(tx: &mut Tx<'_>, work: Job, now: Timestamp) -> Result<()> {
    let job = NewJob {
        id: JobId::from_parts(now, runtime::random::bytes()),
        tier: Tier::P0,
        organization: job::system_tenant(),
        app: None,
        work,
        cost: 1,
        run_at: now,
    };
    let _enqueued = db::queue::enqueue(tx, &job, now)?;
    Ok(())
}

/// Queues the work in the tier of the organization's plan. `size_bytes` is how much there is to read.
///
/// # Errors
/// Those of the database.
pub fn enqueue(tx: &mut Tx<'_>, change: &Change, app: &AppId, work: Job, size_bytes: u64) -> Result<()> {
    Ok(enqueue_for(tx, change.caller.scope.organization(), app, work, size_bytes, change.now)?)
}

/// Queues work that no caller asked for in the tier of the organization's plan.
///
/// # Errors
/// Those of the database.
pub fn enqueue_for(
    tx: &mut Tx<'_>,
    organization: &OrganizationId,
    app: &AppId,
    work: Job,
    size_bytes: u64,
    now: Timestamp,
) -> db::Result<()> {
    let organization = db::organizations::get_any(tx, organization)?;
    let job = NewJob {
        id: JobId::from_parts(now, runtime::random::bytes()),
        tier: organization.tier,
        organization: organization.id,
        app: Some(app.clone()),
        work,
        cost: u32::try_from(1 + size_bytes / COST_UNIT_BYTES).unwrap_or(u32::MAX),
        run_at: now,
    };
    // A live job that does the same work is as good.
    let _enqueued = db::queue::enqueue(tx, &job, now)?;
    Ok(())
}
