//! This file's job is to leave a place alone that keeps failing.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures one after the other are no accident.
const FAILURES_MAX: u32 = 5;
/// Long enough to matter to a place that is overloaded, short enough that nobody notices its return late.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// Opens after failures; then one request at a time finds out whether the place works again.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Nobody may ask before.
    closed_until: Option<Instant>,
}

impl Breaker {
    /// Says whether the place may be asked now. Whoever may ask tells how it went.
    pub(crate) fn admits(&self) -> bool {
        let mut state = self.0.lock();
        match state.closed_until {
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                // The one who asks now asks for all.
                state.closed_until = Some(Instant::now() + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    /// The place has answered.
    pub(crate) fn succeeded(&self) {
        *self.0.lock() = State::default();
    }

    /// The place has failed. True when it is left alone from now on.
    pub(crate) fn failed(&self) -> bool {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        let opens = state.failures >= FAILURES_MAX;
        if opens {
            state.closed_until = Some(Instant::now() + OPEN_FOR);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_place_that_keeps_failing_is_left_alone_and_then_tried_by_one() {
        let breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            assert!(breaker.admits() && !breaker.failed());
        }
        assert!(breaker.admits() && breaker.failed());
        assert!(!breaker.admits());
        advance(OPEN_FOR).await;
        assert!(breaker.admits());
        assert!(!breaker.admits(), "one is enough to find out");
        assert!(breaker.failed() && !breaker.admits());
        advance(OPEN_FOR).await;
        assert!(breaker.admits());
        breaker.succeeded();
        assert!(breaker.admits() && breaker.admits());
    }
}
