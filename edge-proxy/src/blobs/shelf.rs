//! This file's job is to keep blobs as plain files, to know which are there, and to remove those that nobody needs.
//!
//! ```text
//! blobs/<first two digits>/<sha256>   a whole blob, its bytes as they are
//! part/<sha256>.<random>              a blob that is being fetched
//! quarantine/<sha256>                 a damaged blob, for the operator
//! ```

use super::part::{self, Part};
use super::{Chunk, chunk_range, pieces};
use crate::durable::{self, absent_is_fine};
use crate::meters::Meters;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::{Blob, CHUNK_SIZE_BYTES};
use parking_lot::Mutex;
use runtime::failpoint;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Open files; well below the usual limit of a process.
const OPEN_FILES_MAX: u64 = 512;
/// Damaged blobs that are kept for the operator.
const QUARANTINE_MAX: usize = 16;
/// One page: what any disk that works can write.
const TRIAL_BYTES: usize = 4_096;

/// The edge's own disk.
pub(crate) struct Shelf {
    folder: PathBuf,
    max_bytes: u64,
    reserve_bytes: u64,
    inner: Mutex<Inner>,
    files: moka::sync::Cache<Sha256, Arc<File>>,
    tick: AtomicU64,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Sha256, Arc<Entry>>,
    /// All entries, and the blobs that are being fetched.
    total_bytes: u64,
}

/// A whole blob on disk.
pub(crate) struct Entry {
    size_bytes: u64,
    /// When it was last used, in ticks.
    used: AtomicU64,
    /// Which chunks this process has found to have the right hash.
    verified: Box<[AtomicBool]>,
}

/// A blob on disk, open.
pub(crate) struct Local {
    entry: Arc<Entry>,
    file: Arc<File>,
}

impl Entry {
    fn new(size_bytes: u64, used: u64, verified: bool) -> Self {
        let chunks = size_bytes.div_ceil(CHUNK_SIZE_BYTES);
        Self {
            size_bytes,
            used: AtomicU64::new(used),
            verified: (0..chunks).map(|_| AtomicBool::new(verified)).collect(),
        }
    }
}

impl Shelf {
    /// Opens the folder and lists what is in it. Blocks. Nothing that lies there is trusted beyond its name and size.
    pub(crate) fn open_folder(
        folder: PathBuf,
        max_bytes: u64,
        reserve_bytes: u64,
        meters: Arc<Meters>,
    ) -> io::Result<Self> {
        for name in ["blobs", "part", "quarantine"] {
            fs::create_dir_all(folder.join(name))?;
        }
        part::sweep(&folder.join("part"))?;
        let (files, tick) = (moka::sync::Cache::new(OPEN_FILES_MAX), AtomicU64::new(1));
        let shelf = Self { folder, max_bytes, reserve_bytes, inner: Mutex::default(), files, tick, meters };
        shelf.list()?;
        Ok(shelf)
    }

    /// Lists the folder and returns the names of what is there, in their order. What another process put there or took away becomes
    /// known. Blocks.
    pub(crate) fn list(&self) -> io::Result<Vec<Sha256>> {
        let known: Vec<Sha256> = self.inner.lock().entries.keys().copied().collect();
        let mut found = BTreeSet::new();
        for shard in fs::read_dir(self.folder.join("blobs"))?.flatten() {
            let Ok(files) = fs::read_dir(shard.path()) else { continue };
            for file in files.flatten() {
                let name = file.file_name().into_string().ok().and_then(|name| name.parse::<Sha256>().ok());
                let size = file.metadata().ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
                if let (Some(sha256), Some(size_bytes)) = (name, size) {
                    found.insert(sha256);
                    self.add(&sha256, size_bytes);
                }
            }
        }
        known
            .iter()
            .filter(|sha256| !found.contains(sha256) && !self.path(sha256).exists())
            .for_each(|it| self.forget(it));
        Ok(found.into_iter().collect())
    }

    /// Takes in a file that is there, not verified. False when there is none of this size. Blocks.
    pub(crate) fn adopt(&self, blob: &Blob) -> bool {
        let is_there = fs::metadata(self.path(&blob.sha256)).is_ok_and(|file| file.len() == blob.size_bytes);
        if is_there {
            self.add(&blob.sha256, blob.size_bytes);
        }
        is_there
    }

