//! This file's job is to claim the jobs of one tier, never more than it has free slots.

use crate::context::Context;
use crate::outcome;
use db::queue::{self, Claim, Lease};
use domain::job::Tier;
use runtime::backoff::Backoff;
use runtime::health::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// The first and the longest wait when the database is away.
const OUTAGE_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Claims and runs jobs until it is time to stop; returns when all of them have ended.
pub(crate) async fn run(context: Arc<Context>, tier: Tier) {
    let slots = Arc::new(Semaphore::new(context.config.tiers.of(tier).slots as usize));
    let mut wake = context.db.wakeups().jobs();
    let mut backoff = Backoff::new(OUTAGE_WAITS.0, OUTAGE_WAITS.1);
    let mut running = JoinSet::new();
    while let Some(permits) = context.stop.run_until(take_slots(&context, &slots, tier)).await {
        while running.try_join_next().is_some() {}
        let wanted = permits.len();
        let pause = match claim(&context, tier, wanted).await {
            Ok(leases) => {
                backoff.reset();
                context.health.set(State::Ready, "");
                let is_drained = leases.len() < wanted;
                for (lease, permit) in leases.into_iter().zip(permits) {
                    running.spawn(run_one(context.clone(), lease, permit));
                }
                is_drained.then(|| Duration::from_millis(context.config.poll_ms))
            }
            Err(error) => {
                tracing::warn!(%tier, %error, "no jobs can be claimed");
                context.health.set(State::Down, "the database is away");
                Some(backoff.next_wait())
            }
        };
        if let Some(pause) = pause {
            // A signal counts also when it came during the claim.
            let signal = tokio::time::timeout(pause, wake.wait());
            if context.stop.run_until(signal).await.is_none() {
                break;
            }
        }
    }
    while running.join_next().await.is_some() {}
}

/// Waits for a free slot, then takes all that are free, up to the batch.
async fn take_slots(context: &Context, slots: &Arc<Semaphore>, tier: Tier) -> Vec<OwnedSemaphorePermit> {
    let batch = context.config.tiers.of(tier).batch as usize;
    let mut permits = Vec::new();
    // The semaphore is never closed; without a permit nothing is claimed.
    permits.extend(slots.clone().acquire_owned().await.ok());
    while permits.len() < batch {
        match slots.clone().try_acquire_owned() {
            Ok(permit) => permits.push(permit),
            Err(_) => break,
        }
    }
    permits
}

async fn claim(context: &Context, tier: Tier, limit: usize) -> db::Result<Vec<Lease>> {
    let claim = Claim {
        tier,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        worker: context.worker.clone(),
        lease: context.config.lease(),
        deadline: context.config.deadline(),
    };
    let clock = context.clock.clone();
    context.db.write_relaxed(move |tx| queue::claim(tx, &claim, clock.now())).await
}

async fn run_one(context: Arc<Context>, lease: Lease, permit: OwnedSemaphorePermit) {
    outcome::attempt(&context, &lease).await;
    drop(permit);
}
