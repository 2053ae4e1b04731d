//! This file's job is to hold a map that is read without a lock while it changes.

use arc_swap::ArcSwap;
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change copies one part of the map, whatever there is in the others: with 100,000 entries a few hundred.
const PARTS: usize = 256;

type Entry<T> = (Box<str>, T);
type Part<T> = HashTable<Entry<T>>;

/// A map in parts that are replaced one by one. Changes need a lock of their own.
///
/// Keys come from the control plane and devices only look them up, so a fast hash is enough, with a seed of this process. A lookup makes it
/// once, for the part and for the place in it.
pub(super) struct Parted<T> {
    parts: Box<[ArcSwap<Part<T>>]>,
    seed: ahash::RandomState,
}

impl<T> Default for Parted<T> {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| ArcSwap::default()).collect();
        Self { parts, seed: ahash::RandomState::new() }
    }
}

impl<T: Clone> Parted<T> {
    /// Bits in the middle choose the part: the table in it uses those at both ends.
    fn part(&self, hash: u64) -> &ArcSwap<Part<T>> {
        &self.parts[(hash >> 32) as usize % PARTS]
    }

    pub(super) fn get(&self, name: &str) -> Option<T> {
        let hash = self.seed.hash_one(name);
        self.part(hash).load().find(hash, |(key, _)| **key == *name).map(|(_, value)| value.clone())
    }

    /// Puts many entries in, each in the place of the one before it. Copies each part once.
    pub(super) fn extend(&self, entries: impl IntoIterator<Item = Entry<T>>) {
        let mut by_part: BTreeMap<usize, Vec<(u64, Entry<T>)>> = BTreeMap::new();
        for entry in entries {
            let hash = self.seed.hash_one(&*entry.0);
            by_part.entry((hash >> 32) as usize % PARTS).or_default().push((hash, entry));
        }
        for entries in by_part.into_values() {
            let Some(&(any, _)) = entries.first() else { continue };
            self.change(any, |part| {
                for (hash, (key, value)) in entries {
                    match part.find_mut(hash, |(known, _)| *known == key) {
                        Some(entry) => entry.1 = value,
                        None => drop(part.insert_unique(hash, (key, value), |(key, _)| self.seed.hash_one(&**key))),
                    }
                }
            });
        }
    }

    pub(super) fn remove(&self, name: &str) {
        let hash = self.seed.hash_one(name);
        self.change(hash, |part| {
            if let Ok(entry) = part.find_entry(hash, |(key, _)| **key == *name) {
                entry.remove();
            }
        });
    }

    fn change(&self, hash: u64, change: impl FnOnce(&mut Part<T>)) {
        let part = self.part(hash);
        let mut copy = Part::clone(&part.load());
        change(&mut copy);
        part.store(Arc::new(copy));
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.load().len()).sum()
    }

    pub(super) fn all(&self) -> Vec<T> {
        let values = |part: &ArcSwap<Part<T>>| part.load().iter().map(|(_, value)| value.clone()).collect::<Vec<_>>();
        self.parts.iter().flat_map(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec(("[a-c]{0,3}", proptest::option::of(0_u8..9)), 0..200)) {
            let (parted, mut map) = (Parted::default(), HashMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        parted.extend([(key.clone().into(), value)]);
                        map.insert(key.clone(), value);
                    }
                    None => {
                        parted.remove(&key);
                        map.remove(&key);
                    }
                }
                prop_assert_eq!(parted.get(&key), map.get(&key).copied());
                prop_assert_eq!(parted.len(), map.len());
            }
            let (mut all, mut values) = (parted.all(), map.into_values().collect::<Vec<_>>());
            all.sort_unstable();
            values.sort_unstable();
            prop_assert_eq!(all, values);
        }
    }
}
