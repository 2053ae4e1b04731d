//! This file's job is to keep once what the snapshots of many channels have in common: ranges of binaries, and the keys of an app's tokens.

use crate::devices::token::TokenKeys;
use domain::release::Release;
use domain::snapshot::TokenKey;
use domain::target::{BinaryRange, Target};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// More ranges than are usual, and apps whose channels are read at about the same time. What is forgotten is only shared no more.
const KEPT: usize = 1_024;

/// What was read before.
pub(crate) struct Interned {
    ranges: Cache<Box<str>, BinaryRange>,
    keys: Cache<Vec<TokenKey>, Arc<TokenKeys>>,
}

impl Default for Interned {
    fn default() -> Self {
        Self { ranges: Cache::new(KEPT), keys: Cache::new(KEPT) }
    }
}

impl Interned {
    /// Replaces ranges by equal ones that are there already.
    pub(super) fn share_ranges(&self, releases: &mut [Release]) {
        for release in releases {
            if let Target::BinaryRange(range) = &mut release.target {
                self.share(range);
            }
        }
    }

    fn share(&self, range: &mut BinaryRange) {
        match self.ranges.get(range.as_str()) {
            Some(known) => *range = known,
            None => self.ranges.insert(range.as_str().into(), range.clone()),
        }
    }

    /// Returns the keys, ready for use.
    pub(super) fn keys(&self, keys: &[TokenKey]) -> Arc<TokenKeys> {
        if let Some(known) = self.keys.get(keys) {
            return known;
        }
        let made = Arc::new(TokenKeys::new(keys));
        self.keys.insert(keys.to_vec(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_kept_once_and_others_apart() {
        let interned = Interned::default();
        let keys = |secret: u8| [TokenKey { generation: 1, secret: [secret; 32] }];
        let first = interned.keys(&keys(1));
        assert!(Arc::ptr_eq(&first, &interned.keys(&keys(1))));
        assert!(!Arc::ptr_eq(&first, &interned.keys(&keys(2))));
        assert!(!Arc::ptr_eq(&first, &interned.keys(&[TokenKey { generation: 2, secret: [1; 32] }])));
    }

    #[test]
    fn equal_ranges_are_kept_once_and_others_apart() {
        let interned = Interned::default();
        let kept = |text: &str| {
            let mut range: BinaryRange = text.parse().unwrap();
            interned.share(&mut range);
            range
        };
        let (first, second, other) = (kept("1.x"), kept("1.x"), kept("2.x"));
        assert!(std::ptr::eq(first.as_str(), second.as_str()), "the same text in memory");
        assert_eq!((first.as_str(), other.as_str()), ("1.x", "2.x"));
    }
}
