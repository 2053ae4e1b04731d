//! This file's job is to install npm packages into the cache, once for each lock file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cache_entry;
use crate::places::Places;
use crate::supervisor::Supervisor;

/// Installs what `folder`'s package.json and lock file name; answers the `node_modules/.bin` folder.
pub fn install(places: &Places, supervisor: &Supervisor, name: &str, folder: &Path) -> Result<PathBuf> {
    let inputs = ["package.json", "package-lock.json", ".npmrc"].map(|file| folder.join(file));
    let key = cache_entry::key(folder, &inputs)?;
    let installed = cache_entry::ensure(&places.cache().join(name), &key, |target| {
        for input in &inputs {
            let file_name = input.file_name().context("an input has a name")?;
            std::fs::copy(input, target.join(file_name)).with_context(|| format!("cannot copy {}", input.display()))?;
        }
        supervisor.run(
            Command::new("npm")
                .args(["ci", "--no-progress", "--loglevel=error"])
                .current_dir(target)
                .stdin(Stdio::null()),
        )
    })?;
    Ok(installed.join("node_modules/.bin"))
}
