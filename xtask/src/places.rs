//! This file's job is to say where the repository and the build cache are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders every command works with.
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
    cache: PathBuf,
}

impl Places {
    /// Finds the repository from `X_ROOT` or this crate's own folder, and the cache from `ALOFT_CACHE` or the home folder.
    pub fn find() -> Result<Self> {
        // Clones share a target folder, so what was compiled in may be another clone's path: `x` says where it stands.
        let root = match std::env::var_os("X_ROOT") {
            Some(folder) => PathBuf::from(folder),
            None => {
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the repository")?.to_path_buf()
            }
        };
        let cache = match std::env::var_os("ALOFT_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(std::env::var_os("HOME").context("set HOME or ALOFT_CACHE")?).join(".cache/aloft"),
        };
        std::fs::create_dir_all(&cache).with_context(|| format!("cannot create the cache {}", cache.display()))?;
        Ok(Self { root, cache })
    }

    /// The repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The build cache, shared by every clone of this user.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where a kind of figures (`bench`, `faults`) is written.
    pub fn figures(&self, kind: &str) -> PathBuf {
        self.root.join("target").join(kind)
    }
}
