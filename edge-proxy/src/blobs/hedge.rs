//! This file's job is to say when a request takes so long that a second one is worth its cost.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Duration;

/// The last requests that count.
const REMEMBERED: usize = 64;
/// With fewer, nothing is known of the slowest ones.
const KNOWN_FROM: usize = 32;
/// While nothing is known.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Sooner, a second request would only add load; later, the device has noticed.
const DELAYS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(5)];
/// Of a hundred requests so many may be asked twice.
const SHARE_PERCENT: u32 = 5;
/// So many at once, when all was well for long.
const SAVED_MAX_PERCENT: u32 = 1_000;

/// What is known of how long requests take, and how many may be asked twice.
#[derive(Debug)]
pub(crate) struct Hedges(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    took: VecDeque<Duration>,
    /// A second request costs 100.
    saved_percent: u32,
}

impl Default for Hedges {
    fn default() -> Self {
        Self(Mutex::new(Inner { took: VecDeque::with_capacity(REMEMBERED), saved_percent: SAVED_MAX_PERCENT }))
    }
}

impl Hedges {
    /// A request begins. Returns after which time a second one is worth it: when 95 of 100 would be done.
    pub(crate) fn delay(&self) -> Duration {
        let mut inner = self.0.lock();
        inner.saved_percent = (inner.saved_percent + SHARE_PERCENT).min(SAVED_MAX_PERCENT);
        if inner.took.len() < KNOWN_FROM {
            return FIRST_DELAY;
        }
        let mut sorted: Vec<Duration> = inner.took.iter().copied().collect();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * 95 / 100].clamp(DELAYS[0], DELAYS[1])
    }

    /// Says whether one more second request may be sent.
    pub(crate) fn take(&self) -> bool {
        let mut inner = self.0.lock();
        let rest = inner.saved_percent.checked_sub(100);
        inner.saved_percent = rest.unwrap_or(inner.saved_percent);
        rest.is_some()
    }

    /// A request was answered in this time.
    pub(crate) fn note(&self, took: Duration) {
        let mut inner = self.0.lock();
        if inner.took.len() == REMEMBERED {
            inner.took.pop_front();
        }
        inner.took.push_back(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_what_nearly_all_requests_stay_below() {
        let hedges = Hedges::default();
        assert_eq!(hedges.delay(), FIRST_DELAY);
        (1..=59).for_each(|_| hedges.note(Duration::from_millis(100)));
        (1..=5).for_each(|_| hedges.note(Duration::from_secs(9)));
        assert_eq!(hedges.delay(), DELAYS[1], "the slow ones are more than five of a hundred");
        hedges.note(Duration::from_millis(100));
        (1..=62).for_each(|_| hedges.note(Duration::from_millis(100)));
        assert_eq!(hedges.delay(), Duration::from_millis(100));
        (1..=REMEMBERED).for_each(|_| hedges.note(Duration::from_millis(1)));
        assert_eq!(hedges.delay(), DELAYS[0]);
    }

    #[test]
    fn second_requests_are_a_bounded_share() {
        let hedges = Hedges::default();
        while hedges.take() {}
        let taken = (0..10_000).filter(|_| {
            hedges.delay();
            hedges.take()
        });
        assert_eq!(taken.count(), 500);
    }
}
