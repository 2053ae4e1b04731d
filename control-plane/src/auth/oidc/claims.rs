//! This file's job is to read what a token says, and to check whether it is said to us and now.

use domain::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;

/// What two clocks may differ by.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// Tokens of workflows live for minutes; one that lives for longer than a day would have to be remembered for as long.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer values are not what any issuer sends.
const VALUE_MAX_BYTES: usize = 1_024;

/// What a token says. Whether it is true, its signature and [`Claims::check`] say.
#[derive(Debug, Clone)]
pub struct Claims(Map<String, Value>);

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who made it.
    pub issuer: &'a str,
    /// For whom.
    pub audience: &'a str,
}

impl Claims {
    /// Takes what was read.
    #[must_use]
    pub const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Returns a text; numbers as their digits, because issuers differ in how they write ids.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if text.len() <= VALUE_MAX_BYTES => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Says whether the claim is true; some issuers write a text.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
    }

    /// Returns when the token ends.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.time("exp")
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        let seconds = self.0.get(name)?;
        let seconds = seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64))?;
        seconds.checked_mul(1_000_000).map(Timestamp::from_us)
    }

    /// Checks issuer, audience and times.
    ///
    /// # Errors
    /// The rule that the token breaks, for people.
    pub fn check(&self, expected: Expected<'_>, now: Timestamp) -> Result<(), String> {
        if self.text("iss").as_deref() != Some(expected.issuer) {
            return Err("it is of another issuer".to_owned());
        }
        if !self.is_for(expected.audience) {
            return Err(format!("its audience is not {}", expected.audience));
        }
        let ends_at = self.ends_at().ok_or("it does not say when it ends")?;
        if ends_at.plus(LEEWAY) <= now {
            return Err("it has expired".to_owned());
        }
        let issued_at = self.time("iat").ok_or("it does not say when it was made")?;
        let begins_at = self.time("nbf").unwrap_or(issued_at);
        if issued_at > now.plus(LEEWAY) || begins_at > now.plus(LEEWAY) {
            return Err("it does not count yet".to_owned());
        }
        if ends_at > now.plus(LIFETIME_MAX) {
            return Err("it lives for too long".to_owned());
        }
        Ok(())
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EXPECTED: Expected<'_> = Expected { issuer: "https://issuer", audience: "https://aloft" };

    fn check(claims: Value, seconds: i64) -> Result<(), String> {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Claims::new(claims).check(EXPECTED, Timestamp::from_us(seconds * 1_000_000))
    }

    fn claims(changes: Value) -> Value {
        let mut claims =
            json!({"iss": "https://issuer", "aud": "https://aloft", "iat": 1_000, "nbf": 1_000, "exp": 1_300});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    }

    #[test]
    fn a_token_counts_for_its_time_and_a_minute_around_it() {
        for (now, counts) in [(939, false), (940, true), (1_100, true), (1_359, true), (1_360, false)] {
            assert_eq!(check(claims(json!({})), now).is_ok(), counts, "{now}");
        }
    }

    #[test]
    fn what_is_missing_or_meant_for_others_is_refused() {
        assert!(check(claims(json!({"aud": ["x", "https://aloft"]})), 1_100).is_ok());
        for bad in [
            json!({"iss": "https://issuer/"}),
            json!({"aud": "https://aloft.evil"}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"exp": null}),
            json!({"exp": "1300"}),
            json!({"exp": i64::MAX}),
            json!({"exp": 1_000_000}),
            json!({"iat": null}),
            json!({"iat": 2_000}),
            json!({"nbf": 2_000}),
        ] {
            assert!(check(claims(bad.clone()), 1_100).is_err(), "{bad}");
        }
    }
}
