//! This file's job is to name the parts of the queue of background work.
//!
//! A job is a row in one of four tiers. Workers lease ready jobs, never hold a transaction meanwhile, and write under a guard of
//! (fence, worker): a worker that lost its lease gets [`crate::Error::StaleLease`] and must throw its work away. The effect of a job
//! and its [`complete`] belong in one transaction. Delivery is at least once, effects inside the database are exactly once.
//! Inside a tier jobs run in the order of virtual start tags (start-time fair queueing), so that one tenant's flood does not delay
//! another's single job. Work that nobody waits for has a lane of its own.
//!
//! A job has a lease exactly while it runs, and a due time exactly while it waits; the partial indexes over those are small, whatever
//! else is queued. Every statement that workers repeat reads a few rows through an index, however many jobs are queued; `tests/suite/queue_cost.rs`
//! holds them to that.

mod claim;
mod dead;
mod enqueue;
mod finish;
mod inspect;
pub(crate) mod payload;
mod pick;
mod rescue;

pub use claim::{Claim, Lease, claim, heartbeat};
pub use dead::{
    DeadFilter, DeadGroup, DeadJob, count_dead, dead_groups, discard_dead, get_dead, list_dead, notice_dead,
    retry_dead, trim_resolved,
};
pub use enqueue::{Enqueued, Flow, NewJob, enqueue, set_flow};
pub use finish::{Failed, Failure, complete, fail, hold, release};
pub use inspect::{
    Attempt, JobInfo, TenantStats, TierStats, attempts, find, next_due_at, next_lapse_at, position, stats,
    tenant_stats, trim_attempts,
};
pub use rescue::{Rescued, rescue_expired};

use crate::JobState;
use crate::column::{Column, row};
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId, WorkerId};
use domain::job::{JobKind, Lane, Tier};

row! {
    /// A live job as it is stored.
    pub(crate) struct StoredJob as StoredJobRow in job {
        pub tier: Tier,
        pub id: JobId,
        pub tenant: OrganizationId,
        pub app: Option<AppId>,
        pub kind: JobKind,
        pub subject: String,
        pub payload: String,
        pub state: JobState,
        pub vstart: i64,
        pub cost: u32,
        pub run_at: Timestamp,
        pub attempt: u32,
        pub max_attempts: u32,
        pub fence: u64,
        pub worker: Option<WorkerId>,
        pub lease_until: Option<Timestamp>,
        pub deadline_at: Option<Timestamp>,
        pub unique_key: String,
        pub enqueued_at: Timestamp,
        pub first_started_at: Option<Timestamp>,
        pub lane: Lane,
        pub due_at: Option<Timestamp>,
    }
}

/// Every tier's number. Naming them all lets both databases use indexes that begin with the tier.
fn all_tiers() -> Vec<i64> {
    Tier::ALL.iter().map(Column::to_sql).collect()
}
