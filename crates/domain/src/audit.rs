//! This file's job is to define how entries of an organization's audit log are chained, so that anybody can check an exported log.

use crate::hash::Sha256;
use crate::time::Timestamp;

/// Comes before the first entry.
pub const GENESIS: Sha256 = Sha256::from_bytes([0; 32]);

/// One link: what the hash of an entry is made of, besides the hash of the entry before.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The entry's number; the first one is 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The entry's texts: id, organization, actor kind, actor id, credential (empty when there is none), action, resource, outcome,
    /// detail.
    pub texts: [&'a str; 9],
}

impl Link<'_> {
    /// Returns the entry's hash: SHA-256 of the hash before, seq and time as 8 bytes each (big-endian), and each text after its length in
    /// bytes as 8 bytes.
    #[must_use]
    pub fn hash(&self, previous: &Sha256) -> Sha256 {
        let mut bytes = previous.as_bytes().to_vec();
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.at.as_us().to_be_bytes());
        for text in self.texts {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        Sha256::of(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_entry_counts() {
        let texts = ["a", "b", "c", "d", "", "f", "g", "h", "{}"];
        let link = Link { seq: 1, at: Timestamp::from_us(5), texts };
        let hash = link.hash(&GENESIS);
        // Another implementation: hashlib.sha256(bytes(32) + pack(">Qq", 1, 5) + b"".join(pack(">Q", len(t)) + t for t in texts))
        assert_eq!(hash.to_string(), "8134a6133946588e3478a114886e6165124be0e013a19b68396fc2376b3b04c5");
        assert_ne!(link.hash(&hash), hash);
        assert_ne!(Link { seq: 2, ..link }.hash(&GENESIS), hash);
        assert_ne!(Link { at: Timestamp::from_us(6), ..link }.hash(&GENESIS), hash);
        for index in 0..texts.len() {
            let mut changed = texts;
            changed[index] = "x";
            assert_ne!(Link { texts: changed, ..link }.hash(&GENESIS), hash, "{index}");
        }
        // Moving a character from one text to the next is noticed.
        assert_ne!(Link { texts: ["", "ab", "c", "d", "", "f", "g", "h", "{}"], ..link }.hash(&GENESIS), hash);
    }
}
