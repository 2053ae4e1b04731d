//! This file's job is to fetch what new releases need before devices ask for it.

use super::Blobs;
use super::ready::Readiness;
use crate::snapshot::Channel;
use domain::bundle::Blob;
use runtime::shutdown::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Channels that wait; what does not fit is looked for when none waits any more, or fetched when a device asks.
const QUEUE: usize = 10_000;
/// So often everything that releases need is looked for: a wish may have failed, or a blob gone.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// When the store is away, the rest of the queue would fail as well.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Takes wishes.
#[derive(Clone)]
pub(crate) struct Prefetch(mpsc::Sender<Arc<Channel>>);

impl Prefetch {
    /// Makes the taker of wishes, and the task that fulfils them one after the other until it is time to stop.
    pub(crate) fn new(
        blobs: Arc<Blobs>,
        readiness: Arc<Readiness>,
        stop: Stop,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, wishes) = mpsc::channel(QUEUE);
        (Self(sender), async move {
            let _ = stop.run_until(fulfil(blobs, readiness, wishes)).await;
        })
    }

    /// Wishes for all that the channel's releases need.
    pub(crate) fn request(&self, channel: &Arc<Channel>) {
        if self.0.try_send(channel.clone()).is_err() {
            tracing::warn!("too many channels to fetch ahead for: the rest waits");
        }
    }
}

async fn fulfil(blobs: Arc<Blobs>, readiness: Arc<Readiness>, mut wishes: mpsc::Receiver<Arc<Channel>>) {
    loop {
        match timeout(LOOK_EVERY, wishes.recv()).await {
            Ok(Some(channel)) => complete(&blobs, &readiness, &channel).await,
            Ok(None) => return,
            Err(_) => {
                for channel in blobs.channels.all() {
                    complete(&blobs, &readiness, &channel).await;
                }
            }
        }
    }
}

/// Fetches all that the channel's releases need, and notes when it is there.
async fn complete(blobs: &Arc<Blobs>, readiness: &Readiness, channel: &Channel) {
    let mut is_complete = true;
    for (blob, _) in channel.blobs().iter().filter(|(_, pinned)| *pinned) {
        is_complete &= fetch(blobs, blob).await;
    }
    let snapshot = &channel.snapshot;
    let is_in_use = blobs.channels.get(&snapshot.key).is_some_and(|used| used.digest == channel.digest);
    if is_complete && is_in_use {
        readiness.note(&snapshot.key, snapshot.version);
    }
}

/// Says whether the blob is on the disk afterwards, or is not needed any more.
async fn fetch(blobs: &Arc<Blobs>, blob: &Arc<Blob>) -> bool {
    let is_needed = blobs.channels.is_pinned(&blob.sha256) && !blob.chunks.is_empty();
    let Some(fill) = is_needed.then(|| blobs.fill(blob)).flatten() else { return true };
    if let Err(error) = fill.finished().await {
        tracing::warn!(sha256 = %blob.sha256, %error, "a blob could not be fetched ahead");
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
    }
    blobs.shelf.has(&blob.sha256)
}