    fn add(&self, sha256: &Sha256, size_bytes: u64) {
        let mut inner = self.inner.lock();
        if !inner.entries.contains_key(sha256) {
            inner.total_bytes += size_bytes;
            inner.entries.insert(*sha256, Arc::new(Entry::new(size_bytes, 0, false)));
            self.meters.blobs.cache_bytes.set(inner.total_bytes.cast_signed());
        }
    }

    /// Says whether the whole blob is on disk.
    pub(crate) fn has(&self, sha256: &Sha256) -> bool {
        self.inner.lock().entries.contains_key(sha256)
    }

    /// Opens the blob's file. A file of another size is put aside.
    pub(crate) async fn open(self: &Arc<Self>, blob: &Blob) -> Option<Local> {
        let entry = self.inner.lock().entries.get(&blob.sha256).cloned()?;
        entry.used.store(self.tick.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if let Some(file) = self.files.get(&blob.sha256) {
            return Some(Local { entry, file });
        }
        let (shelf, sha256, size_bytes) = (self.clone(), blob.sha256, blob.size_bytes);
        let opened = durable::blocking(move || {
            let file = File::open(shelf.path(&sha256))?;
            if file.metadata()?.len() != size_bytes || entry.size_bytes != size_bytes {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has another size"));
            }
            Ok(Local { entry, file: Arc::new(file) })
        });
        match opened.await {
            Ok(local) => {
                self.files.insert(blob.sha256, local.file.clone());
                Some(local)
            }
            Err(error) => {
                tracing::error!(%sha256, %error, "a blob on disk cannot be opened");
                let shelf = self.clone();
                // The task only fails when the runtime ends.
                let _ = tokio::task::spawn_blocking(move || shelf.quarantine(&sha256)).await;
                None
            }
        }
    }

    /// Returns the chunk; reads and hashes it when this is the first time since the start.
    pub(crate) async fn verified(&self, blob: &Blob, local: Local, index: usize) -> Result<Chunk, &'static str> {
        let flag = local.entry.verified.get(index).ok_or("there is no such chunk")?;
        if flag.load(Ordering::Acquire) {
            return Ok(Chunk::File(local.file));
        }
        let (range, expected, file) = (chunk_range(blob, index), blob.chunks[index], local.file.clone());
        let read = durable::blocking(move || {
            let bytes = pieces::read_blocking(&file, range)?;
            Ok((Sha256::of(&bytes) == expected).then_some(bytes))
        });
        match read.await {
            Ok(Some(bytes)) => {
                flag.store(true, Ordering::Release);
                Ok(Chunk::Memory(bytes))
            }
            Ok(None) => Err("the hash is wrong"),
            Err(_) => Err("it cannot be read"),
        }
    }

    /// Moves the blob's file out of the way. Blocks.
    pub(crate) fn quarantine(&self, sha256: &Sha256) {
        self.forget(sha256);
        let target = self.folder.join("quarantine");
        let count = fs::read_dir(&target).map_or(QUARANTINE_MAX, Iterator::count);
        let path = self.path(sha256);
        let moved = if count < QUARANTINE_MAX {
            fs::rename(&path, target.join(sha256.to_hex()))
        } else {
            fs::remove_file(&path)
        };
        if let Err(error) = absent_is_fine(moved) {
            tracing::error!(%sha256, %error, "cannot move a damaged blob away");
        }
    }

