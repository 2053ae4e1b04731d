//! This file's job is to count in a sliding window with two numbers: those of this window and of the one before, which fades.
//!
//! So a request costs the same whatever the limit is. The one before counts for the part of it that the window up to now still covers.

use moka::sync::Cache;
use parking_lot::Mutex;
use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// How often something may happen.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Tries in a window.
    pub tries: u32,
    /// The window.
    pub window: Duration,
}

/// The counters of one subject.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// The window's number since the start of time.
    number: u64,
    current: u32,
    previous: u32,
}

/// The counters of many subjects. Those of a subject that is silent for two windows are forgotten: they would count for nothing.
pub struct Windows<K> {
    counts: Cache<K, Arc<Mutex<Window>>>,
}

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub admitted: bool,
    /// How many tries a window may have.
    pub limit: u32,
    /// How many more there may be now.
    pub remaining: u32,
    /// When more are possible: for a refused try the next one, else the end of the window.
    pub reset: Duration,
}

impl<K: Hash + Eq + Send + Sync + 'static> Windows<K> {
    /// Makes room for so many subjects, some 100 bytes each.
    #[must_use]
    pub fn new(subjects_max: u64, window: Duration) -> Self {
        Self { counts: Cache::builder().max_capacity(subjects_max).time_to_idle(window * 2).build() }
    }

    /// Counts a try of the subject, see [`Window::take`].
    pub fn take<Q>(&self, subject: &Q, now: Duration, allowance: Allowance) -> Decision
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let counts = self.counts.get_with_by_ref(subject, Arc::default);
        // The guard must not outlive the counters.
        let mut locked = counts.lock();
        locked.take(now, allowance)
    }

    /// Forgets the subject's tries.
    pub fn forget<Q>(&self, subject: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.counts.invalidate(subject);
    }
}

impl Window {
    /// Counts a try at a time since any fixed moment, unless there were too many. A clock that goes back gives no further tries.
    pub fn take(&mut self, now: Duration, Allowance { tries, window }: Allowance) -> Decision {
        let window_ms = millis(window).max(1);
        let number = (millis(now) / window_ms).max(self.number);
        if number != self.number {
            self.previous = if number == self.number + 1 { self.current } else { 0 };
            self.current = 0;
            self.number = number;
        }
        let elapsed_ms = millis(now).saturating_sub(number * window_ms);
        let used = self.used(elapsed_ms, window_ms);
        let admitted = used < tries;
        if admitted {
            self.current += 1;
        }
        let remaining = tries.saturating_sub(used + u32::from(admitted));
        let reset_ms = if admitted { window_ms - elapsed_ms } else { self.wait_ms(elapsed_ms, window_ms, tries) };
        Decision { admitted, limit: tries, remaining, reset: Duration::from_millis(reset_ms) }
    }

    /// Returns the tries of the window up to now, as far as two numbers can tell; rounded up.
    fn used(&self, elapsed_ms: u64, window_ms: u64) -> u32 {
        let before = (u64::from(self.previous) * (window_ms - elapsed_ms)).div_ceil(window_ms);
        self.current.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }

    /// Returns how long until a try is possible.
    fn wait_ms(&self, elapsed_ms: u64, window_ms: u64, tries: u32) -> u64 {
        let fading = |count: u32, room: u32| -> u64 {
            // The count fades evenly: this much of the window must pass until at most `room` of it is left.
            window_ms - (u64::from(room) * window_ms / u64::from(count.max(1))).min(window_ms)
        };
        let wait_ms = match tries.checked_sub(self.current + 1) {
            Some(room) => fading(self.previous, room).saturating_sub(elapsed_ms),
            None => (window_ms - elapsed_ms) + fading(self.current, tries.saturating_sub(1)),
        };
        wait_ms.max(1)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    const fn tries(tries: u32) -> Allowance {
        Allowance { tries, window: MINUTE }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn at_most_one_more_than_the_limit_in_any_window() {
        let mut window = Window::default();
        let times = (0..6_000).map(|tenth| at(f64::from(tenth) / 10.0));
        let admitted: Vec<Duration> = times.filter(|now| window.take(*now, tries(50)).admitted).collect();
        for (index, first) in admitted.iter().enumerate() {
            let in_window = admitted[index..].iter().take_while(|later| **later - *first < MINUTE).count();
            // Two numbers cannot know when in the window before the tries came; evenly spread ones are counted exactly.
            assert!(in_window <= 51, "{in_window} from {first:?}");
        }
        assert!(admitted.len() >= 9 * 50, "{}", admitted.len());
    }

    #[test]
    fn after_the_wait_that_was_told_a_try_is_admitted() {
        for (limit, spacing) in [(1, 0.5), (3, 0.1), (100, 0.01)] {
            let (mut window, mut now) = (Window::default(), 31.0);
            for _ in 0..500 {
                let decision = window.take(at(now), tries(limit));
                now += if decision.admitted { spacing } else { decision.reset.as_secs_f64() + 0.001 };
                let again = (!decision.admitted).then(|| window.take(at(now), tries(limit)));
                assert!(again.is_none_or(|again| again.admitted), "limit {limit} at {now}");
            }
        }
    }

    #[test]
    fn what_is_left_is_told() {
        let mut window = Window::default();
        let decision = window.take(at(10.0), tries(5));
        assert_eq!(decision, Decision { admitted: true, limit: 5, remaining: 4, reset: at(50.0) });
        assert!(!window.take(at(10.0), tries(0)).admitted);
    }

    #[test]
    fn the_window_before_fades() {
        let mut window = Window::default();
        let mut take = |seconds: f64| window.take(at(seconds), tries(3)).admitted;
        assert!((0..3).all(|_| take(119.0)));
        assert!(!take(120.0), "the edge of a window gives no second allowance");
        assert!(take(160.0) && take(400.0));
    }

    #[test]
    fn a_clock_that_jumps_gives_no_further_tries() {
        let mut window = Window::default();
        let mut take = |seconds: f64| window.take(at(seconds), tries(3)).admitted;
        assert!((0..3).all(|_| take(600.0)));
        assert!(!take(1.0) && !take(0.0), "back");
        assert!(!take(601.0), "and forth again");
    }
}
