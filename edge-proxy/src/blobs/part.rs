//! This file's job is to hold what a fill writes, until it is whole.
//!
//! Two edges share a folder while one takes over from the other. Every part has a name of its own and is locked by the process that
//! writes it, so a start removes only what dead processes left behind.

use crate::durable::absent_is_fine;
use domain::Sha256;
use rustix::fs::{FallocateFlags, FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A blob that is being fetched. Its file is removed when this is dropped before [`Part::place`].
pub(crate) struct Part {
    path: PathBuf,
    file: Arc<File>,
    placed: bool,
}

impl Part {
    /// Creates the file in the folder and takes the room for it. Blocks.
    pub(crate) fn create(folder: &Path, sha256: &Sha256, size_bytes: u64) -> io::Result<Self> {
        loop {
            let random: [u8; 8] = runtime::random::bytes();
            let path = folder.join(format!("{sha256}.{:016x}", u64::from_be_bytes(random)));
            let file = File::options().create_new(true).read(true).write(true).open(&path)?;
            let part = Self { path, file: Arc::new(file), placed: false };
            flock(&part.file, FlockOperation::NonBlockingLockExclusive)?;
            // A process that starts right now may have taken it for a dead one's before it was locked.
            if part.file.metadata()?.nlink() > 0 {
                part.take_room(size_bytes)?;
                return Ok(part);
            }
        }
    }

    fn take_room(&self, size_bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, size_bytes) {
            // Some file systems cannot; there the writes will tell.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the file, to write to and to read from.
    pub(crate) const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Makes what was written durable and puts it in its place. Blocks.
    pub(crate) fn place(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        target.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(&self.path, target)?;
        self.placed = true;
        crate::durable::sync_folder_of(target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.placed {
            return;
        }
        if let Err(error) = absent_is_fine(fs::remove_file(&self.path)) {
            tracing::error!(path = %self.path.display(), %error, "cannot remove a part");
        }
    }
}

/// Removes the parts that no living process writes. Blocks.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let Ok(file) = File::open(entry.path()) else { continue };
        let is_dead = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_dead {
            absent_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_start_removes_what_dead_processes_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("left behind"), b"half").unwrap();
        let name = Sha256::of(b"whole");
        let (part, other) = (Part::create(folder.path(), &name, 5), Part::create(folder.path(), &name, 5));
        let (part, _other) = (part.unwrap(), other.unwrap());
        sweep(folder.path()).unwrap();
        assert_eq!(files(folder.path()), 2);
        part.file().as_ref().write_all(b"whole").unwrap();
        let target = folder.path().join("blobs").join("it");
        part.place(&target).unwrap();
        assert_eq!(fs::read(target).unwrap(), b"whole");
    }

    #[test]
    fn a_part_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let part = Part::create(folder.path(), &Sha256::of(b"it"), 2).unwrap();
        assert_eq!(files(folder.path()), 1);
        drop(part);
        assert_eq!(files(folder.path()), 0);
    }
}
