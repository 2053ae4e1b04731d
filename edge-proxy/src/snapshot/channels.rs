//! This file's job is to hold the snapshots in use, so that looking one up takes no lock.

use super::Channel;
use super::described::{Described, Known};
use super::parted::Parted;
use crate::admission::AppAllowance;
use crate::blobs::coding::Forms;
use domain::bundle::Blob;
use domain::id::AppId;
use domain::snapshot::ChannelKey;
use domain::{Platform, Sha256};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;

/// `app_` with 26 digits, a slash, and a name of at most 64 bytes.
const PATH_MAX_BYTES: usize = 30 + 1 + domain::name::NAME_MAX_BYTES;

/// The channel that a deployment key stands for, and what the apps run on that have the key.
pub(crate) type Keyed = (Arc<Channel>, Platform);

/// Every channel that can be answered.
#[derive(Default)]
pub(crate) struct Channels {
    by_path: Parted<Arc<Channel>>,
    by_key: Parted<Keyed>,
    /// A read lock for each blob request; update checks do not come here.
    blobs: RwLock<Described>,
    /// Files that are not always sent as they are, by hash.
    forms: RwLock<HashMap<Sha256, Vec<Offer>>>,
    /// What the devices of each app may ask for, and how many channels it has. Locked for one change at a time.
    apps: Mutex<HashMap<AppId, (Arc<AppAllowance>, usize)>>,
}

/// The digest of a snapshot that offers a file, and what can be sent in the file's place.
type Offer = (Sha256, Arc<Forms>);

impl Channels {
    /// Returns the channel, without an allocation.
    pub(crate) fn find(&self, app: &str, channel: &str) -> Option<Arc<Channel>> {
        let mut buffer = [0_u8; PATH_MAX_BYTES];
        let length = app.len() + 1 + channel.len();
        let path = buffer.get_mut(..length)?;
        path[..app.len()].copy_from_slice(app.as_bytes());
        path[app.len()] = b'/';
        path[app.len() + 1..].copy_from_slice(channel.as_bytes());
        let path = std::str::from_utf8(path).ok()?;
        self.by_path.get(path)
    }

    /// Returns the channel.
    pub(crate) fn get(&self, key: &ChannelKey) -> Option<Arc<Channel>> {
        self.find(key.app.as_str(), key.channel.as_str())
    }

    /// Returns what the deployment key stands for.
    pub(crate) fn find_keyed(&self, key: &str) -> Option<Keyed> {
        self.by_key.get(key)
    }

    /// Returns all channels.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.by_path.all()
    }

    /// Returns how many channels there are.
    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Puts snapshots to use, each in the place of the one before it.
    pub(crate) fn put(&self, channels: impl IntoIterator<Item = Arc<Channel>>) {
        let mut apps = self.apps.lock();
        let (mut paths, mut keyed, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
        for channel in channels {
            let path = path_of(&channel.snapshot.key);
            let old = self.by_path.get(&path);
            let (allowance, count) = apps.entry(channel.snapshot.key.app.clone()).or_default();
            *count += usize::from(old.is_none());
            channel.allowance.get_or_init(|| allowance.clone());
            self.add(&channel);
            let keys = channel.snapshot.codepush.keys.iter();
            keyed.extend(keys.map(|(key, platform)| (key.as_str().into(), (channel.clone(), *platform))));
            replaced.extend(old);
            paths.push((path, channel));
        }
        self.by_key.extend(keyed);
        self.by_path.extend(paths);
        replaced.iter().for_each(|channel| self.forget(channel));
    }

    /// Forgets a channel.
    pub(crate) fn remove(&self, key: &ChannelKey) {
        let mut apps = self.apps.lock();
        let path = path_of(key);
        let Some(removed) = self.by_path.get(&path) else { return };
        self.by_path.remove(&path);
        if let Some((_, count)) = apps.get_mut(&key.app) {
            *count -= 1;
            if *count == 0 {
                apps.remove(&key.app);
            }
        }
        self.forget(&removed);
    }

    /// Returns the blob's description when a snapshot names it.
    pub(crate) fn blob(&self, sha256: &Sha256) -> Option<Arc<Blob>> {
        self.blobs.read().find(sha256).map(|known| known.blob.clone())
    }

    /// Returns a channel that names the blob, or did.
    pub(crate) fn channel_of(&self, sha256: &Sha256) -> Option<Arc<ChannelKey>> {
        self.blobs.read().find(sha256).map(|known| known.channel.clone())
    }

    /// Says whether the blob must be kept at hand.
    pub(crate) fn is_pinned(&self, sha256: &Sha256) -> bool {
        self.blobs.read().find(sha256).is_some_and(Known::is_pinned)
    }

    /// Returns what can be sent in the place of a file; none when no snapshot has anything.
    pub(crate) fn forms(&self, sha256: &Sha256) -> Option<Forms> {
        let known = self.forms.read();
        let offers = known.get(sha256)?;
        let is_launch = offers.iter().any(|(_, forms)| forms.is_launch);
        let coded = offers.iter().flat_map(|(_, forms)| forms.coded.iter().cloned()).collect();
        Some(Forms { is_launch, coded })
    }

    fn add(&self, channel: &Channel) {
        self.blobs.write().add(channel);
        let mut known = self.forms.write();
        for (file, forms) in &channel.forms {
            known.entry(*file).or_insert_with(|| Vec::with_capacity(1)).push((channel.digest, forms.clone()));
        }
    }

    fn forget(&self, channel: &Arc<Channel>) {
        for key in channel.snapshot.codepush.keys.keys() {
            // Another channel, or a newer state of this one, may have the key by now.
            if self.by_key.get(key.as_str()).is_some_and(|(owner, _)| Arc::ptr_eq(&owner, channel)) {
                self.by_key.remove(key.as_str());
            }
        }
        let mut known = self.forms.write();
        for (file, _) in &channel.forms {
            if let Some(offers) = known.get_mut(file) {
                if let Some(index) = offers.iter().position(|(digest, _)| *digest == channel.digest) {
                    offers.swap_remove(index);
                }
                if offers.is_empty() {
                    known.remove(file);
                }
            }
        }
        drop(known);
        self.blobs.write().remove(channel);
    }
}