    /// Makes room for a blob by removing what was used longest ago and is not pinned. False when there is none. Blocks.
    pub(crate) fn reserve(&self, size_bytes: u64, is_pinned: impl Fn(&Sha256) -> bool) -> Result<(), &'static str> {
        let mut inner = self.inner.lock();
        let mut candidates: Vec<(u64, Sha256, u64)> = Vec::new();
        if inner.total_bytes + size_bytes > self.max_bytes || self.lacks_space(size_bytes) {
            let age = |entry: &Entry| entry.used.load(Ordering::Relaxed);
            let listed = inner.entries.iter().filter(|(sha256, _)| !is_pinned(sha256));
            candidates = listed.map(|(sha256, entry)| (age(entry), *sha256, entry.size_bytes)).collect();
            candidates.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.0));
        }
        loop {
            let full = if inner.total_bytes + size_bytes > self.max_bytes {
                "the blobs that releases need fill the cache"
            } else if self.lacks_space(size_bytes) {
                "the disk is full"
            } else {
                inner.total_bytes += size_bytes;
                return Ok(());
            };
            let Some((_, sha256, freed_bytes)) = candidates.pop() else { return Err(full) };
            inner.entries.remove(&sha256);
            inner.total_bytes -= freed_bytes;
            self.files.invalidate(&sha256);
            self.meters.blobs.evictions.inc();
            if let Err(error) = absent_is_fine(fs::remove_file(self.path(&sha256))) {
                tracing::error!(%sha256, %error, "cannot remove a blob");
            }
        }
    }

    /// Gives back what was reserved for a blob that was not kept.
    pub(crate) fn release(&self, size_bytes: u64) {
        self.inner.lock().total_bytes -= size_bytes;
    }

    /// Creates the file that a fill writes to. Blocks.
    pub(crate) fn create_part(&self, blob: &Blob) -> io::Result<Part> {
        if failpoint::is_broken("edge.fills-apart") {
            // In its place before it is whole.
            let path = self.path(&blob.sha256);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::create(path)?.set_len(blob.size_bytes)?;
        }
        Part::create(&self.folder.join("part"), &blob.sha256, blob.size_bytes)
    }

    /// Puts a finished part in its place; all its chunks are verified. Blocks.
    pub(crate) fn keep(&self, blob: &Blob, part: Part) -> io::Result<()> {
        let file = part.file().clone();
        part.place(&self.path(&blob.sha256))?;
        let entry = Entry::new(blob.size_bytes, self.tick.fetch_add(1, Ordering::Relaxed), true);
        let mut inner = self.inner.lock();
        if let Some(old) = inner.entries.insert(blob.sha256, Arc::new(entry)) {
            inner.total_bytes -= old.size_bytes;
        }
        self.files.insert(blob.sha256, file);
        self.meters.blobs.cache_bytes.set(inner.total_bytes.cast_signed());
        Ok(())
    }

    /// Finds out whether a blob of this size could be kept now. Blocks.
    pub(crate) fn try_out(&self, size_bytes: u64, is_pinned: impl Fn(&Sha256) -> bool) -> Result<(), String> {
        self.reserve(size_bytes, is_pinned)?;
        self.release(size_bytes);
        let write = || {
            let part = Part::create(&self.folder.join("part"), &Sha256::of(b""), TRIAL_BYTES as u64)?;
            part.file().write_all_at(&[0; TRIAL_BYTES], 0)?;
            part.file().sync_all()
        };
        write().map_err(|error: io::Error| error.to_string())
    }

    /// Returns how many blobs there are and their size in bytes.
    pub(crate) fn totals(&self) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.entries.len(), inner.total_bytes)
    }

    /// Returns every blob with its size in bytes.
    pub(crate) fn sizes(&self) -> Vec<(Sha256, u64)> {
        self.inner.lock().entries.iter().map(|(sha256, entry)| (*sha256, entry.size_bytes)).collect()
    }

    fn forget(&self, sha256: &Sha256) {
        let mut inner = self.inner.lock();
        if let Some(entry) = inner.entries.remove(sha256) {
            inner.total_bytes -= entry.size_bytes;
        }
        self.files.invalidate(sha256);
        self.meters.blobs.cache_bytes.set(inner.total_bytes.cast_signed());
    }

    /// Says whether the disk would have less than the reserve left. An unknown amount counts as enough: the write will tell.
    fn lacks_space(&self, size_bytes: u64) -> bool {
        rustix::fs::statvfs(&self.folder).is_ok_and(|disk| {
            disk.f_bavail.saturating_mul(disk.f_frsize) < self.reserve_bytes.saturating_add(size_bytes)
        })
    }

    pub(crate) fn path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_hex();
        self.folder.join("blobs").join(&hex[..2]).join(hex)
    }
}

/// Reads a range of a file. Used where the bytes are needed whole.
impl Chunk {
    /// Returns the bytes of the range, which lies in the chunk that begins at `chunk_start`.
    pub(crate) async fn read(&self, chunk_start: u64, range: std::ops::Range<u64>) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let (start, end) = (range.start - chunk_start, range.end - chunk_start);
                let inside = |offset: u64| usize::try_from(offset).ok().filter(|&offset| offset <= bytes.len());
                match (inside(start), inside(end)) {
                    (Some(start), Some(end)) => Ok(bytes.slice(start..end)),
                    (None, _) | (_, None) => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            Self::File(file) => pieces::read(file.clone(), range).await,
        }
    }
}
