//! This file's job is to give a test a small disk that it can fill.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A small file system in memory, unmounted when dropped.
pub struct SmallDisk {
    folder: TempDir,
    size_bytes: u64,
}

impl SmallDisk {
    /// Mounts it.
    ///
    /// # Panics
    /// When that is not allowed: run as root or in a user namespace.
    #[must_use]
    pub fn mount(size_bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={size_bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        assert!(is_mounted, "a small tmpfs cannot be mounted: run as root or in a user namespace");
        Self { folder, size_bytes }
    }

    /// Returns its root.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it up to a rest.
    ///
    /// # Panics
    /// When it is fuller than that.
    pub fn fill(&self, rest_bytes: u64) {
        let ballast = vec![0; usize::try_from(self.size_bytes - rest_bytes).expect("a small disk")];
        std::fs::write(self.ballast(), ballast).expect("room for the ballast");
    }

    /// Takes back what [`Self::fill`] did.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn clear(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    /// Lets nothing be written any more, as a disk does that has failed; or lets it be written again.
    ///
    /// # Panics
    /// When that is not allowed, or when something is being written.
    pub fn forbid_writes(&self, forbid: bool) {
        let options = if forbid { "remount,ro" } else { "remount,rw" };
        let remounted = Command::new("mount").args(["-o", options]).arg(self.path()).output();
        assert!(remounted.is_ok_and(|output| output.status.success()), "the small disk cannot be mounted anew");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open there goes away when it is closed.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
