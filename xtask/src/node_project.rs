//! This file's job is to build a folder with a `package.json` in the cache, once for each state of its sources.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cache_entry;
use crate::npm_tool;
use crate::places::Places;
use crate::supervisor::Supervisor;

/// Made by tools, or for people to look at: no inputs.
const MADE: [&str; 4] = ["node_modules", "dist", "gen", "shots"];

/// A project and where the cache keeps it.
pub struct NodeProject<'a> {
    /// Names the entries of the cache.
    pub name: &'a str,
    /// Below the repository's root.
    pub folder: &'a str,
    /// Files and folders below the root that it is built from besides its own.
    pub inputs: &'a [&'a str],
}

impl NodeProject<'_> {
    /// Installs its packages and runs its script `build` when anything has changed; answers its copy in the cache.
    pub fn ensure(&self, places: &Places, supervisor: &Supervisor) -> Result<PathBuf> {
        let sources = places.root().join(self.folder);
        let programs = npm_tool::install(places, supervisor, &format!("{}-npm", self.name), &sources)?;
        let modules = programs.parent().context("programs stand inside node_modules")?;
        let mut inputs = Vec::new();
        for input in std::iter::once(&self.folder).chain(self.inputs) {
            collect(&places.root().join(input), &mut inputs)?;
        }
        inputs.sort();
        let key = cache_entry::key(places.root(), &inputs)?;
        let entry = cache_entry::ensure(&places.cache().join(self.name), &key, |target| {
            for input in &inputs {
                copy_into(places.root(), input, target)?;
            }
            let folder = target.join(self.folder);
            symlink(modules, folder.join("node_modules")).context("cannot link the project's packages")?;
            supervisor.run(&mut npm(&folder, "build"))
        })?;
        Ok(entry.join(self.folder))
    }
}

/// Runs a script of a project.
pub fn npm(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).current_dir(folder).stdin(Stdio::null());
    command
}

fn copy_into(root: &Path, file: &Path, target: &Path) -> Result<()> {
    let name = file.strip_prefix(root).context("an input stands in the repository")?;
    let copy = target.join(name);
    let folder = copy.parent().context("a copy has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(file, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Lists a file, or all files below a folder.
fn collect(place: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if place.is_file() {
        files.push(place.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(place).with_context(|| format!("cannot list {}", place.display()))? {
        let entry = entry?;
        if MADE.iter().all(|made| entry.file_name() != *made) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_made_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["node_modules", "dist", "src/gen", "e2e/shots"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("made"), "").unwrap();
        }
        fs::write(folder.path().join("src/main.tsx"), "").unwrap();
        let mut files = Vec::new();
        collect(folder.path(), &mut files).unwrap();
        assert_eq!(files, [folder.path().join("src/main.tsx")]);
    }
}
