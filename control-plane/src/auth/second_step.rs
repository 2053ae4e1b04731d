//! This file's job is to carry a sign-in from its first step to its second one without storing anything.
//!
//! A token says whose password was right and until when that counts. It is signed under a key that all replicas have; the stored
//! password is part of what is signed, so that a new password ends it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::accounts::Account;
use domain::Timestamp;
use domain::id::UserId;
use ring::hmac;
use runtime::secret::{ExposeSecret as _, Secret};
use std::time::Duration;

/// Long enough to find the phone.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
const MAC_BYTES: usize = 32;

/// Makes and reads the tokens; also hashes recovery codes, which are too short for a plain hash.
#[derive(Clone)]
pub struct SecondSteps {
    tokens: hmac::Key,
    codes: hmac::Key,
}

/// What a token claims. [`SecondSteps::is_genuine`] says whether that is so.
pub struct Claim {
    /// Whose password was right.
    pub account: UserId,
    ends_at: Timestamp,
    mac: [u8; MAC_BYTES],
}

impl SecondSteps {
    /// Makes the keys from the installation's pepper.
    #[must_use]
    pub fn new(pepper: &Secret) -> Self {
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes());
        let derive = |purpose: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&pepper, purpose).as_ref());
        Self { tokens: derive(b"second steps"), codes: derive(b"recovery codes") }
    }

    /// Returns the token of an account whose first step was right just now.
    #[must_use]
    pub fn token(&self, account: &Account, now: Timestamp) -> String {
        let ends_at = now.plus(LIFETIME);
        let mac = hmac::sign(&self.tokens, &message(account, ends_at));
        let body = [mac.as_ref(), &ends_at.as_us().to_be_bytes(), account.id.as_str().as_bytes()].concat();
        URL_SAFE_NO_PAD.encode(body)
    }

    /// Reads a token; none when it has not the form of one.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<Claim> {
        let body = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, rest) = body.split_first_chunk::<MAC_BYTES>()?;
        let (ends_at, account) = rest.split_first_chunk::<8>()?;
        let account = std::str::from_utf8(account).ok()?.parse().ok()?;
        Some(Claim { account, ends_at: Timestamp::from_us(i64::from_be_bytes(*ends_at)), mac: *mac })
    }

    /// Says whether we made the token for this account and its password, and it counts now.
    #[must_use]
    pub fn is_genuine(&self, claim: &Claim, account: &Account, now: Timestamp) -> bool {
        let in_time = now < claim.ends_at && claim.ends_at <= now.plus(LIFETIME);
        in_time && hmac::verify(&self.tokens, &message(account, claim.ends_at), &claim.mac).is_ok()
    }

    /// Returns what is stored of a recovery code.
    #[must_use]
    pub fn code_hash(&self, account: &UserId, code: &str) -> domain::Sha256 {
        let tag = hmac::sign(&self.codes, format!("{account}\0{code}").as_bytes());
        domain::Sha256::of(tag.as_ref())
    }
}

fn message(account: &Account, ends_at: Timestamp) -> Vec<u8> {
    let password = account.password_hash.as_deref().unwrap_or_default();
    [account.id.as_str(), &ends_at.as_us().to_string(), password].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(password: &str) -> Account {
        Account {
            id: UserId::from_parts(Timestamp::from_us(0), [1; 10]),
            email: "pat@example.com".parse().unwrap(),
            name: "Pat".to_owned(),
            password_hash: Some(password.to_owned()),
            email_verified_at: None,
            created_at: Timestamp::from_us(0),
        }
    }

    #[test]
    fn a_token_counts_for_its_account_and_password_and_for_five_minutes() {
        let steps = SecondSteps::new(&Secret::from("p".repeat(32)));
        let now = Timestamp::from_us(1_000_000_000);
        let claim = steps.read(&steps.token(&account("a"), now)).unwrap();
        assert!(steps.is_genuine(&claim, &account("a"), now));
        assert!(!steps.is_genuine(&claim, &account("b"), now), "a new password");
        assert!(!steps.is_genuine(&claim, &account("a"), now.plus(LIFETIME)), "too late");
        assert!(!steps.is_genuine(&claim, &account("a"), now.minus(Duration::from_secs(1))), "a clock that ran ahead");
        let other = SecondSteps::new(&Secret::from("q".repeat(32)));
        assert!(!other.is_genuine(&claim, &account("a"), now), "of another installation");
        for bad in ["", "AAAA", "ä", &steps.token(&account("a"), now)[1..]] {
            assert!(steps.read(bad).is_none_or(|claim| !steps.is_genuine(&claim, &account("a"), now)), "{bad}");
        }
    }
}
