//! This file's job is to remember which patches devices would take that there are not, within bounds.

use domain::Sha256;
use domain::snapshot::ChannelKey;
use parking_lot::Mutex;
use std::time::Duration;

/// Wishes that wait to be sent. Devices may claim to run anything, and the control plane reads its database for each.
const UNSENT_MAX: usize = 20;
/// At most [`UNSENT_MAX`] wishes leave in this time.
pub(crate) const SEND_EVERY: Duration = Duration::from_secs(1);
/// Wishes that are remembered so that they are sent once.
const REMEMBERED_MAX: u64 = 10_000;
/// The control plane may have been away, and a bundle may be uploaded later.
const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 60);

/// What a device has that is offered something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    /// A bundle, by its content hash.
    Bundle(Sha256),
    /// One of CodePush's packages, by its hash.
    Package(Sha256),
}

/// A patch that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) key: ChannelKey,
    pub(crate) from: Base,
    /// Content hash of the bundle that it is offered.
    pub(crate) to: Sha256,
}

/// The patches that devices would take.
pub(crate) struct Wishes {
    /// By the snapshot's digest, `from` and `to`.
    remembered: moka::sync::Cache<(Sha256, Base, Sha256), ()>,
    unsent: Mutex<Vec<Wish>>,
}

impl Wishes {
    pub(crate) fn new() -> Self {
        let remembered = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { remembered, unsent: Mutex::default() }
    }

    /// Notes the wish of a device that runs one bundle and was offered another one from the snapshot with this digest.
    pub(crate) fn note(&self, digest: Sha256, key: &ChannelKey, from: Sha256, to: Sha256) {
        self.note_from(digest, key, Base::Bundle(from), to);
    }

    /// The same of a device that has one of CodePush's packages.
    pub(crate) fn note_package(&self, digest: Sha256, key: &ChannelKey, from: Sha256, to: Sha256) {
        self.note_from(digest, key, Base::Package(from), to);
    }

    fn note_from(&self, digest: Sha256, key: &ChannelKey, from: Base, to: Sha256) {
        let name = (digest, from, to);
        if self.remembered.contains_key(&name) {
            return;
        }
        let mut unsent = self.unsent.lock();
        if unsent.len() < UNSENT_MAX {
            self.remembered.insert(name, ());
            unsent.push(Wish { key: key.clone(), from, to });
        }
    }

    /// Returns the wishes that came since the last time. Called once in [`SEND_EVERY`].
    pub(crate) fn take(&self) -> Vec<Wish> {
        std::mem::take(&mut *self.unsent.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::AppId;

    fn key() -> ChannelKey {
        ChannelKey { app: AppId::from_parts(Timestamp::from_us(0), [1; 10]), channel: "production".parse().unwrap() }
    }

    fn hash(number: usize) -> Sha256 {
        Sha256::of(number.to_string().as_bytes())
    }

    #[test]
    fn a_wish_leaves_once_for_each_snapshot() {
        let wishes = Wishes::new();
        for _ in 0..3 {
            wishes.note(hash(0), &key(), hash(1), hash(2));
        }
        assert_eq!(wishes.take(), [Wish { key: key(), from: Base::Bundle(hash(1)), to: hash(2) }]);
        wishes.note(hash(0), &key(), hash(1), hash(2));
        wishes.note_package(hash(0), &key(), hash(1), hash(2));
        assert_eq!(wishes.take(), [Wish { key: key(), from: Base::Package(hash(1)), to: hash(2) }], "another wish");
        wishes.note(hash(9), &key(), hash(1), hash(2));
        assert_eq!(wishes.take().len(), 1, "the second snapshot");
    }

    #[test]
    fn made_up_bundles_are_bounded_and_what_did_not_fit_may_come_again() {
        let wishes = Wishes::new();
        for number in 0..5_000 {
            wishes.note(hash(0), &key(), hash(number), hash(2));
        }
        assert_eq!(wishes.take().len(), UNSENT_MAX);
        wishes.note(hash(0), &key(), hash(4_999), hash(2));
        assert_eq!(wishes.take().len(), 1);
    }
}
