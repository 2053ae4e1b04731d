//! This file's job is to get verified chunks of blobs from wherever they are: this disk, a running fill, or the store.

mod breaker;
pub(crate) mod coding;
pub(crate) mod fill;
pub(crate) mod handler;
mod hedge;
pub(crate) mod origin;
pub(crate) mod origins;
mod part;
pub(crate) mod pieces;
pub(crate) mod prefetch;
pub(crate) mod range;
pub(crate) mod ready;
pub(crate) mod recovery;
pub(crate) mod scrub;
pub(crate) mod shelf;

use crate::meters::Meters;
use crate::refusal::Refusal;
use crate::snapshot::channels::Channels;
use bytes::Bytes;
use coding::Forms;
use domain::Sha256;
use domain::bundle::{Blob, CHUNK_SIZE_BYTES};
use fill::{Delivered, Fill};
use origin::Wanted;
use origins::Origins;
use parking_lot::Mutex;
use runtime::health::{Component, State};
use shelf::Shelf;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Blobs up to this size are kept in memory whole: icons, patches, small bundles.
pub(crate) const SMALL_MAX_BYTES: u64 = 256 * 1024;
/// Bytes of all fills together that are on their way from the store.
const IN_FLIGHT_MAX_CHUNKS: usize = 64;
/// Chunks that cannot be kept on disk and are shared by those who ask at the same time.
const PASSING_MAX_BYTES: u64 = 64 << 20;
/// Long enough for slow devices to follow the first one.
const PASSING_FOR: Duration = Duration::from_secs(10);
/// A chunk is looked for so often before the edge gives up: on disk, after a quarantine, and after a fill that lost a race.
const LOOK_ATTEMPTS: u32 = 3;

/// Why a chunk cannot be had.
#[derive(Debug, Clone, Error)]
pub(crate) enum BlobError {
    #[error("the store has other bytes than the snapshot says")]
    Corrupt,
    #[error("the store does not have the blob")]
    Missing,
    #[error("the store is away: {0}")]
    StoreAway(String),
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        const RETRY_AFTER_S: u32 = 5;
        match error {
            BlobError::Corrupt => Self::bad_upstream("blob-corrupt", "the stored bytes are damaged", RETRY_AFTER_S),
            BlobError::Missing => Self::bad_upstream("blob-missing", "the store lacks the blob", RETRY_AFTER_S),
            BlobError::StoreAway(_) => Self::unavailable("store-away", "the blob cannot be fetched now", RETRY_AFTER_S),
        }
    }
}

/// A verified chunk.
pub(crate) enum Chunk {
    /// Its bytes.
    Memory(Bytes),
    /// A file that has them at their place.
    File(Arc<File>),
}

/// All blobs that snapshots name.
pub(crate) struct Blobs {
    shelf: Arc<Shelf>,
    origins: Origins,
    pub(crate) channels: Arc<Channels>,
    fills: Mutex<HashMap<Sha256, Arc<Fill>>>,
    small: moka::sync::Cache<Sha256, Bytes>,
    passing: moka::future::Cache<(Sha256, usize), Bytes>,
    in_flight: Semaphore,
    /// Size of a blob that the disk could not keep; zero while it keeps all.
    refused_bytes: AtomicU64,
    meters: Arc<Meters>,
    health: Component,
}

impl Blobs {
    pub(crate) fn new(
        shelf: Shelf,
        origins: Origins,
        channels: Arc<Channels>,
        memory_max_bytes: u64,
        meters: Arc<Meters>,
        health: Component,
    ) -> Self {
        let weigh = |bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        health.set(State::Ready, "blobs are kept on disk");
        Self {
            shelf: Arc::new(shelf),
            origins,
            channels,
            fills: Mutex::default(),
            small: moka::sync::Cache::builder()
                .max_capacity(memory_max_bytes)
                .weigher(move |_: &Sha256, bytes: &Bytes| weigh(bytes))
                .build(),
            passing: moka::future::Cache::builder()
                .max_capacity(PASSING_MAX_BYTES)
                .time_to_live(PASSING_FOR)
                .weigher(move |_: &(Sha256, usize), bytes: &Bytes| weigh(bytes))
                .build(),
            in_flight: Semaphore::new(IN_FLIGHT_MAX_CHUNKS),
            refused_bytes: AtomicU64::new(0),
            meters,
            health,
        }
    }

    /// Returns the blob's description when a snapshot names it.
    pub(crate) fn describe(&self, sha256: &Sha256) -> Option<Arc<Blob>> {
        self.channels.blob(sha256)
    }

    /// Returns what can be sent in the place of a file; none when it always comes as it is.
    pub(crate) fn forms(&self, sha256: &Sha256) -> Option<Forms> {
        self.channels.forms(sha256)
    }

