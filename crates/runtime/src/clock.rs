//! This file's job is to tell the time, and to let tests say what time it is.

use domain::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the time comes from. Clones share their source.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// Returns a clock that stands still until it is advanced.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.as_us()))))
    }

    /// Returns the time. A system clock before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_us(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Manual(us) => Timestamp::from_us(us.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock back, as somebody may do with a machine's. Does nothing to the system's clock.
    pub fn turn_back(&self, duration: Duration) {
        match &self.0 {
            Source::System => (),
            Source::Manual(us) => {
                us.fetch_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }

    /// Moves a manual clock forward. Does nothing to the system's clock.
    pub fn advance(&self, duration: Duration) {
        match &self.0 {
            Source::System => (),
            Source::Manual(us) => {
                us.fetch_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_advanced_and_clones_share_it() {
        let clock = Clock::manual(Timestamp::from_us(5));
        let other = clock.clone();
        clock.advance(Duration::from_micros(7));
        assert_eq!(other.now(), Timestamp::from_us(12));
        other.turn_back(Duration::from_micros(2));
        assert_eq!(clock.now(), Timestamp::from_us(10));
    }
}
