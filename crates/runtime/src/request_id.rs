//! This file's job is to name a request, so that its caller and every log line about it say the same.

use crate::random;

/// The header in which proxies send an id and callers find it.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// Longer ids are not taken over: they would fill the log. UUIDs, ULIDs and the ids of common proxies are shorter.
const MAX_BYTES: usize = 64;

/// Takes an id that somebody else gave: letters, digits and what stands between them in the ids of common proxies.
#[must_use]
pub fn given(value: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=/+~".contains(byte);
    let fits = (1..=MAX_BYTES).contains(&value.len()) && value.iter().all(is_plain);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

/// Makes an id: 64 random bits in hexadecimal, enough to find a request in the logs of weeks.
#[must_use]
pub fn make() -> String {
    hex::encode(random::bytes::<8>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_and_plain_ids_are_taken_over() {
        for taken in ["1", "0191f3c4-6d9b-7cc0-9e5f-2b4a8c1d7e3f", "Root=1-67891233-abcdef012345678912345678", &make()]
        {
            assert_eq!(given(taken.as_bytes()), Some(taken));
        }
        let long = "x".repeat(MAX_BYTES + 1);
        for refused in ["", "a b", "a\"b", "a\nb", "ä", "{}", &long] {
            assert_eq!(given(refused.as_bytes()), None, "{refused:?}");
        }
        assert_eq!(given(&[0xff]), None);
    }
}