fn path_of(key: &ChannelKey) -> Box<str> {
    format!("{}/{}", key.app, key.channel).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::interned::Interned;
    use domain::Timestamp;
    use domain::id::ChannelId;
    use domain::snapshot::{ChannelSnapshot, SnapshotVersion, TokenKey};

    fn channel(number: u32, version: u64, keys: &[&str]) -> Arc<Channel> {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        let at = Timestamp::from_us(1);
        let mut snapshot = ChannelSnapshot {
            key: ChannelKey { app: AppId::from_parts(at, random), channel: "production".parse().unwrap() },
            channel_id: ChannelId::from_parts(at, random),
            version: SnapshotVersion { epoch: 1, version },
            blocked: false,
            releases: vec![],
            bundles: Default::default(),
            deltas: vec![],
            pins: [].into(),
            token_keys: vec![TokenKey { generation: 1, secret: [1; 32] }],
            revoked_devices: [].into(),
            registration_closed: false,
            codepush: Default::default(),
            expo: Default::default(),
        };
        snapshot.codepush.keys = keys.iter().map(|key| (key.parse().unwrap(), Platform::Ios)).collect();
        let encoded = proto::convert::encode_snapshot(&snapshot);
        Arc::new(Channel::compile(&encoded, Sha256::of(&encoded), &Interned::default()).unwrap())
    }

    #[test]
    fn every_channel_is_found_whatever_part_it_is_in() {
        let channels = Channels::default();
        channels.put((0..1_000).map(|number| channel(number, 1, &[])));
        (1_000..2_000).for_each(|number| channels.put([channel(number, 1, &[])]));
        assert_eq!((channels.len(), channels.all().len()), (2_000, 2_000));
        for number in 0..2_000 {
            let wanted = channel(number, 1, &[]);
            assert_eq!(channels.get(&wanted.snapshot.key).unwrap().digest, wanted.digest);
        }
        (0..2_000).for_each(|number| channels.remove(&channel(number, 1, &[]).snapshot.key));
        assert_eq!(channels.len(), 0);
        assert!(channels.apps.lock().is_empty() && channels.blobs.read().is_empty());
    }

    #[test]
    fn a_key_follows_its_channel_and_may_move() {
        let channels = Channels::default();
        let (first, second) = ("deployment-key-1", "deployment-key-2");
        let version_of = |key: &str| channels.find_keyed(key).map(|(channel, _)| channel.snapshot.version.version);
        channels.put([channel(1, 1, &[first]), channel(2, 1, &[second])]);
        channels.put([channel(1, 2, &[first])]);
        assert_eq!((version_of(first), version_of(second)), (Some(2), Some(1)));
        // It comes to the other channel before the first one is heard to have lost it.
        channels.put([channel(2, 3, &[first, second])]);
        channels.put([channel(1, 4, &[])]);
        assert_eq!((version_of(first), version_of(second)), (Some(3), Some(3)));
        channels.put([channel(2, 5, &[])]);
        assert_eq!((version_of(first), version_of(second)), (None, None));
    }
}
