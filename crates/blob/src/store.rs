//! This file's job is to keep blobs under the hash of their bytes.

use crate::backend::{Backend, Object};
use crate::disk::Disk;
use crate::error::Error;
use crate::key;
use crate::location::Location;
use crate::s3::S3;
use bytes::{Bytes, BytesMut};
use domain::Sha256;
use domain::bundle::{Blob, ChunkHasher};
use domain::hash::Hasher;
use futures::stream::{self, Stream};
use runtime::config;
use std::ops::Range;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What is moved and held in memory at once; S3 wants at least 5 MiB for every part but the last.
const PIECE_BYTES: u64 = 8 << 20;
/// The largest range that is read at once; see [`Store::stream`] for more.
pub const RANGE_MAX_BYTES: u64 = 16 << 20;

/// The object store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) backend: Arc<dyn Backend>,
}

/// What [`Store::put`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The blob is there now.
    Stored,
    /// The blob was there before.
    Present,
}

/// A blob as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The blob's name.
    pub sha256: Sha256,
    /// Its size.
    pub size_bytes: u64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the store. A folder is made when it is absent; a bucket must exist, and is not contacted yet (see [`Store::check`]).
    pub async fn open(config: &config::Store) -> Result<Self, Error> {
        let backend: Arc<dyn Backend> = match config.url.parse::<Location>()? {
            Location::Disk(folder) => Arc::new(Disk::open(folder).await?),
            Location::S3(bucket) => Arc::new(S3::open(&bucket, &config.access_key, &config.secret_key)?),
        };
        Ok(Self { backend })
    }

    /// Stores the blob. The bytes are hashed on their way, and become visible only when they are those of `expected`; otherwise
    /// [`Error::WrongBytes`]. Holds 8 MiB in memory at most. May be repeated, also at the same time.
    pub async fn put(&self, expected: &Blob, mut reader: impl AsyncRead + Send + Unpin) -> Result<Put, Error> {
        if self.size_bytes(&expected.sha256).await? == Some(expected.size_bytes) {
            return Ok(Put::Present);
        }
        let key = key::blob(&expected.sha256);
        let mut check = Check { expected, hasher: ChunkHasher::default(), seen_bytes: 0 };
        let first = check.next(&mut reader).await?;
        if expected.size_bytes <= PIECE_BYTES {
            check.finish()?;
            self.backend.put(&key, first).await?;
            return Ok(Put::Stored);
        }
        let mut sink = self.backend.begin(&key, expected.size_bytes).await?;
        let mut piece = first;
        while !piece.is_empty() {
            sink.write(piece).await?;
            piece = check.next(&mut reader).await?;
        }
        check.finish()?;
        sink.commit().await?;
        Ok(Put::Stored)
    }

    /// Reads exactly the range of the blob, not verified. At most [`RANGE_MAX_BYTES`]; [`Error::Short`] when it reaches beyond the
    /// blob's end.
    pub async fn get_range(&self, sha256: &Sha256, range: Range<u64>) -> Result<Bytes, Error> {
        let size_bytes = range.end.saturating_sub(range.start);
        if size_bytes > RANGE_MAX_BYTES {
            return Err(Error::TooLarge { size_bytes, max_bytes: RANGE_MAX_BYTES });
        }
        if size_bytes == 0 {
            return Ok(Bytes::new());
        }
        self.backend.get_range(&key::blob(sha256), range).await
    }

    /// Reads the range of the blob in pieces of at most 8 MiB, not verified. Ends after the first error.
    pub fn stream(
        &self,
        sha256: Sha256,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static {
        let store = self.clone();
        Box::pin(stream::try_unfold(range.start, move |position| {
            let store = store.clone();
            async move {
                if position >= range.end {
                    return Ok(None);
                }
                let piece_end = range.end.min(position.saturating_add(PIECE_BYTES));
                let bytes = store.get_range(&sha256, position..piece_end).await?;
                Ok(Some((bytes, piece_end)))
            }
        }))
    }

    /// Reads a whole blob into memory and verifies it; [`Error::TooLarge`] when it has more than `max_bytes`.
    pub async fn read(&self, sha256: &Sha256, max_bytes: u64) -> Result<Bytes, Error> {
        let size_bytes = self.stat(sha256).await?;
        if size_bytes > max_bytes {
            return Err(Error::TooLarge { size_bytes, max_bytes });
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
        let mut position = 0;
        while position < size_bytes {
            let piece_end = size_bytes.min(position + PIECE_BYTES);
            bytes.extend_from_slice(&self.get_range(sha256, position..piece_end).await?);
            position = piece_end;
        }
        let bytes = bytes.freeze();
        let found = Sha256::of(&bytes);
        if found == *sha256 { Ok(bytes) } else { Err(Error::WrongBytes { expected: *sha256, found }) }
    }

    /// Returns the blob's size, or none when it is absent.
    pub async fn size_bytes(&self, sha256: &Sha256) -> Result<Option<u64>, Error> {
        self.backend.size(&key::blob(sha256)).await
    }

    /// Returns the blob's size; [`Error::NotFound`] when it is absent.
    pub async fn stat(&self, sha256: &Sha256) -> Result<u64, Error> {
        self.size_bytes(sha256).await?.ok_or_else(|| Error::NotFound { key: key::blob(sha256) })
    }

    /// Removes the blob; an absent one is no error.
    pub async fn delete(&self, sha256: &Sha256) -> Result<(), Error> {
        self.backend.delete(&key::blob(sha256)).await
    }

    /// Lists up to `limit` blobs behind `after`, sorted by hash, for sweeps.
    pub async fn list(&self, after: Option<&Sha256>, limit: usize) -> Result<Vec<Listed>, Error> {
        let objects = self.backend.list(key::BLOBS, after.map(key::blob).as_deref(), limit).await?;
        let listed =
            |object: Object| Some(Listed { sha256: key::parse_blob(&object.key)?, size_bytes: object.size_bytes });
        Ok(objects.into_iter().filter_map(listed).collect())
    }

    /// Finds out, without retries and within 5 s, whether the store answers. On disk, also whether it can be written.
    pub async fn check(&self) -> Result<(), Error> {
        self.backend.check().await
    }
}

/// Reads pieces, hashes them, and compares the whole with what is expected.
struct Check<'a> {
    expected: &'a Blob,
    hasher: ChunkHasher,
    seen_bytes: u64,
}

