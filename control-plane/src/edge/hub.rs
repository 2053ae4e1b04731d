//! This file's job is to hold the newest snapshot of every channel that some edge follows, and to tell the streams what changed.
//!
//! A stream is told only *that* a channel changed; it reads the newest state when it is ready to send. So a slow edge has at most one
//! entry for each channel it follows, never gets a stale state, and never holds up another one.

use bytes::Bytes;
use domain::Sha256;
use domain::snapshot::{ChannelKey, ChannelSnapshot, SnapshotVersion};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// A snapshot, serialized once for all edges.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Which state of the channel it is.
    pub version: SnapshotVersion,
    /// SHA-256 of the bytes.
    pub digest: Sha256,
    /// A serialized `ChannelSnapshot`.
    pub bytes: Bytes,
}

impl Encoded {
    /// Serializes the snapshot.
    #[must_use]
    pub fn new(snapshot: &ChannelSnapshot) -> Self {
        let bytes = proto::convert::encode_snapshot(snapshot);
        Self { version: snapshot.version, digest: Sha256::of(&bytes), bytes }
    }
}

/// What is known of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It exists.
    Present(Arc<Encoded>),
    /// There is no such channel.
    Absent,
}

impl State {
    /// Returns the version; none for an absent channel.
    #[must_use]
    pub fn version(&self) -> Option<SnapshotVersion> {
        match self {
            Self::Present(encoded) => Some(encoded.version),
            Self::Absent => None,
        }
    }
}

#[derive(Default)]
struct Entry {
    /// None until it was first read.
    state: Option<State>,
    followers: HashMap<u64, Arc<Inbox>>,
}

/// What one stream still has to look at.
#[derive(Default)]
struct Inbox {
    changed: Mutex<BTreeSet<ChannelKey>>,
    wake: Notify,
}

impl Inbox {
    fn put(&self, key: ChannelKey) {
        self.changed.lock().insert(key);
        self.wake.notify_one();
    }
}

/// The hub of one replica.
#[derive(Default)]
pub struct Hub {
    entries: Mutex<HashMap<ChannelKey, Entry>>,
    streams: AtomicU64,
    /// Fires when a channel is followed that was not read yet.
    pub wanted: Notify,
}

impl Hub {
    /// Begins to follow channels on behalf of a stream; dropping the follower ends it.
    #[must_use]
    pub fn follower(self: &Arc<Self>) -> Follower {
        let id = self.streams.fetch_add(1, Ordering::Relaxed);
        Follower { hub: Arc::clone(self), id, inbox: Arc::default(), keys: Mutex::default() }
    }

    /// Returns every followed channel with the version that is held; none when it is absent or was not read yet.
    #[must_use]
    pub fn followed(&self) -> Vec<(ChannelKey, Option<State>)> {
        self.entries.lock().iter().map(|(key, entry)| (key.clone(), entry.state.clone())).collect()
    }

    /// Takes over what was read from the database and tells the followers when it is something new.
    pub fn publish(&self, key: &ChannelKey, state: State) {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(key) else { return };
        if entry.state.as_ref() == Some(&state) {
            return;
        }
        entry.state = Some(state);
        entry.followers.values().for_each(|inbox| inbox.put(key.clone()));
    }

    fn state(&self, key: &ChannelKey) -> Option<State> {
        self.entries.lock().get(key)?.state.clone()
    }
}

/// One stream's view of the hub.
pub struct Follower {
    hub: Arc<Hub>,
    id: u64,
    inbox: Arc<Inbox>,
    keys: Mutex<BTreeSet<ChannelKey>>,
}

impl Follower {
    /// Follows the channel. Its state comes through [`Follower::next`] as soon as it is known. Returns how many channels are followed.
    pub fn follow(&self, key: &ChannelKey) -> usize {
        let mut keys = self.keys.lock();
        if keys.insert(key.clone()) {
            let mut entries = self.hub.entries.lock();
            let entry = entries.entry(key.clone()).or_default();
            entry.followers.insert(self.id, Arc::clone(&self.inbox));
            if entry.state.is_some() {
                self.inbox.put(key.clone());
            } else {
                self.hub.wanted.notify_one();
            }
        }
        keys.len()
    }

    /// Waits for a channel that changed and returns its newest state. Only one task may wait.
    pub async fn next(&self) -> (ChannelKey, State) {
        loop {
            let key = self.inbox.changed.lock().pop_first();
            match key {
                Some(key) => {
                    if let Some(state) = self.hub.state(&key) {
                        return (key, state);
                    }
                }
                None => self.inbox.wake.notified().await,
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut entries = self.hub.entries.lock();
        for key in self.keys.get_mut().iter() {
            if let Some(entry) = entries.get_mut(key) {
                entry.followers.remove(&self.id);
                if entry.followers.is_empty() {
                    entries.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::AppId;

    fn key(name: &str) -> ChannelKey {
        ChannelKey { app: AppId::from_parts(Timestamp::from_us(1), [1; 10]), channel: name.parse().unwrap() }
    }

    fn state(version: u64) -> State {
        let version = SnapshotVersion { epoch: 1, version };
        State::Present(Arc::new(Encoded { version, digest: Sha256::of(&[]), bytes: Bytes::new() }))
    }

    #[tokio::test]
    async fn a_slow_follower_gets_only_the_newest_state() {
        let hub = Arc::new(Hub::default());
        let follower = hub.follower();
        follower.follow(&key("production"));
        (1..=100).for_each(|version| hub.publish(&key("production"), state(version)));
        assert_eq!(follower.next().await, (key("production"), state(100)));
        assert!(follower.inbox.changed.lock().is_empty());
    }

    #[tokio::test]
    async fn a_follower_is_told_what_is_known_already_and_nothing_about_others() {
        let hub = Arc::new(Hub::default());
        let first = hub.follower();
        first.follow(&key("a"));
        hub.publish(&key("a"), state(1));
        hub.publish(&key("b"), state(1));
        let second = hub.follower();
        second.follow(&key("a"));
        assert_eq!(second.next().await, (key("a"), state(1)));
        assert!(hub.state(&key("b")).is_none());
    }

    #[tokio::test]
    async fn channels_that_nobody_follows_are_forgotten() {
        let hub = Arc::new(Hub::default());
        let (first, second) = (hub.follower(), hub.follower());
        first.follow(&key("a"));
        second.follow(&key("a"));
        drop(first);
        assert_eq!(hub.followed().len(), 1);
        drop(second);
        assert_eq!(hub.followed().len(), 0);
    }

    #[tokio::test]
    async fn the_same_state_twice_is_told_once() {
        let hub = Arc::new(Hub::default());
        let follower = hub.follower();
        follower.follow(&key("a"));
        hub.publish(&key("a"), State::Absent);
        assert_eq!(follower.next().await.1, State::Absent);
        hub.publish(&key("a"), State::Absent);
        assert!(follower.inbox.changed.lock().is_empty());
    }
}
