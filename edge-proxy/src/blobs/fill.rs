//! This file's job is to fetch one blob from the store to the disk, once for everybody who asks at the same time.

use super::{BlobError, Blobs, chunk_range, pieces};
use crate::durable::blocking;
use domain::bundle::Blob;
use domain::hash::Hasher;
use futures::stream::{FuturesUnordered, StreamExt as _};
use runtime::failpoint;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Chunks of one blob that are on their way at once: hides the store's latency.
const PARALLEL: usize = 4;

/// A fill that runs.
pub(crate) struct Fill {
    blob: Arc<Blob>,
    file: OnceLock<Arc<File>>,
    /// The chunk that somebody waits for; fetched next.
    wanted: AtomicUsize,
    progress: watch::Sender<Progress>,
}

struct Progress {
    /// Chunks that are verified and written.
    present: Vec<bool>,
    end: Option<End>,
}

#[derive(Debug, Clone)]
enum End {
    /// The blob is on the shelf.
    Kept,
    /// The blob cannot be kept; everybody fetches for himself.
    PassThrough,
    Failed(BlobError),
}

/// How one chunk came.
pub(crate) enum Delivered {
    OnDisk(Arc<File>),
    PassThrough,
    Failed(BlobError),
    /// The fill ended without a word: look again.
    Gone,
}

/// Why a fill stops.
enum Stopped {
    Disk(String),
    Blob(BlobError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl Fill {
    pub(crate) fn new(blob: Arc<Blob>) -> Self {
        let progress = Progress { present: vec![false; blob.chunks.len()], end: None };
        Self { blob, file: OnceLock::new(), wanted: AtomicUsize::new(0), progress: watch::Sender::new(progress) }
    }

    /// Waits for a chunk.
    pub(crate) async fn wait(&self, index: usize) -> Delivered {
        self.wanted.store(index, Ordering::Relaxed);
        let mut progress = self.progress.subscribe();
        let seen = progress.wait_for(|progress| is_present(progress, index) || progress.end.is_some()).await;
        let Ok(seen) = seen else { return Delivered::Gone };
        match (&seen.end, self.file.get()) {
            (_, Some(file)) if is_present(&seen, index) => Delivered::OnDisk(file.clone()),
            (Some(End::PassThrough), _) => Delivered::PassThrough,
            (Some(End::Failed(error)), _) => Delivered::Failed(error.clone()),
            (Some(End::Kept) | None, _) => Delivered::Gone,
        }
    }

    /// Waits for the end.
    pub(crate) async fn finished(&self) -> Result<(), BlobError> {
        match self.progress.subscribe().wait_for(|progress| progress.end.is_some()).await.map(|seen| seen.end.clone()) {
            Ok(Some(End::Failed(error))) => Err(error),
            Ok(Some(End::Kept | End::PassThrough) | None) | Err(_) => Ok(()),
        }
    }

    /// Returns the next chunk to fetch: the wanted one, those behind it, then those before it.
    fn next(&self, taken: &[bool]) -> Option<usize> {
        let wanted = self.wanted.load(Ordering::Relaxed).min(taken.len());
        let free = |range: std::ops::Range<usize>| range.into_iter().find(|&index| !taken[index]);
        free(wanted..taken.len()).or_else(|| free(0..wanted))
    }
}

fn is_present(progress: &Progress, index: usize) -> bool {
    progress.present.get(index).copied().unwrap_or(false)
}

/// Runs the fill to its end, whoever still waits.
pub(crate) async fn run(blobs: Arc<Blobs>, fill: Arc<Fill>) {
    let _guard = Guard { blobs: blobs.clone(), fill: fill.clone() };
    let size_bytes = fill.blob.size_bytes;
    let end = match keep(&blobs, &fill).await {
        Ok(()) => {
            blobs.note_kept(size_bytes);
            End::Kept
        }
        Err(Stopped::Disk(why)) => {
            tracing::error!(sha256 = %fill.blob.sha256, why, "a blob cannot be kept on disk");
            blobs.note_refused(size_bytes, &why);
            End::PassThrough
        }
        Err(Stopped::Blob(error)) => End::Failed(error),
    };
    fill.progress.send_modify(|progress| progress.end = Some(end));
}

async fn keep(blobs: &Arc<Blobs>, fill: &Arc<Fill>) -> Result<(), Stopped> {
    let (reserving, blob) = (blobs.clone(), fill.blob.clone());
    let reserved = blocking(move || {
        // Another process on this folder may have fetched it.
        if reserving.shelf.adopt(&blob) {
            return Ok(false);
        }
        let pinned = |sha256: &domain::Sha256| reserving.channels.is_pinned(sha256);
        reserving.shelf.reserve(blob.size_bytes, pinned).map(|()| true).map_err(io::Error::other)
    });
    if !reserved.await? {
        return Ok(());
    }
    let result = fetch_all(blobs, fill).await;
    if result.is_err() {
        blobs.shelf.release(fill.blob.size_bytes);
    }
    result
}

/// Takes the fill off the list, also when its task dies. Whoever waits then looks again.
struct Guard {
    blobs: Arc<Blobs>,
    fill: Arc<Fill>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.blobs.fills.lock().remove(&self.fill.blob.sha256);
        let unfinished = |progress: &mut Progress| {
            if progress.end.is_none() {
                progress.end = Some(End::Kept);
            }
        };
        self.fill.progress.send_modify(unfinished);
    }
}

async fn fetch_all(blobs: &Arc<Blobs>, fill: &Arc<Fill>) -> Result<(), Stopped> {
    let (creating, blob) = (blobs.clone(), fill.blob.clone());
    let part = blocking(move || creating.shelf.create_part(&blob)).await?;
    let file = fill.file.get_or_init(|| part.file().clone()).clone();
    let mut taken = vec![false; fill.blob.chunks.len()];
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < PARALLEL {
            let Some(index) = fill.next(&taken) else { break };
            taken[index] = true;
            running.push(fetch_one(blobs, fill, &file, index));
        }
        let Some(index) = running.next().await.transpose()? else { break };
        fill.progress.send_modify(|progress| progress.present[index] = true);
    }
    drop(running);
    failpoint::crash_at("edge.blob-fetched");
    let (blobs, blob) = (blobs.clone(), fill.blob.clone());
    let is_right = blocking(move || {
        // One chunk was compared with the same hash already.
        let is_right = blob.chunks.len() == 1 || hash_whole(&file, &blob)? == blob.sha256;
        if is_right {
            blobs.shelf.keep(&blob, part)?;
        }
        Ok(is_right)
    });
    if is_right.await? { Ok(()) } else { Err(Stopped::Blob(BlobError::Corrupt)) }
}

/// Fetches, verifies and writes one chunk.
async fn fetch_one(blobs: &Blobs, fill: &Fill, file: &Arc<File>, index: usize) -> Result<usize, Stopped> {
    let bytes = blobs.fetch(&fill.blob, index).await.map_err(Stopped::Blob)?;
    let (file, start) = (file.clone(), chunk_range(&fill.blob, index).start);
    blocking(move || file.write_all_at(&bytes, start)).await?;
    Ok(index)
}

/// The chunk hashes are the control plane's word; the name of the blob is what devices check.
fn hash_whole(file: &File, blob: &Blob) -> io::Result<domain::Sha256> {
    let mut hasher = Hasher::default();
    for index in 0..blob.chunks.len() {
        hasher.update(&pieces::read_blocking(file, chunk_range(blob, index))?);
    }
    Ok(hasher.finish())
}
