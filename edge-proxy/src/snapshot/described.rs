//! This file's job is to hold the descriptions of all blobs that snapshots name, in little more than the descriptions themselves.

use super::Channel;
use domain::Sha256;
use domain::bundle::Blob;
use domain::snapshot::ChannelKey;
use hashbrown::HashTable;
use std::sync::Arc;

/// Blobs by hash, which stands in the description already.
#[derive(Default)]
pub(super) struct Described {
    known: HashTable<Known>,
    seed: ahash::RandomState,
}

pub(super) struct Known {
    pub(super) blob: Arc<Blob>,
    /// The first channel that named it.
    pub(super) channel: Arc<ChannelKey>,
    /// Snapshots that name the blob; there are not as many.
    uses: u32,
    /// Those of them that want it kept at hand.
    pins: u32,
}

impl Known {
    pub(super) const fn is_pinned(&self) -> bool {
        self.pins > 0
    }
}

impl Described {
    pub(super) fn find(&self, sha256: &Sha256) -> Option<&Known> {
        self.known.find(self.seed.hash_one(sha256), |known| known.blob.sha256 == *sha256)
    }

    /// Notes what the channel names.
    pub(super) fn add(&mut self, channel: &Channel) {
        let key = Arc::new(channel.snapshot.key.clone());
        for (blob, pinned) in channel.blobs() {
            let hash = self.seed.hash_one(blob.sha256);
            let entry = self.known.entry(
                hash,
                |known| known.blob.sha256 == blob.sha256,
                |known| self.seed.hash_one(known.blob.sha256),
            );
            let mut known = entry.or_insert_with(|| Known { blob, channel: key.clone(), uses: 0, pins: 0 });
            let known = known.get_mut();
            known.uses += 1;
            known.pins += u32::from(pinned);
        }
    }

    /// Forgets what the channel named, unless others name it.
    pub(super) fn remove(&mut self, channel: &Channel) {
        for (blob, pinned) in channel.blobs() {
            let hash = self.seed.hash_one(blob.sha256);
            let Ok(mut known) = self.known.find_entry(hash, |known| known.blob.sha256 == blob.sha256) else { continue };
            known.get_mut().uses -= 1;
            known.get_mut().pins -= u32::from(pinned);
            if known.get().uses == 0 {
                known.remove();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
