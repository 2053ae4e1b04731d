//! This file's job is to fetch what new releases need before devices ask for it.

use super::Blobs;
use crate::snapshot::Channel;
use domain::bundle::Blob;
use runtime::shutdown::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Blobs that wait; what does not fit is fetched when a device asks.
const QUEUE: usize = 10_000;
/// So often everything that releases need is looked for: a wish may have failed, or a blob gone.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// When the store is away, the rest of the queue would fail as well.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Takes wishes.
#[derive(Clone)]
pub(crate) struct Prefetch(mpsc::Sender<Arc<Blob>>);

impl Prefetch {
    /// Makes the taker of wishes, and the task that fulfils them one after the other until it is time to stop.
    pub(crate) fn new(blobs: Arc<Blobs>, stop: Stop) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, wishes) = mpsc::channel(QUEUE);
        (Self(sender), async move {
            let _ = stop.run_until(fulfil(blobs, wishes)).await;
        })
    }

    /// Wishes for all that the channel's releases need.
    pub(crate) fn request(&self, channel: &Channel) {
        for (blob, pinned) in &channel.blobs {
            if *pinned && self.0.try_send(blob.clone()).is_err() {
                tracing::warn!("too many blobs to fetch ahead: the rest waits for devices");
                return;
            }
        }
    }
}

async fn fulfil(blobs: Arc<Blobs>, mut wishes: mpsc::Receiver<Arc<Blob>>) {
    loop {
        match timeout(LOOK_EVERY, wishes.recv()).await {
            Ok(Some(blob)) => fetch(&blobs, &blob).await,
            Ok(None) => return,
            Err(_) => {
                for channel in blobs.channels.all() {
                    for (blob, _) in channel.blobs.iter().filter(|(_, pinned)| *pinned) {
                        fetch(&blobs, blob).await;
                    }
                }
            }
        }
    }
}

async fn fetch(blobs: &Arc<Blobs>, blob: &Arc<Blob>) {
    let is_needed = blobs.channels.is_pinned(&blob.sha256) && !blob.chunks.is_empty();
    let Some(fill) = is_needed.then(|| blobs.fill(blob)).flatten() else { return };
    if let Err(error) = fill.finished().await {
        tracing::warn!(sha256 = %blob.sha256, %error, "a blob could not be fetched ahead");
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
    }
}
