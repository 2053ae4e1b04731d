//! This file's job is to say how long to wait before trying again, so that many clients do not try at once.

use crate::random;
use std::time::Duration;

/// Full jitter: each wait is random between zero and a bound that doubles up to a maximum.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    bound: Duration,
}

impl Backoff {
    /// Starts with waits up to `first`; waits never exceed `max`.
    #[must_use]
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, bound: first }
    }

    /// Returns the next wait and doubles the bound.
    pub fn next_wait(&mut self) -> Duration {
        let bound_us = u64::try_from(self.bound.as_micros()).unwrap_or(u64::MAX);
        self.bound = self.bound.saturating_mul(2).min(self.max);
        Duration::from_micros(random::below(bound_us.saturating_add(1)))
    }

    /// Goes back to the first bound, after a success.
    pub const fn reset(&mut self) {
        self.bound = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_bound_that_doubles_up_to_the_maximum() {
        let (first, max) = (Duration::from_millis(10), Duration::from_millis(35));
        let mut backoff = Backoff::new(first, max);
        for bound in [10, 20, 35, 35] {
            assert!(backoff.next_wait() <= Duration::from_millis(bound));
        }
        backoff.reset();
        assert!(backoff.next_wait() <= first);
    }
}
