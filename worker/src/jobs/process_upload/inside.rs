//! This file's job is to look inside the files of an upload, within bounds, and to keep what was found as a private blob.

use super::{KnownFile, internal};
use crate::context::Context;
use crate::error::Error;
use crate::jobs::spool::Unpacked;
use blob::Store;
use bundle::{Bytes, Contents, Detected, Of, describe};
use db::queue::Lease;
use db::uploads::Upload;
use db::{DbConn, bundle_contents, bundles, source_maps};
use domain::bundle::{Blob, BundleFile, FileRole, content_hash};
use domain::{Sha256, Timestamp};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Reading the largest map and the largest bundle takes seconds. After this long files are not opened any more, and nothing is said of
/// them: a bundle is worth more than its description.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// What is read of a stored image: more than is ever before its size.
const IMAGE_START_BYTES: u64 = 192 << 10;
/// A stored file that is larger is not brought back to be described.
const STORED_MAX_BYTES: u64 = 64 << 20;

/// What was found.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    /// What is stored.
    pub(super) blob: Blob,
    pub(super) bytes: Vec<u8>,
    module_count: u32,
    function_count: Option<u32>,
    image_count: u32,
}

impl Inside {
    fn of(contents: &Contents) -> Result<Self, bundle::Error> {
        let bytes = contents.encode()?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Self {
            blob: Blob::of(&bytes),
            bytes,
            module_count: count(contents.modules.len()),
            function_count: contents.hermes.map(|hermes| hermes.function_count),
            image_count: count(contents.assets.iter().filter(|asset| asset.pixels.is_some()).count()),
        })
    }

    pub(super) fn row(&self, bundle: domain::id::BundleId, now: Timestamp) -> bundle_contents::Contents {
        bundle_contents::Contents {
            bundle,
            sha256: self.blob.sha256,
            size_bytes: self.blob.size_bytes,
            module_count: self.module_count,
            function_count: self.function_count,
            image_count: self.image_count,
            created_at: now,
        }
    }
}

/// Where the bytes of an upload's files are: on this machine, or in the store because they were not sent.
#[derive(Clone)]
pub(super) struct Sources {
    here: HashMap<String, PathBuf>,
    here_by_hash: HashMap<Sha256, PathBuf>,
    stored: HashMap<String, KnownFile>,
    store: Store,
    runtime: Handle,
}

impl Sources {
    pub(super) fn new(store: Store, unpacked: &[Unpacked], known: &[KnownFile]) -> Self {
        Self {
            here: unpacked.iter().map(|file| (file.path.clone(), file.location.clone())).collect(),
            here_by_hash: unpacked.iter().map(|file| (file.blob.sha256, file.location.clone())).collect(),
            stored: known.iter().map(|file| (file.path.clone(), file.clone())).collect(),
            store,
            runtime: Handle::current(),
        }
    }

    /// Reads the beginning of a file of the upload. Blocks.
    pub(super) fn start(&self, path: &str, max_bytes: usize) -> io::Result<Vec<u8>> {
        match (self.here.get(path), self.stored.get(path)) {
            (Some(location), _) => {
                let mut start = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(File::open(location)?, max_bytes as u64), &mut start)?;
                Ok(start)
            }
            (None, Some(file)) => self.range(&file.sha256, file.size_bytes.min(max_bytes as u64)),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn range(&self, sha256: &Sha256, end: u64) -> io::Result<Vec<u8>> {
        let start = self.runtime.block_on(self.store.get_range(sha256, 0..end));
        start.map(|bytes| bytes.to_vec()).map_err(io::Error::other)
    }

    fn open(&self, of: Of<'_>) -> io::Result<Option<Box<dyn Bytes>>> {
        let (here, stored, is_image) = match of {
            Of::File(BundleFile { sha256, size_bytes, role, .. }) => {
                (self.here_by_hash.get(sha256), Some((*sha256, *size_bytes)), *role == FileRole::Asset)
            }
            Of::Other(path) => {
                let stored = self.stored.get(path).map(|file| (file.sha256, file.size_bytes));
                (self.here.get(path), stored, false)
            }
        };
        match (here, stored) {
            (Some(location), _) => Ok(Some(Box::new(File::open(location)?))),
            (None, Some((sha256, size_bytes))) if is_image => {
                Ok(Some(Box::new(Cursor::new(self.range(&sha256, size_bytes.min(IMAGE_START_BYTES))?))))
            }
            (None, Some((sha256, size_bytes))) if size_bytes <= STORED_MAX_BYTES => {
                let whole = self.runtime.block_on(self.store.read(&sha256, STORED_MAX_BYTES));
                Ok(Some(Box::new(Cursor::new(whole.map_err(io::Error::other)?))))
            }
            (None, Some(_) | None) => Ok(None),
        }
    }
}

/// Looks into the files; none when the same bundle was looked into before and this upload tells nothing more.
pub(super) async fn look(
    context: &Context,
    lease: &Lease,
    upload: &Upload,
    detected: &Detected,
    (sources, map): (Sources, Option<Sha256>),
) -> Result<Result<Option<Inside>, bundle::Error>, Error> {
    let (scope, app, platform) = (lease.scope(), upload.app.clone(), upload.platform);
    let hash = content_hash(&detected.files);
    let is_known = move |conn: &mut DbConn| -> db::Result<bool> {
        let Some(same) = bundles::find_by_hash(conn, &scope, &app, platform, &hash)? else { return Ok(false) };
        let known = bundle_contents::find(conn, &scope, &same.id)?;
        let known_map = source_maps::find(conn, &scope, &same.id)?.map(|map| map.sha256);
        Ok(known.is_some() && (map.is_none() || map == known_map))
    };
    if context.db.read(is_known).await? {
        return Ok(Ok(None));
    }
    // A map and its bundle may take a few hundred megabytes of memory.
    let _place = context.looking.acquire().await.map_err(internal)?;
    let (detected, dropped) = (detected.clone(), CancellationToken::new());
    let _guard = dropped.clone().drop_guard();
    let looked = tokio::task::spawn_blocking(move || {
        let until = Instant::now() + LOOK_MAX;
        let contents = describe(&detected, &mut |of| match Instant::now() < until {
            _ if dropped.is_cancelled() => Err(io::Error::other("the attempt was given up")),
            true => sources.open(of),
            false => Ok(None),
        })?;
        Inside::of(&contents).map(Some)
    });
    Ok(looked.await?)
}
