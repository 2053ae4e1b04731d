//! This file's job is to hold what every part of the worker needs.

use crate::config::Config;
use crate::leases::Leases;
use crate::mail::Post;
use crate::metrics::WorkerMetrics;
use crate::slots::Slots;
use crate::webhook::Courier;
use blob::Store;
use db::Db;
use domain::id::WorkerId;
use runtime::clock::Clock;
use runtime::health::{Component, Health};
use runtime::observe::Metrics;
use runtime::shutdown::Stop;
use runtime::vault::Vault;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the worker works with.
pub struct Deps {
    /// The database, migrated.
    pub db: Db,
    /// The object store.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    /// Says when to stop.
    pub stop: Stop,
    /// Where metrics are added.
    pub metrics: Metrics,
    /// Where the worker says how it is.
    pub health: Health,
}

/// What every part of the worker needs.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) store: Store,
    pub(crate) post: Post,
    pub(crate) courier: Courier,
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) health: Component,
    pub(crate) worker: WorkerId,
    pub(crate) leases: Leases,
    pub(crate) slots: Arc<Slots>,
    /// Room for looking into bundles.
    pub(crate) looking: Semaphore,
    /// Room for jobs of the background lane.
    pub(crate) background: Arc<Semaphore>,
}

/// Returns random jitter for the queue.
pub(crate) fn jitter() -> u16 {
    u16::from_le_bytes(runtime::random::bytes())
}
