//! This file's job is to notice when a disk that could keep no more blobs can do so again.

use super::Blobs;
use crate::durable::blocking;
use runtime::health::State;
use runtime::shutdown::Stop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Often enough that nobody waits for it, seldom enough that a failing disk is not made worse.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tries, while there is need to, until it is time to stop.
pub(crate) async fn run(blobs: Arc<Blobs>, stop: Stop) {
    while stop.run_until(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        let size_bytes = blobs.refused_bytes.load(Ordering::Relaxed);
        if size_bytes == 0 {
            continue;
        }
        let trying = blobs.clone();
        let tried = blocking(move || {
            let pinned = |sha256: &domain::Sha256| trying.channels.is_pinned(sha256);
            trying.shelf.try_out(size_bytes, pinned).map_err(io::Error::other)
        });
        match tried.await {
            Ok(()) => blobs.note_kept(size_bytes),
            Err(error) => blobs.note_refused(size_bytes, &error.to_string()),
        }
    }
}

impl Blobs {
    /// A blob of this size could be kept.
    pub(crate) fn note_kept(&self, size_bytes: u64) {
        // A small one that fits says nothing of a large one that did not.
        let mended = |refused: u64| (refused <= size_bytes).then_some(0);
        if self.refused_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, mended).is_ok() {
            self.meters.blobs.disk_failing.set(0);
            self.health.set(State::Ready, "blobs are kept on disk");
        }
    }

    /// A blob of this size could not be kept.
    pub(crate) fn note_refused(&self, size_bytes: u64, why: &str) {
        self.refused_bytes.store(size_bytes.max(1), Ordering::Relaxed);
        self.meters.blobs.disk_failing.set(1);
        self.health.set(State::Degraded, &format!("blobs are passed through: {why}"));
    }
}
