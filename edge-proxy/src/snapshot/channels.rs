//! This file's job is to hold the snapshots in use, so that looking one up takes no lock.

use super::Channel;
use crate::admission::AppAllowance;
use crate::blobs::coding::Forms;
use arc_swap::ArcSwap;
use domain::bundle::Blob;
use domain::id::AppId;
use domain::snapshot::ChannelKey;
use domain::{Platform, Sha256};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;

/// `app_` with 26 digits, a slash, and a name of at most 64 bytes.
const PATH_MAX_BYTES: usize = 30 + 1 + domain::name::NAME_MAX_BYTES;

/// Keys come from the control plane; devices only look them up. So a fast hash is enough, with a seed of this process.
type Fast = ahash::RandomState;
type Map = HashMap<Box<str>, Arc<Channel>, Fast>;
/// The channel that a deployment key stands for, and what the apps run on that have the key.
pub(crate) type Keyed = (Arc<Channel>, Platform);

/// Every channel that can be answered.
#[derive(Default)]
pub(crate) struct Channels {
    map: ArcSwap<Map>,
    /// Made anew from the map whenever that changes.
    keys: ArcSwap<HashMap<Box<str>, Keyed, Fast>>,
    /// Blobs by hash. A read lock for each blob request; update checks do not come here.
    blobs: RwLock<HashMap<Sha256, Known>>,
    /// Files that are not always sent as they are, by hash.
    forms: RwLock<HashMap<Sha256, Vec<Offer>>>,
    /// What the devices of each app may ask for. Locked for one change at a time.
    apps: Mutex<HashMap<AppId, Arc<AppAllowance>>>,
}

/// The digest of a snapshot that offers a file, and what can be sent in the file's place.
type Offer = (Sha256, Arc<Forms>);

struct Known {
    blob: Arc<Blob>,
    /// The first channel that named it.
    channel: ChannelKey,
    /// Snapshots that name the blob.
    uses: usize,
    /// Those of them that want it kept at hand.
    pins: usize,
}

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
        self.map.load().get(path).cloned()
    }

    /// Returns the channel.
    pub(crate) fn get(&self, key: &ChannelKey) -> Option<Arc<Channel>> {
        self.find(key.app.as_str(), key.channel.as_str())
    }

    /// Returns what the deployment key stands for.
    pub(crate) fn find_keyed(&self, key: &str) -> Option<Keyed> {
        self.keys.load().get(key).cloned()
    }

    /// Returns all channels.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.map.load().values().cloned().collect()
    }

    /// Returns how many channels there are.
    pub(crate) fn len(&self) -> usize {
        self.map.load().len()
    }

    /// Puts snapshots to use, each in the place of the one before it. All of them appear at once.
    pub(crate) fn put(&self, channels: impl IntoIterator<Item = Arc<Channel>>) {
        let mut apps = self.apps.lock();
        let mut map = Map::clone(&self.map.load());
        let mut replaced = Vec::new();
        for channel in channels {
            let app = &channel.snapshot.key.app;
            let allowance = apps.entry(app.clone()).or_default();
            channel.allowance.get_or_init(|| allowance.clone());
            self.add(&channel);
            replaced.extend(map.insert(path_of(&channel.snapshot.key), channel));
        }
        self.store(map);
        replaced.iter().for_each(|channel| self.forget(channel));
    }

    /// Forgets a channel.
    pub(crate) fn remove(&self, key: &ChannelKey) {
        let mut apps = self.apps.lock();
        let mut map = Map::clone(&self.map.load());
        let removed = map.remove(&path_of(key));
        if !map.values().any(|channel| channel.snapshot.key.app == key.app) {
            apps.remove(&key.app);
        }
        self.store(map);
        removed.iter().for_each(|channel| self.forget(channel));
    }

    /// Returns the blob's description when a snapshot names it.
    pub(crate) fn blob(&self, sha256: &Sha256) -> Option<Arc<Blob>> {
        self.blobs.read().get(sha256).map(|known| known.blob.clone())
    }

    /// Returns a channel that names the blob, or did.
    pub(crate) fn channel_of(&self, sha256: &Sha256) -> Option<ChannelKey> {
        self.blobs.read().get(sha256).map(|known| known.channel.clone())
    }

    /// Says whether the blob must be kept at hand.
    pub(crate) fn is_pinned(&self, sha256: &Sha256) -> bool {
        self.blobs.read().get(sha256).is_some_and(|known| known.pins > 0)
    }

    /// Returns what can be sent in the place of a file; none when no snapshot has anything.
    pub(crate) fn forms(&self, sha256: &Sha256) -> Option<Forms> {
        let known = self.forms.read();
        let offers = known.get(sha256)?;
        let is_launch = offers.iter().any(|(_, forms)| forms.is_launch);
        let coded = offers.iter().flat_map(|(_, forms)| forms.coded.iter().cloned()).collect();
        Some(Forms { is_launch, coded })
    }

    fn store(&self, map: Map) {
        let keyed = |channel: &Arc<Channel>| {
            let keys = channel.snapshot.codepush.keys.iter();
            keys.map(|(key, platform)| (key.as_str().into(), (channel.clone(), *platform))).collect::<Vec<_>>()
        };
        self.keys.store(Arc::new(map.values().flat_map(keyed).collect()));
        self.map.store(Arc::new(map));
    }

    fn add(&self, channel: &Channel) {
        self.add_blobs(channel);
        let mut known = self.forms.write();
        for (file, forms) in &channel.forms {
            known.entry(*file).or_default().push((channel.digest, forms.clone()));
        }
    }

    fn forget(&self, channel: &Channel) {
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
        self.remove_blobs(channel);
    }

    fn add_blobs(&self, channel: &Channel) {
        let mut blobs = self.blobs.write();
        for (blob, pinned) in &channel.blobs {
            let (blob, channel) = (blob.clone(), &channel.snapshot.key);
            let known = blobs.entry(blob.sha256);
            let known = known.or_insert_with(|| Known { blob, channel: channel.clone(), uses: 0, pins: 0 });
            known.uses += 1;
            known.pins += usize::from(*pinned);
        }
    }

    fn remove_blobs(&self, channel: &Channel) {
        let mut blobs = self.blobs.write();
        for (blob, pinned) in &channel.blobs {
            if let Some(known) = blobs.get_mut(&blob.sha256) {
                known.uses -= 1;
                known.pins -= usize::from(*pinned);
                if known.uses == 0 {
                    blobs.remove(&blob.sha256);
                }
            }
        }
    }
}

fn path_of(key: &ChannelKey) -> Box<str> {
    format!("{}/{}", key.app, key.channel).into()
}
