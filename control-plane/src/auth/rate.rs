//! This file's job is to count requests of each credential in a sliding minute.
//!
//! Two numbers for each credential: the requests of this minute and of the one before, which counts for the part of it that the last 60
//! seconds still cover. So a request costs the same whatever the limit is. Each replica counts for itself.

use moka::sync::Cache;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The window that limits are given for.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Credentials that are counted at the same time; 100 bytes each.
const COUNTED_MAX: u64 = 100_000;

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// The minute's number since the start.
    window: u64,
    current: u32,
    previous: u32,
}

/// What came of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub admitted: bool,
    /// How many requests a minute there may be.
    pub limit: u32,
    /// How many more there may be now.
    pub remaining: u32,
    /// When more are possible: for a refused request the next one, else the end of the minute.
    pub reset: Duration,
}

/// The counters of one replica. A clock that jumps does not matter: only the monotonic one is asked.
pub struct Rates {
    start: Instant,
    counts: Cache<String, Arc<Mutex<Counts>>>,
}

impl Default for Rates {
    fn default() -> Self {
        let counts = Cache::builder().max_capacity(COUNTED_MAX).time_to_idle(WINDOW * 2).build();
        Self { start: Instant::now(), counts }
    }
}

impl Rates {
    /// Counts a request of the credential, unless there were too many.
    pub fn take(&self, credential: &str, limit: u32) -> Decision {
        let counts = self.counts.get_with_by_ref(credential, Arc::default);
        let now = Instant::now().duration_since(self.start);
        let mut counts = counts.lock();
        counts.take(now, limit)
    }
}

impl Counts {
    fn take(&mut self, now: Duration, limit: u32) -> Decision {
        let window = now.as_secs() / WINDOW.as_secs();
        if window != self.window {
            self.previous = if window == self.window + 1 { self.current } else { 0 };
            self.current = 0;
            self.window = window;
        }
        let elapsed_ms = millis(now) % millis(WINDOW);
        let used = self.used(elapsed_ms);
        let admitted = used < limit;
        if admitted {
            self.current += 1;
        }
        let remaining = limit.saturating_sub(used + u32::from(admitted));
        let reset = if admitted { WINDOW - Duration::from_millis(elapsed_ms) } else { self.wait(elapsed_ms, limit) };
        Decision { admitted, limit, remaining, reset }
    }

    /// Returns the requests of the last 60 seconds, as far as two numbers can tell; rounded up.
    fn used(&self, elapsed_ms: u64) -> u32 {
        let left_ms = millis(WINDOW) - elapsed_ms;
        let before = (u64::from(self.previous) * left_ms).div_ceil(millis(WINDOW));
        self.current.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }

    /// Returns how long until a request is possible.
    fn wait(&self, elapsed_ms: u64, limit: u32) -> Duration {
        let window_ms = millis(WINDOW);
        let fading = |count: u32, room: u32| -> u64 {
            // The count fades evenly: this much of the window must pass until at most `room` of it is left.
            let room = u64::from(room);
            window_ms - (room * window_ms / u64::from(count.max(1))).min(window_ms)
        };
        let wait_ms = match limit.checked_sub(self.current + 1) {
            Some(room) => fading(self.previous, room).saturating_sub(elapsed_ms),
            None => (window_ms - elapsed_ms) + fading(self.current, limit.saturating_sub(1)),
        };
        Duration::from_millis(wait_ms.max(1))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn at_most_one_more_than_the_limit_in_any_minute() {
        let mut counts = Counts::default();
        let admitted: Vec<Duration> =
            (0..6_000).map(|tenth| at(f64::from(tenth) / 10.0)).filter(|now| counts.take(*now, 50).admitted).collect();
        for (index, first) in admitted.iter().enumerate() {
            let in_minute = admitted[index..].iter().take_while(|later| **later - *first < WINDOW).count();
            // Two numbers cannot know when in the minute before the requests came; evenly spread ones are counted exactly.
            assert!(in_minute <= 51, "{in_minute} from {first:?}");
        }
        assert!(admitted.len() >= 9 * 50, "{}", admitted.len());
    }

    #[test]
    fn after_the_wait_that_was_told_a_request_is_admitted() {
        for (limit, spacing) in [(1, 0.5), (3, 0.1), (100, 0.01)] {
            let (mut counts, mut now) = (Counts::default(), 31.0);
            for _ in 0..500 {
                let decision = counts.take(at(now), limit);
                now += if decision.admitted { spacing } else { decision.reset.as_secs_f64() + 0.001 };
                let again = (!decision.admitted).then(|| counts.take(at(now), limit));
                assert!(again.is_none_or(|again| again.admitted), "limit {limit} at {now}");
            }
        }
    }

    #[test]
    fn what_is_left_is_told() {
        let mut counts = Counts::default();
        let decision = counts.take(at(10.0), 5);
        assert_eq!(decision, Decision { admitted: true, limit: 5, remaining: 4, reset: at(50.0) });
        assert!(!counts.take(at(10.0), 0).admitted);
    }
}
