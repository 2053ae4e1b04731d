//! This file's job is to define the SHA-256 value that names every blob.

use crate::error::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A SHA-256 digest. Its text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Returns the digest of the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Wraps 32 digest bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 digest bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl TryFrom<&[u8]> for Sha256 {
    type Error = Invalid;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| Invalid::new("Sha256", "must be 32 bytes"))
    }
}

impl std::str::FromStr for Sha256 {
    type Err = Invalid;

    /// Accepts exactly 64 lower-case hexadecimal digits, so that one blob has one name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: Invalid = Invalid::new("Sha256", "must be 64 lower-case hexadecimal digits");
        let digits: [u8; 64] = text.as_bytes().try_into().map_err(|_| RULE)?;
        // Every update check comes here: loops without branches become vector instructions.
        if !digits.iter().fold(true, |valid, digit| valid & matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(RULE);
        }
        let values = digits.map(|digit| (digit & 0xf) + 9 * (digit >> 6));
        Ok(Self(std::array::from_fn(|index| values[2 * index] << 4 | values[2 * index + 1])))
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sha256({})", &self.to_hex()[..12])
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A running digest, for bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Adds the bytes to the digest.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_other_spellings() {
        let hash = Sha256::of(b"aloft");
        assert_eq!(hash.to_hex().parse::<Sha256>(), Ok(hash));
        assert!(hash.to_hex().to_uppercase().parse::<Sha256>().is_err());
        assert!(hash.to_hex()[1..].parse::<Sha256>().is_err());
        assert!("z".repeat(64).parse::<Sha256>().is_err());
    }

    #[test]
    fn only_the_sixteen_digits_are_digits() {
        let digits: Vec<char> =
            ('\0'..='\u{7f}').filter(|&it| it.to_string().repeat(64).parse::<Sha256>().is_ok()).collect();
        assert_eq!(digits, "0123456789abcdef".chars().collect::<Vec<_>>());
    }

    #[test]
    fn running_digest_equals_digest_of_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"al");
        hasher.update(b"oft");
        assert_eq!(hasher.finish(), Sha256::of(b"aloft"));
    }
}
