//! This file's job is to write a time so that people can read it.

use domain::Timestamp;
use domain::calendar::Moment;

/// Writes microseconds since 1970 as `2026-11-23 21:07:06Z`.
#[must_use]
pub fn text(us: i64) -> String {
    let Moment { date: (year, month, day), time: (hour, minute, second), ms: _ } = Moment::of(Timestamp::from_us(us));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const US_PER_SECOND: i64 = 1_000_000;

    #[test]
    fn known_moments_are_written_in_utc() {
        assert_eq!(text(0), "1970-01-01 00:00:00Z");
        assert_eq!(text(951_782_400 * US_PER_SECOND), "2000-02-29 00:00:00Z");
        assert_eq!(text(1_795_468_026 * US_PER_SECOND + 999_999), "2026-11-23 21:07:06Z");
        assert_eq!(text(-1), "1969-12-31 23:59:59Z");
    }
}
