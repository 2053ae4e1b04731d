//! This file's job is to claim the jobs of one tier, never more than it has free slots.

use crate::context::Context;
use crate::outcome;
use crate::slots::Slot;
use db::queue::{self, Claim, Lease};
use domain::Timestamp;
use domain::job::{Lane, Tier};
use runtime::backoff::Backoff;
use runtime::health::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

/// The first and the longest wait when the database is away.
const OUTAGE_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// One claim in so many looks at the background lane first, so that a flood of uploads does not stop deltas for ever.
const BACKGROUND_TURN: u64 = 4;

/// What one claim brought.
struct Claimed {
    leases: Vec<Lease>,
    /// When the next waiting job becomes ready; only asked for when nothing is left to claim now.
    next_due_at: Option<Timestamp>,
    is_drained: bool,
}

/// Claims and runs jobs until it is time to stop; returns when all of them have ended.
pub(crate) async fn run(context: Arc<Context>, tier: Tier) {
    let mut wake = context.db.wakeups().jobs(tier);
    let mut backoff = Backoff::new(OUTAGE_WAITS.0, OUTAGE_WAITS.1);
    let mut running = JoinSet::new();
    let batch = context.config.tiers.of(tier).batch;
    let mut turn = 0_u64;
    while let Some(slots) = context.stop.run_until(context.slots.take(tier, batch)).await {
        while running.try_join_next().is_some() {}
        turn += 1;
        let first = if turn.is_multiple_of(BACKGROUND_TURN) { Lane::Background } else { Lane::Foreground };
        let background = background_permits(&context, slots.len());
        let pause = match claim(&context, tier, slots.len(), background.len(), first).await {
            Ok(claimed) => {
                backoff.reset();
                context.health.set(State::Ready, "");
                let pause = claimed.is_drained.then(|| until_next(&context, claimed.next_due_at));
                start(&context, &mut running, claimed.leases, slots, background);
                pause
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

/// Takes what may run in the background now: as many jobs as have room in memory, on all tiers together.
fn background_permits(context: &Context, most: usize) -> Vec<OwnedSemaphorePermit> {
    (0..most).map_while(|_| Arc::clone(&context.background).try_acquire_owned().ok()).collect()
}

/// The poll, or less when a job becomes ready before it.
fn until_next(context: &Context, due_at: Option<Timestamp>) -> Duration {
    let poll = Duration::from_millis(context.config.poll_ms);
    due_at.map_or(poll, |due_at| due_at.since(context.clock.now()).min(poll))
}

async fn claim(context: &Context, tier: Tier, limit: usize, background_max: usize, first: Lane) -> db::Result<Claimed> {
    let settings = context.config.tiers.of(tier);
    let claim = Claim {
        tier,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        background_max: u32::try_from(background_max).unwrap_or(u32::MAX),
        first,
        tenant_max: (settings.tenant_slots > 0).then_some(settings.tenant_slots),
        worker: context.worker.clone(),
        lease: context.config.lease(),
        deadline: Duration::from_millis(settings.deadline_ms),
    };
    let clock = context.clock.clone();
    let write = move |tx: &mut db::Tx<'_>| {
        let leases = queue::claim(tx, &claim, clock.now())?;
        let is_drained = leases.len() < limit;
        let next_due_at = if is_drained { queue::next_due_at(tx, tier)? } else { None };
        Ok(Claimed { leases, next_due_at, is_drained })
    };
    context.db.write_relaxed(write).await
}

fn start(
    context: &Arc<Context>,
    running: &mut JoinSet<()>,
    leases: Vec<Lease>,
    slots: Vec<Slot>,
    mut background: Vec<OwnedSemaphorePermit>,
) {
    for (lease, slot) in leases.into_iter().zip(slots) {
        let permit = match lease.work.kind().lane() {
            Lane::Foreground => None,
            Lane::Background => background.pop(),
        };
        let context = Arc::clone(context);
        running.spawn(async move {
            outcome::attempt(&context, &lease).await;
            drop((slot, permit));
        });
    }
}
