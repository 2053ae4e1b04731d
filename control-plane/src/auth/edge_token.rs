//! This file's job is to recognise an edge by its enrolment token.

use ring::hmac;
use runtime::secret::{ExposeSecret as _, Secret};

/// Compares presented tokens with the configured one in constant time.
pub struct EdgeToken {
    // Comparing MACs under a random key takes the same time whatever the lengths and contents are.
    key: hmac::Key,
    expected: hmac::Tag,
}

impl EdgeToken {
    /// Makes the check for the configured token.
    #[must_use]
    pub fn new(token: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>());
        let expected = hmac::sign(&key, token.expose_secret().as_bytes());
        Self { key, expected }
    }

    /// Says whether this is the token.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        hmac::verify(&self.key, presented.as_bytes(), self.expected.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_token_matches() {
        let token = EdgeToken::new(&"0123456789abcdef".to_owned().into());
        assert!(token.matches("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
