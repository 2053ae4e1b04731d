//! This file's job is to queue background work in the transaction that makes it necessary.

use crate::context::Change;
use crate::error::Result;
use db::Tx;
use db::queue::NewJob;
use domain::Timestamp;
use domain::id::{AppId, JobId};
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
    let organization = db::organizations::get(tx, &change.caller.scope)?;
    let job = NewJob {
        id: JobId::from_parts(change.now, runtime::random::bytes()),
        tier: organization.tier,
        organization: organization.id,
        app: Some(app.clone()),
        work,
        cost: u32::try_from(1 + size_bytes / COST_UNIT_BYTES).unwrap_or(u32::MAX),
        run_at: change.now,
    };
    // A live job that does the same work is as good.
    let _enqueued = db::queue::enqueue(tx, &job, change.now)?;
    Ok(())
}
