//! This file's job is to bring an upload's archive to this machine and to unpack it there, within bounds.

use crate::error::Error;
use crate::jobs::process_upload::Refused;
use bundle::{Limits, read_archive};
use domain::Sha256;
use domain::bundle::{ArchiveFormat, Blob, ChunkHasher};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

const PIECE_BYTES: usize = 1 << 20;

/// A folder of its own for one attempt; removed when dropped.
pub(crate) struct Spool(TempDir);

/// A file of the archive.
#[derive(Debug, Clone)]
pub(crate) struct Unpacked {
    /// Its path in the archive.
    pub(crate) path: String,
    /// Its bytes' description.
    pub(crate) blob: Blob,
    /// Where it lies.
    pub(crate) location: PathBuf,
}

impl Spool {
    pub(crate) fn make(folder: &Path) -> Result<Self, Error> {
        let made = tempfile::Builder::new().prefix("upload-").tempdir_in(folder);
        made.map(Self).map_err(Error::spool("making a spool folder"))
    }

    fn archive(&self) -> PathBuf {
        self.0.path().join("archive")
    }

    /// Copies the archive here; refused when it does not have the size and the hash that were declared.
    pub(crate) async fn fetch(
        &self,
        mut reader: impl AsyncRead + Unpin,
        size_bytes: u64,
        sha256: &Sha256,
    ) -> Result<Result<(), Refused>, Error> {
        let file = tokio::fs::File::create(self.archive()).await;
        let mut file = file.map_err(Error::spool("writing the archive"))?;
        let (mut hasher, mut seen_bytes, mut piece) = (domain::hash::Hasher::default(), 0_u64, vec![0; PIECE_BYTES]);
        loop {
            let count = reader.read(&mut piece).await.map_err(from_store)?;
            seen_bytes += count as u64;
            if count == 0 || seen_bytes > size_bytes {
                break;
            }
            hasher.update(&piece[..count]);
            file.write_all(&piece[..count]).await.map_err(Error::spool("writing the archive"))?;
        }
        file.flush().await.map_err(Error::spool("writing the archive"))?;
        if seen_bytes != size_bytes {
            return Ok(Err(Refused::mismatch(format!("{seen_bytes} bytes arrived instead of {size_bytes}"))));
        }
        let found = hasher.finish();
        if found != *sha256 {
            return Ok(Err(Refused::mismatch(format!("the archive has the SHA-256 {found} instead of {sha256}"))));
        }
        Ok(Ok(()))
    }

    /// Unpacks the archive on a thread for blocking work, which stops soon after this future is dropped.
    pub(crate) async fn unpack(&self, format: ArchiveFormat, limits: Limits) -> Result<Vec<Unpacked>, bundle::Error> {
        let (archive, folder) = (self.archive(), self.0.path().to_owned());
        let dropped = CancellationToken::new();
        let guard = dropped.clone().drop_guard();
        let work = tokio::task::spawn_blocking(move || unpack(&archive, &folder, format, &limits, &dropped));
        let unpacked = work.await.map_err(|error| bundle::Error::Sink(io::Error::other(error)))?;
        drop(guard);
        unpacked
    }
}

fn unpack(
    archive: &Path,
    folder: &Path,
    format: ArchiveFormat,
    limits: &Limits,
    dropped: &CancellationToken,
) -> Result<Vec<Unpacked>, bundle::Error> {
    let archive = File::open(archive).map_err(bundle::Error::Sink)?;
    let mut unpacked = Vec::new();
    let mut take = |path: &str, bytes: &mut dyn Read| {
        if dropped.is_cancelled() {
            return Err(io::Error::other("the attempt was given up"));
        }
        let location = folder.join(format!("file-{}", unpacked.len()));
        let blob = copy(bytes, &location)?;
        unpacked.push(Unpacked { path: path.to_owned(), blob, location });
        Ok(())
    };
    read_archive(format, archive, limits, &mut take)?;
    Ok(unpacked)
}

fn copy(bytes: &mut dyn Read, location: &Path) -> io::Result<Blob> {
    let (mut file, mut hasher, mut piece) = (File::create(location)?, ChunkHasher::default(), vec![0; PIECE_BYTES]);
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&piece[..count]);
                file.write_all(&piece[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finish())
}

/// Gives the store's own error back that a reader carried.
fn from_store(error: io::Error) -> Error {
    match error.downcast::<blob::Error>() {
        Ok(error) => Error::Store(error),
        Err(cause) => Error::Spool { action: "reading the upload", cause },
    }
}
