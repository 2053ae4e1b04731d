//! This file's job is to name calendar months in UTC, in which builds are counted.

use crate::calendar::Moment;
use crate::time::Timestamp;
use std::time::Duration;

const US_PER_DAY: i64 = 86_400_000_000;
/// Longer than any month is left, so that the next month is found by steps of a day.
const DAYS_MAX: u32 = 32;

/// A month, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i64,
    month: i64,
}

impl Month {
    /// Returns the month of a time.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let (year, month, _) = Moment::of(at).date;
        Self { year, month }
    }

    /// Returns how long after the time its month ends.
    #[must_use]
    pub fn left(at: Timestamp) -> Duration {
        let today = at.as_us().div_euclid(US_PER_DAY);
        let this = Self::of(at);
        let next = (1..=i64::from(DAYS_MAX)).map(|days| today + days);
        let first = next.map(|day| Timestamp::from_us(day * US_PER_DAY)).find(|day| Self::of(*day) != this);
        first.map_or(Duration::ZERO, |first| first.since(at))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_and_end_at_midnight_in_utc() {
        let at = |seconds: i64| Timestamp::from_us(seconds * 1_000_000);
        assert_eq!(Month::of(at(0)).to_string(), "1970-01");
        assert_eq!(Month::of(at(-1)).to_string(), "1969-12");
        // 2024-02-29T23:59:59Z and the second after.
        assert_eq!(Month::of(at(1_709_251_199)).to_string(), "2024-02");
        assert_eq!(Month::of(at(1_709_251_200)).to_string(), "2024-03");
        assert_eq!(Month::left(at(1_709_251_199)), Duration::from_secs(1));
        assert_eq!(Month::left(at(1_709_251_200)), Duration::from_secs(31 * 86_400));
    }
}
