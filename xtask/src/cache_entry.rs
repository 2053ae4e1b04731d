//! This file's job is to build a folder of the cache once for each state of its inputs, all or nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a key: 64 bits are plenty for a handful of entries, and paths stay short.
const KEY_DIGITS: usize = 16;

/// A key over the names (relative to `base`) and the contents of `files`.
pub fn key(base: &Path, files: &[PathBuf]) -> Result<String> {
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(base).unwrap_or(file).to_string_lossy();
        for part in [name.as_bytes(), &bytes] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    Ok(hex::encode(digest.finalize())[..KEY_DIGITS].to_owned())
}

/// The folder `parent/key`; when absent, `build` fills a temporary folder that then takes the name. Only one process
/// builds at a time, and a crash leaves nothing under the final name.
pub fn ensure(parent: &Path, key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let entry = parent.join(key);
    if entry.is_dir() {
        return Ok(entry);
    }
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let lock = File::create(parent.join(".lock")).context("cannot create the cache's lock file")?;
    lock.lock().context("cannot lock the cache")?;
    if entry.is_dir() {
        return Ok(entry);
    }
    let building = parent.join(format!(".building-{key}"));
    if building.exists() {
        fs::remove_dir_all(&building).context("cannot remove what an earlier run left")?;
    }
    fs::create_dir(&building).with_context(|| format!("cannot create {}", building.display()))?;
    build(&building)?;
    fs::rename(&building, &entry).with_context(|| format!("cannot name {}", entry.display()))?;
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn an_entry_is_built_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = ensure(folder.path(), "k", |target| Ok(fs::write(target.join("file"), "1")?)).unwrap();
        let second = ensure(folder.path(), "k", |_| bail!("built twice")).unwrap();
        assert_eq!(first, second);
        assert_eq!(fs::read_to_string(second.join("file")).unwrap(), "1");
    }

    #[test]
    fn a_failed_build_leaves_no_entry_behind_for_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let failed = ensure(folder.path(), "k", |target| {
            fs::write(target.join("half"), "1")?;
            bail!("interrupted")
        });
        assert!(failed.is_err());
        assert!(!folder.path().join("k").exists());
        let entry = ensure(folder.path(), "k", |_| Ok(())).unwrap();
        assert!(!entry.join("half").exists());
    }

    #[test]
    fn the_key_changes_with_a_name_and_with_a_byte() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "same").unwrap();
        fs::write(&b, "same").unwrap();
        let of = |file: &PathBuf| key(folder.path(), std::slice::from_ref(file)).unwrap();
        let before = of(&a);
        assert_ne!(before, of(&b));
        assert_eq!(before, of(&a));
        fs::write(&a, "other").unwrap();
        assert_ne!(before, of(&a));
    }
}
