//! This file's job is to put the worker together and to run it.

use crate::config::Config;
use crate::context::{Context, Deps};
use crate::error::Error;
use crate::leases::{self, Leases};
use crate::mail::Post;
use crate::metrics::WorkerMetrics;
use crate::slots::Slots;
use crate::webhook::Courier;
use crate::{periodic, rescue, tier};
use domain::id::WorkerId;
use domain::job::Tier;
use runtime::vault::Vault;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// No job runs that long: an older folder was left by a process that was killed.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Bundles that are looked into at once, whatever the slots: each takes a core, and memory for its source map.
const LOOKING_MAX: usize = 2;

/// A worker that is ready to run.
pub struct Worker(Arc<Context>);

impl Worker {
    /// Puts the worker together, under a fresh id: leases of an earlier process are not its own.
    ///
    /// # Errors
    /// When the spool folder cannot be made, or the mail server's address cannot be read.
    pub fn build(config: Config, deps: Deps) -> Result<Self, Error> {
        std::fs::create_dir_all(&config.spool_folder).map_err(Error::spool("making the spool folder"))?;
        remove_leftovers(&config.spool_folder);
        Ok(Self(Arc::new(Context {
            worker: WorkerId::from_parts(deps.clock.now(), runtime::random::bytes()),
            metrics: WorkerMetrics::new(&deps.metrics),
            health: deps.health.component("worker"),
            leases: Leases::default(),
            post: Post::new(&config)?,
            courier: Courier::new(&config, deps.clock.clone())?,
            vault: Vault::new(&config.master_keys, &config.pepper)
                .map_err(|error| Error::Internal(error.to_string()))?,
            slots: Slots::new(&config.tiers),
            looking: Semaphore::new(LOOKING_MAX),
            background: Arc::new(Semaphore::new(config.background_slots as usize)),
            config,
            db: deps.db,
            store: deps.store,
            clock: deps.clock,
            stop: deps.stop,
        })))
    }

    /// Runs until it is time to stop. Jobs that run then are given back without being charged an attempt.
    pub async fn run(self) {
        let context = self.0;
        tracing::info!(worker = %context.worker, "working");
        let mut parts = JoinSet::new();
        for &tier in Tier::ALL {
            parts.spawn(tier::run(context.clone(), tier));
        }
        let beating = context.clone();
        parts.spawn(async move { leases::keep_alive(&beating).await });
        let housekeeping = context.clone();
        parts.spawn(async move { periodic::run(&housekeeping).await });
        parts.spawn(async move { rescue::run(&context).await });
        while let Some(ended) = parts.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the worker broke");
            }
        }
    }
}

/// Best effort: another worker may share the folder, so only what is old is removed.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFTOVER_AGE));
        if is_old && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, path = %entry.path().display(), "a leftover stays");
        }
    }
}
