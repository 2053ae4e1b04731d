//! This file's job is to seal secrets for the database: AES-256-GCM under the newest master key.
//!
//! What is sealed is bound to its place, so that a sealed secret that is moved to another row does not open. Old master keys open what
//! was sealed under them until everything is sealed anew.

use crate::secret::{ExposeSecret as _, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use std::sync::Arc;
use thiserror::Error;
use zeroize::Zeroizing;

/// The id of the key that is derived from the pepper when no master key is configured.
const DERIVED_ID: &str = "pepper";
/// AES-256.
const KEY_BYTES: usize = 32;

/// A secret could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what}: {cause}")]
pub struct VaultError {
    /// What was tried.
    pub what: &'static str,
    /// Why it failed; no secret.
    pub cause: &'static str,
}

/// What sealing and opening return.
type Result<T> = std::result::Result<T, VaultError>;

/// A secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the master key.
    pub master_key: String,
    /// 12 bytes of nonce, then the ciphertext, then 16 bytes of tag.
    pub bytes: Vec<u8>,
}

/// A key with its id.
struct MasterKey {
    id: String,
    key: LessSafeKey,
}

/// Seals and opens. Clones share the keys.
#[derive(Clone)]
pub struct Vault(Arc<[MasterKey]>);

impl Vault {
    /// Makes a vault of configured keys, newest first; of a key derived from the pepper when there are none. That one also opens what
    /// was sealed before the first key was configured.
    ///
    /// # Errors
    /// When a configured key is malformed, which the configuration's check has ruled out.
    pub fn new(master_keys: &[Secret], pepper: &Secret) -> Result<Self> {
        let derived = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes());
        let derived = hmac::sign(&derived, b"master key");
        let mut keys = Vec::with_capacity(master_keys.len() + 1);
        for text in master_keys {
            let (id, bytes) = parse(text).map_err(|rule| broken("a master key", rule))?;
            keys.push(MasterKey { id, key: key(&bytes)? });
        }
        keys.push(MasterKey { id: DERIVED_ID.to_owned(), key: key(derived.as_ref())? });
        Ok(Self(keys.into()))
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.newest().id
    }

    /// Seals a secret anew, under the newest key.
    ///
    /// # Errors
    /// When it does not open.
    pub fn reseal(&self, place: &str, sealed: &Sealed) -> Result<Sealed> {
        self.seal(place, &self.open(place, sealed)?)
    }

    /// There is always one.
    fn newest(&self) -> &MasterKey {
        &self.0[0]
    }

    /// Seals a secret for a place, for instance the id of its row.
    ///
    /// # Errors
    /// None that a secret of ours could cause.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<Sealed> {
        let MasterKey { id, key } = self.newest();
        let nonce: [u8; NONCE_LEN] = crate::random::bytes();
        let mut text = secret.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| broken("a secret could not be sealed", "it is too long"))?;
        Ok(Sealed { master_key: id.clone(), bytes: [nonce.as_slice(), &text].concat() })
    }

    /// Opens a secret that was sealed for this place.
    ///
    /// # Errors
    /// When its master key is not configured any more, or it was changed or moved.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        const WHAT: &str = "a sealed secret cannot be opened";
        let key = self.0.iter().find(|key| key.id == sealed.master_key);
        let key = key.ok_or_else(|| broken(WHAT, "its master key is not configured"))?;
        let split = sealed.bytes.split_first_chunk::<NONCE_LEN>();
        let (nonce, text) = split.ok_or_else(|| broken(WHAT, "it is too short"))?;
        let mut text = Zeroizing::new(text.to_vec());
        let (nonce, place) = (Nonce::assume_unique_for_key(*nonce), Aad::from(place.as_bytes()));
        let opened = key.key.open_in_place(nonce, place, &mut text);
        let length = opened.map_err(|_| broken(WHAT, "it was changed or moved"))?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// Reads `ID:64 HEX DIGITS`.
///
/// # Errors
/// The rule that the text breaks.
pub fn parse(text: &Secret) -> std::result::Result<(String, Zeroizing<Vec<u8>>), &'static str> {
    const RULE: &str = "must each look like ID:64 hexadecimal digits";
    let (id, digits) = text.expose_secret().split_once(':').ok_or(RULE)?;
    let bytes = Zeroizing::new(hex::decode(digits).map_err(|_| RULE)?);
    let id_fits = !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if id_fits && id != DERIVED_ID && bytes.len() == KEY_BYTES { Ok((id.to_owned(), bytes)) } else { Err(RULE) }
}

fn key(bytes: &[u8]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| broken("a master key", "has not 32 bytes"))?;
    Ok(LessSafeKey::new(key))
}

const fn broken(what: &'static str, cause: &'static str) -> VaultError {
    VaultError { what, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &[&str]) -> Vault {
        let keys: Vec<Secret> = keys.iter().map(|id| format!("{id}:{}", id.repeat(64)).into()).collect();
        Vault::new(&keys, &Secret::from("p".repeat(32))).unwrap()
    }

    #[test]
    fn a_secret_opens_in_its_place_only_and_unchanged_only() {
        let vault = vault(&["a"]);
        let sealed = vault.seal("usr_1", b"secret").unwrap();
        assert_eq!(*vault.open("usr_1", &sealed).unwrap(), b"secret");
        assert!(vault.open("usr_2", &sealed).is_err(), "moved");
        for index in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[index] ^= 1;
            assert!(vault.open("usr_1", &changed).is_err(), "{index}");
        }
        assert!(vault.open("usr_1", &Sealed { bytes: vec![1; 5], ..sealed.clone() }).is_err());
        assert_ne!(vault.seal("usr_1", b"secret").unwrap(), sealed, "no nonce is used twice");
    }

    #[test]
    fn old_keys_open_and_the_newest_seals() {
        let before = vault(&[]).seal("x", b"secret").unwrap();
        let old = vault(&["a"]).seal("x", b"secret").unwrap();
        let rotated = vault(&["b", "a"]);
        assert_eq!((before.master_key.as_str(), old.master_key.as_str()), (DERIVED_ID, "a"));
        assert_eq!(rotated.seal("x", b"secret").unwrap().master_key, "b");
        assert!(rotated.open("x", &old).is_ok() && rotated.open("x", &before).is_ok());
        assert!(vault(&["b"]).open("x", &old).is_err(), "a key that is gone");
    }

    #[test]
    fn malformed_keys_are_refused() {
        for bad in
            ["", "a", "a:", &"0".repeat(64), &format!("a:{}", "0".repeat(63)), &format!("pepper:{}", "0".repeat(64))]
        {
            assert!(parse(&Secret::from(bad)).is_err(), "{bad}");
        }
    }
}
