//! This file's job is to keep the last two snapshots of every channel on disk.
//!
//! A channel has a folder `<app id>/<channel name>` with the files `current` and `previous`. Each file is 8 bytes of magic, the
//! digest (32 bytes) and the encoded snapshot. A file that does not fit its digest is set aside and the other one is used.

use super::interned::Interned;
use super::{Channel, ENCODED_MAX_BYTES};
use crate::durable::{self, absent_is_fine};
use domain::Sha256;
use domain::snapshot::ChannelKey;
use runtime::failpoint;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"ALOFTSN1";
const HEADER_BYTES: usize = MAGIC.len() + 32;
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
/// A file that could not be used, kept for the operator; the next bad one takes its place.
const BAD: &str = "bad";

/// The folder with all snapshots.
pub(crate) struct Disk {
    folder: PathBuf,
}

/// What was found at start.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) channels: Vec<Arc<Channel>>,
    /// Files that could not be used.
    pub(crate) bad: usize,
}

impl Disk {
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Reads the newest usable snapshot of every channel, at most `max` channels. Nothing that lies in the folder can make this fail.
    pub(crate) fn load(&self, max: usize, interned: &Interned) -> Found {
        let mut found = Found::default();
        for app in subfolders(&self.folder) {
            for channel in subfolders(&app) {
                if found.channels.len() < max {
                    found.channels.extend(load_channel(&channel, interned, &mut found.bad).map(Arc::new));
                }
            }
        }
        found
    }

    /// Makes the snapshot the current one and keeps the one before. Whatever happens in between, one of the two is whole.
    pub(crate) fn write(&self, key: &ChannelKey, digest: &Sha256, encoded: &[u8]) -> io::Result<()> {
        let folder = self.folder_of(key);
        let is_new = !folder.exists();
        fs::create_dir_all(&folder)?;
        let current = folder.join(CURRENT);
        let temporary = durable::write_beside(&current, &[MAGIC, digest.as_bytes(), encoded])?;
        if failpoint::is_broken("edge.two-generations") {
            absent_is_fine(fs::remove_file(&current))?;
        } else {
            absent_is_fine(fs::rename(&current, folder.join(PREVIOUS)))?;
        }
        failpoint::crash_at("edge.snapshot-half-written");
        fs::rename(temporary, &current)?;
        durable::sync_folder_of(&current)?;
        if is_new {
            durable::sync_folder_of(&folder)?;
            folder.parent().map_or(Ok(()), durable::sync_folder_of)?;
        }
        Ok(())
    }

    /// Forgets a channel.
    pub(crate) fn remove(&self, key: &ChannelKey) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(self.folder_of(key)))
    }

    /// Both parts are checked names without separators or leading dots.
    fn folder_of(&self, key: &ChannelKey) -> PathBuf {
        self.folder.join(key.app.as_str()).join(key.channel.as_str())
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir()).collect()
}

fn load_channel(folder: &Path, interned: &Interned, bad: &mut usize) -> Option<Channel> {
    for name in [CURRENT, PREVIOUS] {
        let path = folder.join(name);
        match load_file(&path, interned) {
            Ok(Some(channel)) if belongs_in(&channel, folder) => return Some(channel),
            Ok(None) => {}
            Ok(Some(_)) => set_aside(&path, "is another channel's", bad),
            Err(why) => set_aside(&path, &why, bad),
        }
    }
    None
}

/// Out of the way, so that the next write does not put it in the place of the usable one.
fn set_aside(path: &Path, why: &str, bad: &mut usize) {
    tracing::error!(path = %path.display(), why, "a snapshot file cannot be used");
    *bad += 1;
    if let Err(error) = fs::rename(path, path.with_file_name(BAD)) {
        tracing::error!(path = %path.display(), %error, "a bad snapshot file cannot be moved");
    }
}

fn load_file(path: &Path, interned: &Interned) -> Result<Option<Channel>, String> {
    let max_bytes = (HEADER_BYTES + ENCODED_MAX_BYTES) as u64;
    let Some(bytes) = durable::read(path, max_bytes).map_err(|error| error.to_string())? else { return Ok(None) };
    parse_file(&bytes, interned).map(Some)
}

/// Reads the content of a file.
pub(crate) fn parse_file(bytes: &[u8], interned: &Interned) -> Result<Channel, String> {
    if bytes.len() < HEADER_BYTES || &bytes[..MAGIC.len()] != MAGIC {
        return Err("is not a snapshot file".to_owned());
    }
    let digest = Sha256::try_from(&bytes[MAGIC.len()..HEADER_BYTES]).map_err(|invalid| invalid.to_string())?;
    Channel::compile(&bytes[HEADER_BYTES..], digest, interned)
}

fn belongs_in(channel: &Channel, folder: &Path) -> bool {
    let key = &channel.snapshot.key;
    folder.ends_with(Path::new(key.app.as_str()).join(key.channel.as_str()))
}
