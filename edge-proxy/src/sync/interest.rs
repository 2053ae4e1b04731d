//! This file's job is to remember which channels devices asked for that are not here, within bounds.

use domain::snapshot::ChannelKey;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Channels that wait for the control plane's word. Made-up app ids must not fill the memory of either side.
const PENDING_MAX: usize = 1_000;
/// New channels that the control plane is asked for in a second; the same reason.
const ASKED_PER_SECOND_MAX: u32 = 200;
/// Channels known to be absent that are remembered.
const ABSENT_MAX: u64 = 10_000;
/// How long an absent channel is believed to be absent. The control plane pushes it as soon as it is made, so this may be long.
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// What the control plane said about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its snapshot is in use.
    Present,
    /// There is no such channel.
    Absent,
    /// It did not say.
    Unknown,
}

/// The channels that devices asked for.
pub(crate) struct Interests {
    inner: Mutex<Inner>,
    absent: moka::sync::Cache<ChannelKey, ()>,
    /// The stream is alive and everything that changed while it was not has arrived.
    fresh: AtomicBool,
    wanted: Notify,
}

struct Inner {
    pending: HashMap<ChannelKey, watch::Sender<Found>>,
    unsent: Vec<ChannelKey>,
    second_began: Instant,
    asked_in_second: u32,
}

impl Interests {
    pub(crate) fn new() -> Self {
        let inner =
            Inner { pending: HashMap::new(), unsent: Vec::new(), second_began: Instant::now(), asked_in_second: 0 };
        let absent = moka::sync::Cache::builder().max_capacity(ABSENT_MAX).time_to_live(ABSENT_FOR).build();
        Self { inner: Mutex::new(inner), absent, fresh: AtomicBool::new(false), wanted: Notify::new() }
    }

    /// Asks for the channel and waits for the answer. `Absent` is only said while the stream is fresh.
    pub(crate) async fn wait(&self, key: &ChannelKey, patience: Duration) -> Found {
        if self.is_fresh() && self.absent.contains_key(key) {
            return Found::Absent;
        }
        let Some(mut answer) = self.ask(key) else { return Found::Unknown };
        let said = tokio::time::timeout(patience, answer.wait_for(|found| *found != Found::Unknown)).await;
        match said {
            Ok(Ok(found)) if *found == Found::Present || self.is_fresh() => *found,
            Ok(Ok(_) | Err(_)) | Err(_) => Found::Unknown,
        }
    }

    fn ask(&self, key: &ChannelKey) -> Option<watch::Receiver<Found>> {
        let mut inner = self.inner.lock();
        if let Some(pending) = inner.pending.get(key) {
            return Some(pending.subscribe());
        }
        if inner.pending.len() >= PENDING_MAX {
            inner.pending.retain(|_, waiting| waiting.receiver_count() > 0);
            let Inner { pending, unsent, .. } = &mut *inner;
            unsent.retain(|key| pending.contains_key(key));
        }
        if inner.pending.len() >= PENDING_MAX || !inner.may_ask() {
            return None;
        }
        let (sender, receiver) = watch::channel(Found::Unknown);
        inner.pending.insert(key.clone(), sender);
        inner.unsent.push(key.clone());
        drop(inner);
        self.wanted.notify_one();
        Some(receiver)
    }

    /// Notes the control plane's word.
    pub(crate) fn resolve(&self, key: &ChannelKey, found: Found) {
        match found {
            Found::Absent => self.absent.insert(key.clone(), ()),
            Found::Present => self.absent.invalidate(key),
            Found::Unknown => return,
        }
        if let Some(waiting) = self.inner.lock().pending.remove(key) {
            waiting.send_replace(found);
        }
    }

    /// A new stream begins: everything that still waits is asked for again.
    pub(crate) fn begin_session(&self) {
        let mut inner = self.inner.lock();
        inner.unsent = inner.pending.keys().cloned().collect();
        drop(inner);
        self.wanted.notify_one();
    }

    /// Waits until there is something to ask for.
    pub(crate) async fn wanted(&self) -> Vec<ChannelKey> {
        loop {
            let unsent = std::mem::take(&mut self.inner.lock().unsent);
            if !unsent.is_empty() {
                return unsent;
            }
            self.wanted.notified().await;
        }
    }

    pub(crate) fn set_fresh(&self, fresh: bool) {
        self.fresh.store(fresh, Ordering::Release);
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Acquire)
    }
}

impl Inner {
    fn may_ask(&mut self) -> bool {
        if self.second_began.elapsed() >= Duration::from_secs(1) {
            self.second_began = Instant::now();
            self.asked_in_second = 0;
        }
        self.asked_in_second += 1;
        self.asked_in_second <= ASKED_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::AppId;

    fn key(number: u32) -> ChannelKey {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        ChannelKey { app: AppId::from_parts(Timestamp::from_us(0), random), channel: "production".parse().unwrap() }
    }

    #[tokio::test]
    async fn a_waiting_device_learns_of_the_answer() {
        let interests = Interests::new();
        interests.set_fresh(true);
        let wanted = key(1);
        let wait = interests.wait(&wanted, Duration::from_secs(30));
        let answer = async {
            assert_eq!(interests.wanted().await, [key(1)]);
            interests.resolve(&key(1), Found::Present);
        };
        assert_eq!(tokio::join!(wait, answer).0, Found::Present);
    }

    #[tokio::test]
    async fn absence_is_remembered_only_while_the_stream_is_fresh() {
        let interests = Interests::new();
        interests.set_fresh(true);
        interests.resolve(&key(1), Found::Absent);
        assert_eq!(interests.wait(&key(1), Duration::from_secs(30)).await, Found::Absent);
        interests.set_fresh(false);
        assert_eq!(interests.wait(&key(1), Duration::ZERO).await, Found::Unknown);
    }

    #[tokio::test]
    async fn made_up_channels_are_bounded_and_the_rest_is_refused() {
        let interests = Interests::new();
        for number in 0..5_000 {
            interests.wait(&key(number), Duration::ZERO).await;
        }
        assert!(interests.wanted().await.len() <= PENDING_MAX);
        assert!(interests.inner.lock().pending.len() <= PENDING_MAX);
    }

    #[tokio::test]
    async fn what_still_waits_is_asked_for_again_on_a_new_stream() {
        let interests = Interests::new();
        interests.wait(&key(1), Duration::ZERO).await;
        assert_eq!(interests.wanted().await, [key(1)]);
        interests.begin_session();
        assert_eq!(interests.wanted().await, [key(1)]);
    }
}
