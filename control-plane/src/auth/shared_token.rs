//! This file's job is to recognise who presents a secret that stands in the configuration: edges, the operator.

use ring::hmac;
use runtime::secret::{ExposeSecret as _, Secret};

/// A configured token, with which presented ones are compared in constant time.
pub struct SharedToken {
    // Comparing MACs under a random key takes the same time whatever the lengths and contents are.
    key: hmac::Key,
    expected: hmac::Tag,
}

impl SharedToken {
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
        let token = SharedToken::new(&"0123456789abcdef".to_owned().into());
        assert!(token.matches("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
