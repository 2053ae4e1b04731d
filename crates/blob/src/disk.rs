//! This file's job is to keep objects as files in a folder.
//!
//! A file is written under `tmp/`, synced, renamed to its place, and the folder is synced: after a crash it is there whole or not
//! at all. Names under `tmp/` are random, so several processes can share one folder.

use crate::backend::{Backend, Object, Sink};
use crate::error::Error;
use async_trait::async_trait;
use bytes::Bytes;
use runtime::failpoint;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// No write takes a day: an older temporary file was left behind by a process that died.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Objects in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Opens the folder, making it when it is absent, and removes what dead processes left under `tmp/`.
    pub(crate) async fn open(root: PathBuf) -> Result<Self, Error> {
        blocking("open", "", move || {
            fs::create_dir_all(root.join("tmp"))?;
            for entry in fs::read_dir(root.join("tmp"))? {
                let entry = entry?;
                let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
                if SystemTime::now().duration_since(modified).is_ok_and(|age| age > LEFTOVER_AGE) {
                    // Another process may have removed it just now.
                    let _ = fs::remove_file(entry.path());
                }
            }
            Ok(Self { root })
        })
        .await
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}

#[async_trait]
impl Backend for Disk {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let (root, target) = (self.root.clone(), self.path(key));
        blocking("write", key, move || {
            let mut temporary = Temporary::create(&root, bytes.len() as u64)?;
            temporary.file.write_all(&bytes)?;
            temporary.persist(&target)
        })
        .await
    }

    async fn begin(&self, key: &str, size_bytes: u64) -> Result<Box<dyn Sink>, Error> {
        let root = self.root.clone();
        let temporary = blocking("write", key, move || Temporary::create(&root, size_bytes)).await?;
        Ok(Box::new(DiskSink { temporary: Some(temporary), target: self.path(key), key: key.to_owned() }))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let path = self.path(key);
        let wanted_bytes = range.end - range.start;
        let bytes = blocking("read", key, move || {
            let file = File::open(path)?;
            let mut bytes = vec![0; usize::try_from(wanted_bytes).map_err(io::Error::other)?];
            let filled = read_at(&file, &mut bytes, range.start)?;
            bytes.truncate(filled);
            Ok(Bytes::from(bytes))
        })
        .await?;
        let found_bytes = bytes.len() as u64;
        if found_bytes < wanted_bytes {
            return Err(Error::Short { key: key.to_owned(), wanted_bytes, found_bytes });
        }
        Ok(bytes)
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let path = self.path(key);
        blocking("look up", key, move || match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key);
        blocking("delete", key, move || absent_is_fine(fs::remove_file(path))).await
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), Error> {
        let path = self.path(prefix);
        blocking("delete", prefix, move || absent_is_fine(fs::remove_dir_all(path))).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Object>, Error> {
        let (root, folder, after) = (self.root.clone(), prefix.to_owned(), after.map(str::to_owned));
        blocking("list", prefix, move || {
            let mut found = Vec::new();
            collect(&root, folder.trim_end_matches('/'), after.as_deref(), limit, &mut found)?;
            Ok(found)
        })
        .await
    }

    async fn check(&self) -> Result<(), Error> {
        let root = self.root.clone();
        blocking("check", "", move || {
            let mut temporary = Temporary::create(&root, 1)?;
            temporary.file.write_all(b"1")?;
            temporary.file.sync_all()
        })
        .await
    }
}

/// A file under `tmp/` that is removed unless it is put in its place.
struct Temporary {
    file: File,
    path: PathBuf,
    placed: bool,
}

impl Temporary {
    fn create(root: &Path, size_bytes: u64) -> io::Result<Self> {
        let name = format!("{:032x}", u128::from_be_bytes(runtime::random::bytes()));
        let path = root.join("tmp").join(name);
        let file = match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(root.join("tmp"))?;
                File::create_new(&path)?
            }
            other => other?,
        };
        let temporary = Self { file, path, placed: false };
        temporary.reserve(size_bytes)?;
        Ok(temporary)
    }

    /// Takes the space now, so that a full disk is noticed before the bytes are moved.
    fn reserve(&self, size_bytes: u64) -> io::Result<()> {
        use rustix::io::Errno;
        if size_bytes == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, size_bytes) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
            // Some file systems cannot reserve; the write will tell.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn persist(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = target.parent().ok_or_else(|| io::Error::other("a key without a folder"))?;
        let created = !folder.exists();
        fs::create_dir_all(folder)?;
        failpoint::crash_at("blob.before-place");
        fs::rename(&self.path, target)?;
        self.placed = true;
        failpoint::crash_at("blob.after-place");
        File::open(folder)?.sync_all()?;
        match folder.parent() {
            Some(parent) if created => File::open(parent)?.sync_all(),
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // Best effort: what stays is removed when the store is next opened.
            let _ = fs::remove_file(&self.path);
        }
    }
}

struct DiskSink {
    temporary: Option<Temporary>,
    target: PathBuf,
    key: String,
}

#[async_trait]
impl Sink for DiskSink {
    async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        let mut temporary = self.temporary.take().ok_or_else(|| broken(&self.key))?;
        let temporary = blocking("write", &self.key, move || {
            temporary.file.write_all(&piece)?;
            Ok(temporary)
        })
        .await?;
        self.temporary = Some(temporary);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Error> {
        let temporary = self.temporary.take().ok_or_else(|| broken(&self.key))?;
        let target = self.target.clone();
        blocking("write", &self.key, move || temporary.persist(&target)).await
    }
}

fn broken(key: &str) -> Error {
    Error::Failed { action: format!("write {key}"), cause: "an earlier piece failed".to_owned() }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Walks the folder in key order. All folders of one level have names of one length, so the order of names is that of keys.
fn collect(root: &Path, folder: &str, after: Option<&str>, limit: usize, found: &mut Vec<Object>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    for name in names {
        if found.len() >= limit {
            return Ok(());
        }
        let key = format!("{folder}/{name}");
        let metadata = match fs::symlink_metadata(root.join(&key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let is_before = |after: &str| after > key.as_str() && !after.starts_with(&format!("{key}/"));
        if metadata.is_dir() && !after.is_some_and(is_before) {
            collect(root, &key, after, limit, found)?;
        } else if metadata.is_file() && after.is_none_or(|after| key.as_str() > after) {
            found.push(Object { key, size_bytes: metadata.len() });
        }
    }
    Ok(())
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    key: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::from_io(action, key, &error)),
        Err(error) => Err(Error::Unavailable { action: format!("{action} {key}"), cause: error.to_string() }),
    }
}
