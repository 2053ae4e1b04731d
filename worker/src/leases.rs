//! This file's job is to keep the leases of running jobs alive, and to stop jobs whose lease was lost.

use crate::context::Context;
use db::queue::{self, Lease};
use domain::id::JobId;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

type Key = (JobId, u64);

/// The leases of the jobs that run in this process.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<Key, CancellationToken>>);

/// A running job's entry; removed when dropped.
pub(crate) struct Held<'a> {
    leases: &'a Leases,
    key: Key,
    /// Cancelled when the lease is lost.
    pub(crate) lost: CancellationToken,
}

impl Leases {
    /// Adds a running job.
    pub(crate) fn hold(&self, lease: &Lease) -> Held<'_> {
        let (key, lost) = ((lease.job.clone(), lease.fence), CancellationToken::new());
        self.0.lock().insert(key.clone(), lost.clone());
        Held { leases: self, key, lost }
    }

    fn keys(&self) -> HashSet<Key> {
        self.0.lock().keys().cloned().collect()
    }

    fn cancel(&self, key: &Key) {
        if let Some(lost) = self.0.lock().get(key) {
            lost.cancel();
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.leases.0.lock().remove(&self.key);
    }
}

/// Sends heartbeats until it is time to stop.
pub(crate) async fn keep_alive(context: &Context) {
    let beat = Duration::from_millis(context.config.heartbeat_ms);
    while context.stop.run_until(tokio::time::sleep(beat)).await.is_some() {
        // Jobs that are claimed during the heartbeat are not judged by it.
        let running = context.leases.keys();
        if running.is_empty() {
            continue;
        }
        match heartbeat(context).await {
            Ok(held) => {
                for key in running.difference(&held) {
                    context.leases.cancel(key);
                }
            }
            // The leases may outlive the outage; if not, the fence refuses whatever the jobs write.
            Err(error) => tracing::warn!(%error, "no heartbeat"),
        }
    }
}

async fn heartbeat(context: &Context) -> db::Result<HashSet<Key>> {
    let (worker, lease, now) = (context.worker.clone(), context.config.lease(), context.clock.now());
    let held = context.db.write_relaxed(move |tx| queue::heartbeat(tx, &worker, lease, now)).await?;
    Ok(held.into_iter().collect())
}
