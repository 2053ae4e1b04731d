//! This file's job is to define the one representation of time: microseconds since 1970 in UTC.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z. Durations are added as `std::time::Duration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes a timestamp from microseconds since 1970.
    #[must_use]
    pub const fn from_us(us: i64) -> Self {
        Self(us)
    }

    /// Returns microseconds since 1970.
    #[must_use]
    pub const fn as_us(self) -> i64 {
        self.0
    }

    /// Returns whole milliseconds since 1970, never negative.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        if self.0 < 0 { 0 } else { (self.0 / 1_000).unsigned_abs() }
    }

    /// Returns this time plus the duration, stopping at the largest representable time.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns this time minus the duration, stopping at the smallest representable time.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns how long before `self` the other time was; zero when it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}
