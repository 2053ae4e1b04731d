//! This file's job is to name the parts of the queue of background work.
//!
//! A job is a row in one of four tiers. Workers lease ready jobs, never hold a transaction meanwhile, and write under a guard of
//! (fence, worker): a worker that lost its lease gets [`crate::Error::StaleLease`] and must throw its work away. The effect of a job
//! and its [`complete`] belong in one transaction. Delivery is at least once, effects inside the database are exactly once.
//! Inside a tier jobs run in the order of virtual start tags (start-time fair queueing), so that one tenant's flood does not delay
//! another's single job.

mod claim;
mod dead;
mod enqueue;
mod finish;
mod inspect;
pub(crate) mod payload;
mod rescue;

pub use claim::{Claim, Lease, claim, heartbeat};
pub use dead::{DeadFilter, DeadJob, count_dead, discard_dead, get_dead, list_dead, retry_dead};
pub use enqueue::{Enqueued, Flow, NewJob, enqueue, set_flow};
pub use finish::{Failed, Failure, complete, fail, release};
pub use inspect::{Attempt, JobInfo, TierStats, attempts, find, next_due_at, position, stats, trim_attempts};
pub use rescue::{Rescued, rescue_expired};

use crate::JobState;
use crate::column::row;
use domain::Timestamp;
use domain::id::{AppId, JobId, OrganizationId, WorkerId};
use domain::job::{JobKind, Tier};

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
    }
}
