//! This file's job is to write a time so that people can read it.

const US_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Writes microseconds since 1970 as `2026-11-23 21:07:06Z`.
#[must_use]
pub fn text(us: i64) -> String {
    let seconds = us.div_euclid(US_PER_SECOND);
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date(day);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Turns days since 1970-01-01 into a date of the Gregorian calendar, counting years from March so that a leap day is the last one.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_in_utc() {
        assert_eq!(text(0), "1970-01-01 00:00:00Z");
        assert_eq!(text(951_782_400 * US_PER_SECOND), "2000-02-29 00:00:00Z");
        assert_eq!(text(1_795_468_026 * US_PER_SECOND + 999_999), "2026-11-23 21:07:06Z");
        assert_eq!(text(-1), "1969-12-31 23:59:59Z");
    }
}
