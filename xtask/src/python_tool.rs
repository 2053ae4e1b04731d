//! This file's job is to install Python packages into an environment of the cache, once for each list of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cache_entry;
use crate::places::Places;
use crate::supervisor::Supervisor;

/// Installs what the requirements name; answers the environment's Python.
pub fn install(places: &Places, supervisor: &Supervisor, name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = requirements.parent().context("the requirements stand in a folder")?;
    let key = cache_entry::key(folder, &[requirements.to_path_buf()])?;
    let environment = cache_entry::ensure(&places.cache().join(name), &key, |target| {
        supervisor.run(Command::new("python3").args(["-m", "venv"]).arg(target).stdin(Stdio::null()))?;
        supervisor.run(
            Command::new(python_of(target))
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
                .arg(requirements)
                .stdin(Stdio::null()),
        )
    })?;
    Ok(python_of(&environment))
}

/// An environment finds its packages beside its Python, so it may be moved.
fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}
