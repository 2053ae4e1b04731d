//! This file's job is to define what an API key looks like: `cp_(live|test)_[8]_[36]`.
//!
//! The 36 characters are 30 random ones and the CRC32 of all before them in 6 digits, so that scanners, and we, tell a key from a
//! look-alike without asking anybody. The part before the last underscore is public.

use domain::Environment;
use secrecy::{ExposeSecret as _, SecretString};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The public id's random digits: enough for 2 · 10^14 keys.
const PUBLIC_DIGITS: usize = 8;
/// The secret's random digits: 178 bits.
const SECRET_DIGITS: usize = 30;
/// Base-62 digits that hold any CRC32.
const CHECKSUM_DIGITS: usize = 6;
/// Bytes from this value on would make some digits likelier than others.
const UNBIASED_BELOW: u8 = 248;

/// A well-formed key. Whether it is a known one is another question.
#[derive(Clone)]
pub struct ApiKey {
    text: SecretString,
    public_len: usize,
}

impl ApiKey {
    /// Makes a new key from the system's randomness.
    #[must_use]
    pub fn generate(environment: Environment) -> Self {
        let public = format!("cp_{}_{}", environment.as_str(), random_digits(PUBLIC_DIGITS));
        let body = format!("{public}_{}", random_digits(SECRET_DIGITS));
        let text = format!("{body}{}", checksum(&body));
        Self { text: text.into(), public_len: public.len() }
    }

    /// Reads a key; none when the shape or the checksum is wrong. Costs no I/O.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("cp_live_").or_else(|| text.strip_prefix("cp_test_"))?;
        let (public, secret) = rest.split_once('_')?;
        let is_base62 = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if public.len() != PUBLIC_DIGITS || secret.len() != SECRET_DIGITS + CHECKSUM_DIGITS {
            return None;
        }
        if !is_base62(public) || !is_base62(secret) {
            return None;
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM_DIGITS);
        let public_len = text.len() - secret.len() - 1;
        (checksum(body) == sum).then(|| Self { text: text.to_owned().into(), public_len })
    }

    /// Returns the part that may be shown and logged, for instance `cp_live_3f9a1c2b`.
    #[must_use]
    pub fn public_id(&self) -> &str {
        &self.text.expose_secret()[..self.public_len]
    }

    /// Returns the whole key.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({}_…)", self.public_id())
    }
}

/// Returns the CRC32 of the text as base-62 digits, most significant first.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

fn random_digits(count: usize) -> String {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        let fair = runtime::random::bytes::<32>().into_iter().filter(|&byte| byte < UNBIASED_BELOW);
        digits.extend(
            fair.take(count - digits.len()).map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])),
        );
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_published_shape_and_reads_back() {
        for environment in [Environment::Live, Environment::Test] {
            let key = ApiKey::generate(environment);
            assert_eq!(key.expose().len(), 8 + PUBLIC_DIGITS + 1 + SECRET_DIGITS + CHECKSUM_DIGITS);
            let again = ApiKey::parse(key.expose()).expect("a generated key is well formed");
            assert_eq!(again.public_id(), key.public_id());
            assert_eq!(key.public_id().len(), 8 + PUBLIC_DIGITS);
        }
    }

    #[test]
    fn the_checksum_is_the_one_that_another_implementation_computes() {
        // python3: zlib.crc32(b"cp_live_00000000_" + b"0" * 30) in base 62
        assert_eq!(checksum(&format!("cp_live_00000000_{}", "0".repeat(30))), "2JWJgb");
    }

    #[test]
    fn any_changed_character_is_noticed_before_any_lookup() {
        let key = ApiKey::generate(Environment::Live).expose().to_owned();
        for index in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(ApiKey::parse(&changed).is_none(), "{index}");
        }
        for text in ["", "cp_live_", "Bearer", &key[1..], &key[..key.len() - 1], &format!("{key}0")] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_text_does_not_hold_the_secret() {
        let key = ApiKey::generate(Environment::Live);
        assert!(!format!("{key:?}").contains(&key.expose()[20..]));
    }
}