impl Check<'_> {
    /// Returns the next piece, empty at the end. Stops as soon as there are too many bytes.
    async fn next(&mut self, reader: &mut (impl AsyncRead + Send + Unpin)) -> Result<Bytes, Error> {
        // One byte more than is expected shows whether there are too many.
        let wanted = (self.expected.size_bytes - self.seen_bytes).saturating_add(1).min(PIECE_BYTES);
        let mut piece = BytesMut::with_capacity(usize::try_from(wanted).unwrap_or(0));
        let mut bounded = reader.take(wanted);
        while bounded.read_buf(&mut piece).await.map_err(Error::Source)? > 0 {}
        let piece = piece.freeze();
        self.seen_bytes += piece.len() as u64;
        let (mut hasher, hashed) = (std::mem::take(&mut self.hasher), piece.clone());
        let worked = tokio::task::spawn_blocking(move || {
            hasher.update(&hashed);
            hasher
        });
        self.hasher =
            worked.await.map_err(|error| Error::Failed { action: "hash".into(), cause: error.to_string() })?;
        if self.seen_bytes > self.expected.size_bytes {
            return Err(self.wrong(Hasher::default().finish()));
        }
        Ok(piece)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let found = std::mem::take(&mut self.hasher).finish();
        if found == *self.expected { Ok(()) } else { Err(self.wrong(found.sha256)) }
    }

    fn wrong(&self, found: Sha256) -> Error {
        Error::WrongBytes { expected: self.expected.sha256, found }
    }
}
