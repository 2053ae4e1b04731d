//! This file's job is to remember which channels devices asked for that are not here, by name or by deployment key.

mod waiting;

use domain::codepush::DeploymentKey;
use domain::snapshot::ChannelKey;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use waiting::Waiting;

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
    channels: Waiting<ChannelKey>,
    keys: Waiting<DeploymentKey>,
    /// The stream is alive and everything that changed while it was not has arrived.
    fresh: AtomicBool,
    wanted: Notify,
}

/// What the control plane is to be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) channels: Vec<ChannelKey>,
    pub(crate) keys: Vec<DeploymentKey>,
}

impl Interests {
    pub(crate) fn new() -> Self {
        Self { channels: Waiting::new(), keys: Waiting::new(), fresh: AtomicBool::new(false), wanted: Notify::new() }
    }

    /// Asks for the channel and waits for the answer. `Absent` is only said while the stream is fresh.
    pub(crate) async fn wait(&self, key: &ChannelKey, patience: Duration) -> Found {
        self.wait_in(&self.channels, key, patience).await
    }

    /// Asks for the channel that has the deployment key, with the same rules.
    pub(crate) async fn wait_for_key(&self, key: &DeploymentKey, patience: Duration) -> Found {
        self.wait_in(&self.keys, key, patience).await
    }

    async fn wait_in<K: waiting::Name>(&self, waiting: &Waiting<K>, name: &K, patience: Duration) -> Found {
        if self.is_fresh() && waiting.is_absent(name) {
            return Found::Absent;
        }
        let Some((mut answer, is_new)) = waiting.ask(name) else { return Found::Unknown };
        if is_new {
            self.wanted.notify_one();
        }
        let said = tokio::time::timeout(patience, answer.wait_for(|found| *found != Found::Unknown)).await;
        match said {
            Ok(Ok(found)) if *found == Found::Present || self.is_fresh() => *found,
            Ok(Ok(_) | Err(_)) | Err(_) => Found::Unknown,
        }
    }

    /// Notes the control plane's word.
    pub(crate) fn resolve(&self, key: &ChannelKey, found: Found) {
        self.channels.resolve(key, found);
    }

    /// Notes the control plane's word about a deployment key.
    pub(crate) fn resolve_key(&self, key: &DeploymentKey, found: Found) {
        self.keys.resolve(key, found);
    }

    /// A new stream begins: everything that still waits is asked for again.
    pub(crate) fn begin_session(&self) {
        self.channels.begin_again();
        self.keys.begin_again();
        self.wanted.notify_one();
    }

    /// Waits until there is something to ask for.
    pub(crate) async fn wanted(&self) -> Wanted {
        loop {
            let wanted = Wanted { channels: self.channels.take(), keys: self.keys.take() };
            if !wanted.channels.is_empty() || !wanted.keys.is_empty() {
                return wanted;
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
            assert_eq!(interests.wanted().await.channels, [key(1)]);
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
        assert!(interests.wanted().await.channels.len() <= waiting::PENDING_MAX);
        assert!(interests.channels.count() <= waiting::PENDING_MAX);
    }

    #[tokio::test]
    async fn made_up_deployment_keys_leave_the_other_channels_room() {
        let interests = Interests::new();
        interests.set_fresh(true);
        let made_up = |number: u32| format!("made-up-key-{number}").parse::<DeploymentKey>().unwrap();
        for number in 0..5_000 {
            interests.wait_for_key(&made_up(number), Duration::ZERO).await;
        }
        assert!(interests.wanted().await.keys.len() <= waiting::PENDING_MAX);
        interests.wait(&key(1), Duration::ZERO).await;
        assert_eq!(interests.wanted().await.channels, [key(1)]);
        interests.resolve_key(&made_up(9_999), Found::Absent);
        assert_eq!(interests.wait_for_key(&made_up(9_999), Duration::from_secs(30)).await, Found::Absent);
        assert_eq!(interests.wait_for_key(&made_up(9_999), Duration::from_secs(30)).await, Found::Absent);
    }

    #[tokio::test]
    async fn what_still_waits_is_asked_for_again_on_a_new_stream() {
        let interests = Interests::new();
        interests.wait(&key(1), Duration::ZERO).await;
        assert_eq!(interests.wanted().await.channels, [key(1)]);
        interests.begin_session();
        assert_eq!(interests.wanted().await.channels, [key(1)]);
    }
}
