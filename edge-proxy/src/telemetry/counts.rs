//! This file's job is to count what happens often, without a lock and without an allocation.

use domain::tally::{Amount, TallyKey};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Threads that count the same thing at the same moment, on a machine of a few cores, seldom meet.
const LANES: usize = 4;
/// Two for each channel that an edge may follow, and some; of 400 bytes each.
const COUNTS_MAX: usize = 250_000;

/// How often one thing happened. Whoever counts often keeps it.
#[derive(Default)]
pub(crate) struct Count([Lane; LANES]);

/// In a cache line of its own, so that no thread waits for another one's.
#[derive(Default)]
#[repr(align(64))]
struct Lane {
    times: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    /// Counts one more time. Any lane will do; what spreads callers over them is fast.
    pub(crate) fn once(&self, lane: u32) {
        self.0[lane as usize % LANES].times.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that were sent.
    pub(crate) fn bytes(&self, lane: u32, bytes: u64) {
        self.0[lane as usize % LANES].bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns what was counted since this was last asked.
    fn take(&self) -> Amount {
        let mut sum = Amount::default();
        for lane in &self.0 {
            let (times, bytes) = (lane.times.swap(0, Ordering::Relaxed), lane.bytes.swap(0, Ordering::Relaxed));
            sum += Amount { times, bytes };
        }
        sum
    }
}

/// Everything that is being counted.
pub(crate) struct Counts {
    known: Mutex<HashMap<TallyKey, Arc<Count>>>,
    /// What has no room of its own.
    other: Arc<Count>,
    max: usize,
}

/// What was counted in a while.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counted {
    pub(crate) amounts: Vec<(TallyKey, Amount)>,
    pub(crate) other_times: u64,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), other: Arc::default(), max: COUNTS_MAX }
    }

    /// Returns the count of the thing.
    pub(crate) fn of(&self, key: TallyKey) -> Arc<Count> {
        let mut known = self.known.lock();
        if known.len() >= self.max && !known.contains_key(&key) {
            return self.other.clone();
        }
        known.entry(key).or_default().clone()
    }

    /// Returns what was counted since this was last called. Forgets what nobody counts any more.
    pub(crate) fn take(&self) -> Counted {
        let mut counted = Counted { amounts: Vec::new(), other_times: self.other.take().times };
        self.known.lock().retain(|key, count| {
            // Who holds it may count at any moment; who does not can only get it under the lock.
            let is_kept = Arc::get_mut(count).is_none();
            let amount = count.take();
            if amount != Amount::default() {
                counted.amounts.push((key.clone(), amount));
            }
            is_kept
        });
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::AppId;
    use domain::tally::{CheckResult, Measure};

    fn key(app: u8) -> TallyKey {
        let app = AppId::from_parts(Timestamp::from_us(1), [app; 10]);
        TallyKey { app, channel: None, release: None, bundle: None, measure: Measure::Check(CheckResult::Nothing) }
    }

    #[test]
    fn what_many_threads_count_is_taken_once_and_whole() {
        const EACH: u64 = 20_000;
        let counts = Counts::new();
        let mut taken = 0;
        std::thread::scope(|scope| {
            let counting: Vec<_> = (0..4_u32)
                .map(|lane| {
                    let counts = &counts;
                    scope.spawn(move || {
                        for round in 0..EACH {
                            let count = counts.of(key((round % 3) as u8));
                            count.once(lane);
                            count.bytes(lane, 2);
                        }
                    })
                })
                .collect();
            while !counting.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                taken += counts.take().amounts.iter().map(|(_, amount)| amount.times + amount.bytes).sum::<u64>();
            }
        });
        taken += counts.take().amounts.iter().map(|(_, amount)| amount.times + amount.bytes).sum::<u64>();
        assert_eq!(taken, 4 * EACH * 3);
        assert!(counts.known.lock().is_empty(), "nobody holds any");
    }

    #[test]
    fn what_finds_no_room_is_counted_together() {
        let counts = Counts { max: 2, ..Counts::new() };
        let held: Vec<_> = (0..5).map(|app| counts.of(key(app))).collect();
        held.iter().for_each(|count| count.once(0));
        let counted = counts.take();
        assert_eq!((counted.amounts.len(), counted.other_times), (2, 3));
        counts.of(key(1)).once(0);
        assert_eq!(counts.take().amounts, [(key(1), Amount { times: 1, bytes: 0 })], "what is held keeps its room");
        assert_eq!(counts.take(), Counted::default());
    }
}
