//! This file's job is to turn times into dates of the Gregorian calendar, in UTC.

use crate::time::Timestamp;

const US_PER_MS: i64 = 1_000;
const MS_PER_SECOND: i64 = 1_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A second of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Year, month from 1, day from 1.
    pub date: (i64, i64, i64),
    /// Hour, minute, second.
    pub time: (i64, i64, i64),
    /// Milliseconds of the second.
    pub ms: i64,
}

impl Moment {
    /// Returns the moment of a time.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let ms = at.as_us().div_euclid(US_PER_MS);
        let seconds = ms.div_euclid(MS_PER_SECOND);
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        Self {
            date: date(seconds.div_euclid(SECONDS_PER_DAY)),
            time: (second / 3_600, second / 60 % 60, second % 60),
            ms: ms.rem_euclid(MS_PER_SECOND),
        }
    }
}

/// Writes RFC 3339: `2026-11-23T21:07:06.000Z`.
impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { date: (year, month, day), time: (hour, minute, second), ms } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Turns days since 1970-01-01 into a date, counting years from March so that a leap day is the last one.
const fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_in_utc() {
        let text = |us| Moment::of(Timestamp::from_us(us)).to_string();
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_795_468_026_999_999), "2026-11-23T21:07:06.999Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
    }
}
