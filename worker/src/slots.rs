//! This file's job is to share the worker's slots between the tiers: idle ones are lent, but each tier keeps some for itself.

use crate::config::Tiers;
use domain::job::Tier;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

const TIERS: usize = Tier::ALL.len();

/// The slots of one worker.
pub(crate) struct Slots {
    /// How many of each tier's slots are never lent while they are idle.
    kept: [u32; TIERS],
    idle: Mutex<[u32; TIERS]>,
    freed: Notify,
}

/// The right to run one job; free again when dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    owner: usize,
}

impl Slots {
    pub(crate) fn new(tiers: &Tiers) -> Arc<Self> {
        let of = |field: fn(&crate::config::TierConfig) -> u32| std::array::from_fn(|i| field(&tiers.of(Tier::ALL[i])));
        Arc::new(Self {
            kept: of(|tier| tier.kept_slots),
            idle: Mutex::new(of(|tier| tier.slots)),
            freed: Notify::new(),
        })
    }

    /// Waits until the tier may run something, then takes up to `most` slots: its own first, then what others lend.
    pub(crate) async fn take(self: &Arc<Self>, tier: Tier, most: u32) -> Vec<Slot> {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // From here on nothing that is freed is missed.
            freed.as_mut().enable();
            let taken = self.try_take(tier, most);
            if !taken.is_empty() {
                return taken;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>, tier: Tier, most: u32) -> Vec<Slot> {
        let own = usize::try_from(tier.number()).unwrap_or(0);
        let mut idle = self.idle.lock();
        let mut taken = Vec::new();
        while taken.len() < most as usize {
            let lender = (0..TIERS).filter(|&other| other != own && idle[other] > self.kept[other]);
            // The one with the most to spare, so that no tier is drained before the others.
            let lender = lender.max_by_key(|&other| idle[other] - self.kept[other]);
            let owner = if idle[own] > 0 { Some(own) } else { lender };
            let Some(owner) = owner else { break };
            idle[owner] -= 1;
            taken.push(Slot { slots: Arc::clone(self), owner });
        }
        taken
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.idle.lock()[self.owner] += 1;
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TierConfig;
    use proptest::prelude::*;

    fn tiers(slots: [u32; TIERS], kept: [u32; TIERS]) -> Tiers {
        let tier = |i: usize| TierConfig {
            slots: slots[i],
            kept_slots: kept[i],
            batch: 10,
            tenant_slots: 0,
            deadline_ms: 60_000,
        };
        Tiers { p0: tier(0), p1: tier(1), p2: tier(2), p3: tier(3) }
    }

    #[test]
    fn idle_slots_are_lent_and_kept_ones_are_not() {
        let slots = Slots::new(&tiers([5, 3, 2, 1], [1, 1, 1, 1]));
        let flood = slots.try_take(Tier::P3, 100);
        assert_eq!(flood.len(), 1 + 4 + 2 + 1, "its own slot and what the others lend");
        for tier in [Tier::P0, Tier::P1, Tier::P2] {
            assert_eq!(slots.try_take(tier, 100).len(), 1, "{tier} keeps one");
        }
        drop(flood);
        let best = slots.try_take(Tier::P0, 100);
        assert_eq!(best.len(), 5 + 2 + 1);
        assert_eq!(slots.try_take(Tier::P3, 1).len(), 1, "the last tier's only slot is never lent");
    }

    #[tokio::test]
    async fn a_tier_waits_until_a_slot_is_free() {
        let slots = Slots::new(&tiers([1, 1, 1, 1], [1, 1, 1, 1]));
        let held = slots.take(Tier::P2, 1).await;
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take(Tier::P2, 1).await.len() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), 1);
    }

    proptest! {
        /// Whatever is taken and given back: no slot is made or lost, and a tier that runs nothing of its own always has what it keeps,
        /// unless those very slots run its own jobs.
        #[test]
        fn floors_hold_and_no_slot_is_lost(
            sizes in prop::array::uniform4(1u32..6),
            steps in prop::collection::vec((0usize..TIERS, 1u32..8, any::<bool>()), 1..60),
        ) {
            let kept = sizes.map(|size| size.min(2));
            let slots = Slots::new(&tiers(sizes, kept));
            let mut held: [Vec<Slot>; TIERS] = Default::default();
            for (tier, count, gives_back) in steps {
                if gives_back {
                    let keep = held[tier].len().saturating_sub(count as usize);
                    held[tier].truncate(keep);
                } else {
                    held[tier].extend(slots.try_take(Tier::ALL[tier], count));
                }
                let lent_out = |owner: usize| {
                    (0..TIERS).filter(|&user| user != owner)
                        .map(|user| held[user].iter().filter(|slot| slot.owner == owner).count() as u32).sum::<u32>()
                };
                for owner in 0..TIERS {
                    prop_assert!(lent_out(owner) <= sizes[owner] - kept[owner]);
                }
                let taken: usize = held.iter().map(Vec::len).sum();
                let idle: u32 = slots.idle.lock().iter().sum();
                prop_assert_eq!(taken as u32 + idle, sizes.iter().sum::<u32>());
            }
        }
    }
}
