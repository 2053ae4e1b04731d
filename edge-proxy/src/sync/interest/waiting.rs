//! This file's job is to remember what the control plane was asked for and has not answered, within bounds.

use super::Found;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Channels that wait for the control plane's word. Made-up names must not fill the memory of either side.
pub(super) const PENDING_MAX: usize = 1_000;
/// New names that the control plane is asked for in a second; the same reason.
const ASKED_PER_SECOND_MAX: u32 = 200;
/// Names known to be absent that are remembered.
const ABSENT_MAX: u64 = 10_000;
/// How long an absent name is believed to be absent. The control plane pushes a channel as soon as it is made, so this may be long.
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// What channels are asked for by.
pub(super) trait Name: Clone + Eq + Hash + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Name for K {}

/// Names that devices asked for.
pub(super) struct Waiting<K: Name> {
    inner: Mutex<Inner<K>>,
    absent: moka::sync::Cache<K, ()>,
}

struct Inner<K> {
    pending: HashMap<K, watch::Sender<Found>>,
    unsent: Vec<K>,
    second_began: Instant,
    asked_in_second: u32,
}

impl<K: Name> Waiting<K> {
    pub(super) fn new() -> Self {
        let inner =
            Inner { pending: HashMap::new(), unsent: Vec::new(), second_began: Instant::now(), asked_in_second: 0 };
        let absent = moka::sync::Cache::builder().max_capacity(ABSENT_MAX).time_to_live(ABSENT_FOR).build();
        Self { inner: Mutex::new(inner), absent }
    }

    pub(super) fn is_absent(&self, name: &K) -> bool {
        self.absent.contains_key(name)
    }

    /// Returns where the answer will be, and whether the question is new; none when there are too many questions.
    pub(super) fn ask(&self, name: &K) -> Option<(watch::Receiver<Found>, bool)> {
        let mut inner = self.inner.lock();
        if let Some(pending) = inner.pending.get(name) {
            return Some((pending.subscribe(), false));
        }
        if inner.pending.len() >= PENDING_MAX {
            inner.pending.retain(|_, waiting| waiting.receiver_count() > 0);
            let Inner { pending, unsent, .. } = &mut *inner;
            unsent.retain(|name| pending.contains_key(name));
        }
        if inner.pending.len() >= PENDING_MAX || !inner.may_ask() {
            return None;
        }
        let (sender, receiver) = watch::channel(Found::Unknown);
        inner.pending.insert(name.clone(), sender);
        inner.unsent.push(name.clone());
        Some((receiver, true))
    }

    pub(super) fn resolve(&self, name: &K, found: Found) {
        match found {
            Found::Absent => self.absent.insert(name.clone(), ()),
            Found::Present => self.absent.invalidate(name),
            Found::Unknown => return,
        }
        if let Some(waiting) = self.inner.lock().pending.remove(name) {
            waiting.send_replace(found);
        }
    }

    /// Everything that still waits is to be asked for again.
    pub(super) fn begin_again(&self) {
        let mut inner = self.inner.lock();
        inner.unsent = inner.pending.keys().cloned().collect();
    }

    /// Returns what was not asked for yet.
    pub(super) fn take(&self) -> Vec<K> {
        std::mem::take(&mut self.inner.lock().unsent)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.inner.lock().pending.len()
    }
}

impl<K> Inner<K> {
    fn may_ask(&mut self) -> bool {
        if self.second_began.elapsed() >= Duration::from_secs(1) {
            self.second_began = Instant::now();
            self.asked_in_second = 0;
        }
        self.asked_in_second += 1;
        self.asked_in_second <= ASKED_PER_SECOND_MAX
    }
}
