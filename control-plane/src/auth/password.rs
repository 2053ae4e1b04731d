//! This file's job is to hash passwords and to compare them, a few at a time.

use crate::error::{Error, Result};
use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier as _, Version};
use ring::hmac;
use runtime::secret::{ExposeSecret as _, Secret};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;

/// The memory, passes and lanes that OWASP's Password Storage Cheat Sheet gives for Argon2id: about 30 ms of one core. The memory is
/// what makes guessing with graphics cards dear; more of it would let few sign-ins fill a small machine.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// 128 bits, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;
/// Without a second factor anything shorter is guessed from a stolen table.
const CHARACTERS_MIN: usize = 12;
/// Room for any passphrase; hashing a longer text would only cost.
const CHARACTERS_MAX: usize = 128;
/// A sign-in that waits longer for its turn is told to come again.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A password that obeys the rules, in the one form in which keyboards of all kinds write it (Unicode NFKC).
pub struct NewPassword(Secret);

impl NewPassword {
    /// Checks a password.
    ///
    /// # Errors
    /// Invalid argument that names `field`.
    pub fn new(field: &'static str, text: &str) -> Result<Self> {
        let characters = text.chars().take(CHARACTERS_MAX + 1).count();
        if !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&characters) {
            return Err(Error::field(field, "must have 12 to 128 characters"));
        }
        let mut distinct: Vec<char> = text.chars().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < CHARACTERS_MIN / 3 {
            return Err(Error::field(field, "must have at least 4 different characters"));
        }
        Ok(Self(normal(text)))
    }
}

/// Hashes and compares. What is stored is worth nothing without the pepper.
#[derive(Clone)]
pub struct Passwords {
    pepper: Arc<[u8]>,
    slots: Arc<Semaphore>,
    /// Compared with when there is nothing to compare with, so that this takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// Derives the key from the installation's pepper.
    ///
    /// # Errors
    /// Internal when the parameters are refused, which they are not.
    pub fn new(pepper: &Secret) -> Result<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes());
        let pepper: Arc<[u8]> = hmac::sign(&key, b"passwords").as_ref().into();
        let nobody = hash(&pepper, &Secret::from(hex::encode(runtime::random::bytes::<32>())))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // One core stays free for everybody else; each slot needs the memory above.
        let slots = Arc::new(Semaphore::new(cores.saturating_sub(1).max(1)));
        Ok(Self { pepper, slots, nobody: nobody.into() })
    }

    /// Returns what is stored of a password.
    ///
    /// # Errors
    /// Unavailable when too many others wait.
    pub async fn hash(&self, password: NewPassword) -> Result<String> {
        let (slot, pepper) = (self.slot().await?, Arc::clone(&self.pepper));
        let hashed = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            hash(&pepper, &password.0)
        });
        hashed.await.map_err(|cause| Error::Broken { what: "a password could not be hashed", cause: cause.into() })?
    }

    /// Says whether the password is the stored one. Takes as long when nothing is stored.
    ///
    /// # Errors
    /// Unavailable when too many others wait.
    pub async fn matches(&self, stored: Option<String>, presented: &str) -> Result<bool> {
        // What nobody can have chosen is compared too, cut to a bounded length.
        let presented = normal(&presented.chars().take(CHARACTERS_MAX + 1).collect::<String>());
        let (slot, pepper, nobody) = (self.slot().await?, Arc::clone(&self.pepper), Arc::clone(&self.nobody));
        let compared = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let against = PasswordHash::new(stored.as_deref().unwrap_or(&nobody));
            let matches = against.is_ok_and(|against| {
                hasher(&pepper)
                    .is_ok_and(|hasher| hasher.verify_password(presented.expose_secret().as_bytes(), &against).is_ok())
            });
            matches && stored.is_some()
        });
        compared.await.map_err(|cause| Error::Broken { what: "a password could not be compared", cause: cause.into() })
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit> {
        match tokio::time::timeout(WAIT_MAX, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(Error::unavailable("too many people sign in at the moment")),
        }
    }
}

fn normal(text: &str) -> Secret {
    Secret::from(text.nfkc().collect::<String>())
}

fn hasher(pepper: &[u8]) -> Result<Argon2<'_>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    params
        .and_then(|params| Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params))
        .map_err(|cause| Error::Broken { what: "argon2 refuses its parameters", cause: cause.to_string().into() })
}

fn hash(pepper: &[u8], password: &Secret) -> Result<String> {
    let salt = runtime::random::bytes::<SALT_BYTES>();
    let hashed = hasher(pepper)?.hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
    let hashed = hashed
        .map_err(|cause| Error::Broken { what: "a password could not be hashed", cause: cause.to_string().into() })?;
    Ok(hashed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_matches_and_only_with_the_pepper() {
        let passwords = Passwords::new(&"pepper".into()).unwrap();
        let stored = passwords.hash(NewPassword::new("password", "correct horse battery").unwrap()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.matches(Some(stored.clone()), "correct horse battery").await.unwrap());
        // The same letters as another keyboard writes them.
        assert!(passwords.matches(Some(stored.clone()), "ｃorrect horse battery").await.unwrap());
        for wrong in ["", "correct horse batter", "Correct horse battery", &"x".repeat(100_000)] {
            assert!(!passwords.matches(Some(stored.clone()), wrong).await.unwrap());
        }
        assert!(!passwords.matches(None, "correct horse battery").await.unwrap());
        let others = Passwords::new(&"another".into()).unwrap();
        assert!(!others.matches(Some(stored), "correct horse battery").await.unwrap());
    }

    #[test]
    fn passwords_are_neither_short_nor_endless_nor_one_letter() {
        for bad in ["", "elevenchars", &"x".repeat(200), &"ab".repeat(10)] {
            assert!(NewPassword::new("password", bad).is_err(), "{bad}");
        }
        assert!(NewPassword::new("password", "drei Männer im Schnee").is_ok());
    }
}
