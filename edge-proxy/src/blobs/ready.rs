//! This file's job is to know for which states of channels all bytes that releases need are on the edge's disk.

use domain::snapshot::{ChannelKey, SnapshotVersion};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use tokio::sync::Notify;

/// The states, one for each channel that is followed, the newest.
#[derive(Default)]
pub(crate) struct Readiness {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Default)]
struct Inner {
    ready: HashMap<ChannelKey, SnapshotVersion>,
    /// What the control plane has not heard.
    untold: BTreeSet<ChannelKey>,
}

impl Readiness {
    /// Notes that all is there for this state.
    pub(crate) fn note(&self, key: &ChannelKey, version: SnapshotVersion) {
        let mut inner = self.inner.lock();
        if inner.ready.insert(key.clone(), version) != Some(version) {
            inner.untold.insert(key.clone());
            self.news.notify_one();
        }
    }

    /// Forgets a channel that is gone.
    pub(crate) fn forget(&self, key: &ChannelKey) {
        let mut inner = self.inner.lock();
        inner.ready.remove(key);
        inner.untold.remove(key);
    }

    /// Says whether all is there for this state.
    pub(crate) fn has(&self, key: &ChannelKey, version: SnapshotVersion) -> bool {
        self.inner.lock().ready.get(key) == Some(&version)
    }

    /// Waits for states that have become ready since the last time, and returns them. What is lost on the way is told with the next
    /// hello.
    pub(crate) async fn news(&self) -> Vec<(ChannelKey, SnapshotVersion)> {
        loop {
            let news = self.take();
            if !news.is_empty() {
                return news;
            }
            self.news.notified().await;
        }
    }

    fn take(&self) -> Vec<(ChannelKey, SnapshotVersion)> {
        let mut inner = self.inner.lock();
        let untold = std::mem::take(&mut inner.untold);
        let with_version = |key: ChannelKey| inner.ready.get(&key).copied().map(|version| (key, version));
        untold.into_iter().filter_map(with_version).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::AppId;

    #[test]
    fn each_state_is_told_once_and_the_newest_counts() {
        let readiness = Readiness::default();
        let app = AppId::from_parts(Timestamp::from_us(1), [1; 10]);
        let key = |name: &str| ChannelKey { app: app.clone(), channel: name.parse().unwrap() };
        let version = |version| SnapshotVersion { epoch: 1, version };
        readiness.note(&key("one"), version(1));
        readiness.note(&key("one"), version(2));
        readiness.note(&key("two"), version(1));
        readiness.note(&key("gone"), version(1));
        readiness.forget(&key("gone"));
        assert_eq!(readiness.take(), [(key("one"), version(2)), (key("two"), version(1))]);
        readiness.note(&key("one"), version(2));
        assert!(readiness.take().is_empty());
        assert!(readiness.has(&key("one"), version(2)) && !readiness.has(&key("one"), version(1)));
        assert!(!readiness.has(&key("gone"), version(1)));
    }
}