    /// Returns one chunk, verified.
    pub(crate) async fn chunk(self: &Arc<Self>, blob: &Arc<Blob>, index: usize) -> Result<Chunk, BlobError> {
        for _ in 0..LOOK_ATTEMPTS {
            if let Some(local) = self.shelf.open(blob).await {
                match self.shelf.verified(blob, local, index).await {
                    Ok(chunk) => {
                        self.meters.blobs.disk.inc();
                        return Ok(chunk);
                    }
                    Err(why) => {
                        tracing::error!(sha256 = %blob.sha256, index, why, "a blob on disk is damaged");
                        self.meters.blobs.verify_failures.with_label_values(&["disk"]).inc();
                        self.distrust(&blob.sha256).await;
                        continue;
                    }
                }
            }
            let Some(fill) = self.fill(blob) else { continue };
            match fill.wait(index).await {
                Delivered::OnDisk(file) => return Ok(Chunk::File(file)),
                Delivered::PassThrough => return self.pass_through(blob, index).await.map(Chunk::Memory),
                Delivered::Failed(error) => return Err(error),
                Delivered::Gone => {}
            }
        }
        self.pass_through(blob, index).await.map(Chunk::Memory)
    }

    /// Returns a small blob whole.
    pub(crate) async fn small(self: &Arc<Self>, blob: &Arc<Blob>) -> Result<Bytes, BlobError> {
        if let Some(bytes) = self.small.get(&blob.sha256) {
            self.meters.blobs.memory.inc();
            return Ok(bytes);
        }
        let bytes = match self.chunk(blob, 0).await? {
            Chunk::Memory(bytes) => bytes,
            Chunk::File(file) => match pieces::read(file, 0..blob.size_bytes).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::error!(sha256 = %blob.sha256, %error, "a blob on disk cannot be read");
                    self.distrust(&blob.sha256).await;
                    self.pass_through(blob, 0).await?
                }
            },
        };
        self.small.insert(blob.sha256, bytes.clone());
        Ok(bytes)
    }

    /// Takes the blob's file away: it cannot be read, or its bytes are wrong.
    pub(crate) async fn distrust(&self, sha256: &Sha256) {
        let (shelf, sha256) = (self.shelf.clone(), *sha256);
        // The task only fails when the runtime ends.
        let _ = tokio::task::spawn_blocking(move || shelf.quarantine(&sha256)).await;
    }

    /// Returns the running fill of the blob, or begins one. It goes on when nobody waits for it any more. `None` when the blob has
    /// just come to the shelf: a fill leaves the list after that, so no blob is fetched twice.
    fn fill(self: &Arc<Self>, blob: &Arc<Blob>) -> Option<Arc<Fill>> {
        let mut fills = self.fills.lock();
        if let Some(fill) = fills.get(&blob.sha256) {
            self.meters.blobs.coalesced.inc();
            return Some(fill.clone());
        }
        if self.shelf.has(&blob.sha256) {
            return None;
        }
        let fill = Arc::new(Fill::new(blob.clone()));
        fills.insert(blob.sha256, fill.clone());
        drop(fills);
        self.meters.blobs.origin.inc();
        tokio::spawn(fill::run(self.clone(), fill.clone()));
        Some(fill)
    }

    /// Returns how many blobs are on disk and their size in bytes.
    pub(crate) fn totals(&self) -> (usize, u64) {
        self.shelf.totals()
    }

    /// Returns the size in bytes of the blobs on disk that releases need.
    pub(crate) fn pinned_bytes(&self) -> u64 {
        let sizes = self.shelf.sizes();
        sizes.iter().filter(|(sha256, _)| self.channels.is_pinned(sha256)).map(|(_, size_bytes)| size_bytes).sum()
    }

    /// Fetches a chunk for those who ask right now, without keeping it.
    async fn pass_through(&self, blob: &Blob, index: usize) -> Result<Bytes, BlobError> {
        self.meters.blobs.passed_through.inc();
        let fetched = self.passing.try_get_with((blob.sha256, index), self.fetch(blob, index)).await;
        fetched.map_err(|error: Arc<BlobError>| BlobError::clone(&error))
    }

    /// Fetches a chunk and verifies it.
    async fn fetch(&self, blob: &Blob, index: usize) -> Result<Bytes, BlobError> {
        let _permit = self.in_flight.acquire().await.map_err(|error| BlobError::StoreAway(error.to_string()))?;
        let (range, channel) = (chunk_range(blob, index), self.channels.channel_of(&blob.sha256));
        self.origins.fetch(&Wanted { sha256: blob.sha256, range, channel }, &blob.chunks[index]).await
    }
}

/// Returns where the chunk lies in its blob.
pub(crate) fn chunk_range(blob: &Blob, index: usize) -> Range<u64> {
    let start = index as u64 * CHUNK_SIZE_BYTES;
    start..(start + CHUNK_SIZE_BYTES).min(blob.size_bytes)
}

/// Hashes off the async threads: a chunk takes about a millisecond.
async fn hash(bytes: Bytes) -> Option<Sha256> {
    tokio::task::spawn_blocking(move || Sha256::of(&bytes)).await.ok()
}
