//! This file's job is to build the dashboard into the cache when its sources have changed, and to test it in a browser.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::cache_entry;
use crate::npm_tool;
use crate::places::Places;
use crate::supervisor::{Running, Supervisor};
use crate::up::cargo;

/// Tells the control plane where the dashboard's files are.
pub const FOLDER_VARIABLE: &str = "ALOFT_CONTROL_PLANE__DASHBOARD_FOLDER";
/// Made by tools, or for people to look at: no inputs.
const MADE: [&str; 4] = ["node_modules", "dist", "gen", "shots"];
/// Starting takes a second; a machine that is busy with other tests is slower.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting server is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How the line of `standalone` with the address for browsers begins.
const ADDRESS_LINE: &str = "control plane";
/// Where `standalone` leaves the first key.
const KEY_FILE: &str = "first-key";

/// A built dashboard with its sources and tools.
#[derive(Debug)]
pub struct Built {
    folder: PathBuf,
}

impl Built {
    /// The files that a browser gets.
    pub fn files(&self) -> PathBuf {
        self.folder.join("dist")
    }
}

/// Builds the dashboard when needed.
pub fn ensure(places: &Places, supervisor: &Supervisor) -> Result<Built> {
    let sources = places.root().join("dashboard");
    let programs = npm_tool::install(places, supervisor, "dashboard-npm", &sources)?;
    let modules = programs.parent().context("programs stand inside node_modules")?;
    let mut inputs = Vec::new();
    collect_files(&sources, &mut inputs)?;
    collect_files(&places.root().join("proto/aloft"), &mut inputs)?;
    inputs.push(places.root().join("proto/buf.yaml"));
    inputs.sort();
    let key = cache_entry::key(places.root(), &inputs)?;
    let entry = cache_entry::ensure(&places.cache().join("dashboard"), &key, |target| {
        for input in &inputs {
            copy_into(places.root(), input, target)?;
        }
        let folder = target.join("dashboard");
        symlink(modules, folder.join("node_modules")).context("cannot link the dashboard's packages")?;
        supervisor.run(&mut npm(&folder, "build"))
    })?;
    Ok(Built { folder: entry.join("dashboard") })
}

/// Runs the unit tests, then the walk through the dashboard in Chromium against a platform of its own.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let built = ensure(places, supervisor)?;
    supervisor.run(&mut npm(&built.folder, "unit"))?;
    supervisor.run(cargo(places).args(["build", "--quiet", "--package", "standalone"]))?;
    let data = tempfile::tempdir().context("cannot make a temporary folder")?;
    let log = data.path().join("log");
    let mut platform = start_platform(places, supervisor, &built, data.path(), &log)?;
    let address = wait_for_address(&mut platform, &log)?;
    let key = fs::read_to_string(data.path().join(KEY_FILE)).context("cannot read the first key")?;
    let mut walk = npm(&built.folder, "e2e");
    walk.env("ALOFT_SERVER", &address).env("ALOFT_API_KEY", key.trim()).env("ALOFT_CORPUS", corpus);
    supervisor.run(&mut walk)
}

fn npm(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).current_dir(folder).stdin(Stdio::null());
    command
}

/// Starts the one-process shape on free ports; what it says goes into `log`.
fn start_platform(places: &Places, supervisor: &Supervisor, built: &Built, data: &Path, log: &Path) -> Result<Running> {
    let output = File::create(log).context("cannot create the platform's log")?;
    let errors = output.try_clone().context("cannot share the platform's log")?;
    // Not through cargo, which would first wait for whatever else is being built.
    let mut command = Command::new(target_folder(places)?.join("debug/aloft-standalone"));
    command
        .arg("--data-dir")
        .arg(data)
        .args(["--control-plane-port", "0", "--edge-port", "0", "--admin-port", "0"])
        .env(FOLDER_VARIABLE, built.files())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    supervisor.spawn(&mut command, Signal::TERM)
}

fn target_folder(places: &Places) -> Result<PathBuf> {
    let output = cargo(places).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo's metadata is no JSON")?;
    Ok(metadata["target_directory"].as_str().context("cargo does not name its target folder")?.into())
}

/// Waits until the platform has said where it serves browsers.
fn wait_for_address(platform: &mut Running, log: &Path) -> Result<String> {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(log).context("cannot read the platform's log")?;
        // It says that it runs once everything has been said.
        if text.contains("Running;") {
            return address_in(&text).context("the platform did not say where it serves browsers");
        }
        if let Some(status) = platform.has_ended()? {
            bail!("the platform ended with {status}:\n{text}");
        }
        ensure!(started.elapsed() < START_DEADLINE, "the platform did not start in time:\n{text}");
        thread::sleep(POLL);
    }
}

fn address_in(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(ADDRESS_LINE))?;
    line.split_whitespace().find(|word| word.starts_with("http")).map(str::to_owned)
}

fn copy_into(root: &Path, file: &Path, target: &Path) -> Result<()> {
    let name = file.strip_prefix(root).context("an input stands in the repository")?;
    let copy = target.join(name);
    let folder = copy.parent().context("a copy has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(file, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if MADE.iter().any(|made| entry.file_name() == *made) {
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
    fn what_tools_made_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["node_modules", "dist", "src/gen", "e2e/shots"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("made"), "").unwrap();
        }
        fs::write(folder.path().join("src/main.tsx"), "").unwrap();
        let mut files = Vec::new();
        collect_files(folder.path(), &mut files).unwrap();
        assert_eq!(files, [folder.path().join("src/main.tsx")]);
    }

    #[test]
    fn the_address_for_browsers_is_found_among_the_others() {
        let text = "Aloft runs in this process:\n  control plane  http://127.0.0.1:4001   for aloft\n  edge  http://127.0.0.1:4002\n";
        assert_eq!(address_in(text).unwrap(), "http://127.0.0.1:4001");
        assert_eq!(address_in("  edge  http://127.0.0.1:4002"), None);
    }
}
