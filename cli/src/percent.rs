//! This file's job is to read and write shares of devices exactly, without floating point.

use domain::Ppm;

/// One percent in parts per million.
const PPM_PER_PERCENT: u32 = 10_000;
/// Digits after the point that a percentage can have and still be a whole number of parts per million.
const DECIMALS_MAX: usize = 4;
const RULE: &str = "write a share such as 25%, 0.5% or 5000ppm (0% to 100%, at most 4 digits after the point)";

/// Reads `25%`, `0.5%` or `5000ppm`. The unit must be there: a bare `0.5` could mean half or half a percent.
pub fn parse(text: &str) -> Result<Ppm, String> {
    let text = text.trim();
    let ppm = if let Some(number) = text.strip_suffix("ppm") {
        whole(number.trim_end())
    } else if let Some(number) = text.strip_suffix('%') {
        percent(number.trim_end())
    } else {
        None
    };
    ppm.and_then(|ppm| Ppm::new(ppm).ok()).ok_or_else(|| RULE.to_owned())
}

/// Writes a share as a percentage without needless zeros, for instance `12.5%`.
#[must_use]
pub fn text(ppm: u32) -> String {
    let (percent, rest) = (ppm / PPM_PER_PERCENT, ppm % PPM_PER_PERCENT);
    if rest == 0 {
        return format!("{percent}%");
    }
    let decimals = format!("{rest:04}");
    format!("{percent}.{}%", decimals.trim_end_matches('0'))
}

fn whole(digits: &str) -> Option<u32> {
    // `u32::from_str` would accept a plus sign.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn percent(number: &str) -> Option<u32> {
    let (percent, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if decimals.is_empty() || decimals.len() > DECIMALS_MAX {
        return None;
    }
    let padded = format!("{decimals:0<DECIMALS_MAX$}");
    whole(percent)?.checked_mul(PPM_PER_PERCENT)?.checked_add(whole(&padded)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_become_exact_parts_per_million() {
        for (text, ppm) in [
            ("0%", 0),
            ("5%", 50_000),
            ("0.0001%", 1),
            ("33.3333%", 333_333),
            ("99.9%", 999_000),
            ("100%", 1_000_000),
            ("100.0%", 1_000_000),
            (" 25 % ", 250_000),
            ("1ppm", 1),
            ("1000000ppm", 1_000_000),
        ] {
            assert_eq!(parse(text).map(Ppm::get), Ok(ppm), "{text}");
        }
    }

    #[test]
    fn shares_that_are_unclear_or_inexact_are_refused() {
        for text in
            ["", "%", "5", "0.5", ".5%", "5.%", "-1%", "+1%", "100.0001%", "1000001ppm", "0.00001%", "1e1%", "½%"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("{}%", "9".repeat(40))).is_err());
    }

    #[test]
    fn every_written_share_reads_back_as_itself() {
        for ppm in (0..=1_000_000).step_by(7).chain([1_000_000]) {
            assert_eq!(parse(&text(ppm)).map(Ppm::get), Ok(ppm));
        }
        assert_eq!(text(125_000), "12.5%");
    }
}
