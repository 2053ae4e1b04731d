//! This file's job is to bundle the example app into the cache when its sources have changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cache_entry;
use crate::places::Places;
use crate::supervisor::Supervisor;

/// Builds the corpus when needed, points `corpus/current` at it, and answers its folder.
pub fn ensure(places: &Places, supervisor: &Supervisor) -> Result<PathBuf> {
    let app = places.root().join("examples/trailhead");
    let parent = places.cache().join("corpus");
    let mut inputs = Vec::new();
    collect_files(&app, &mut inputs)?;
    inputs.sort();
    let key = cache_entry::key(&app, &inputs)?;
    let entry = cache_entry::ensure(&parent, &key, |target| {
        let work = places.cache().join("corpus-work");
        supervisor.run(
            Command::new("node")
                .arg(app.join("tools/build.mjs"))
                .arg(work)
                .arg(target)
                .current_dir(places.root())
                .stdin(Stdio::null()),
        )
    })?;
    point_current_at(&parent, &key)?;
    Ok(entry)
}

/// Replaces the link in one step, so that a reader always finds a corpus.
fn point_current_at(parent: &Path, key: &str) -> Result<()> {
    let current = parent.join("current");
    if fs::read_link(&current).is_ok_and(|target| target == Path::new(key)) {
        return Ok(());
    }
    let fresh = parent.join(format!(".current-{}", std::process::id()));
    symlink(key, &fresh).context("cannot link the corpus")?;
    fs::rename(&fresh, &current).context("cannot link the corpus")
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect_files(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_modules_are_no_input() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("node_modules/react")).unwrap();
        fs::write(folder.path().join("node_modules/react/index.js"), "").unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        fs::write(folder.path().join("app/index.js"), "").unwrap();
        let mut files = Vec::new();
        collect_files(folder.path(), &mut files).unwrap();
        assert_eq!(files, [folder.path().join("app/index.js")]);
    }

    #[test]
    fn the_link_moves_to_a_new_corpus() {
        let folder = tempfile::tempdir().unwrap();
        for key in ["first", "second", "second"] {
            point_current_at(folder.path(), key).unwrap();
            assert_eq!(fs::read_link(folder.path().join("current")).unwrap(), Path::new(key));
        }
    }
}
