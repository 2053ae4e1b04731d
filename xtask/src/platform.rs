//! This file's job is to run Aloft in one process, on free ports and an empty folder, for tests in other languages.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::places::Places;
use crate::supervisor::{Running, Supervisor};
use crate::up::cargo;

/// Starting takes a second; a machine that is busy with other tests is slower.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting server is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How the line of `standalone` with the address for browsers begins.
const SERVER_LINE: &str = "control plane";
/// How the line with the address for devices begins.
const EDGE_LINE: &str = "edge  ";
/// Where `standalone` leaves the first key.
const KEY_FILE: &str = "first-key";
/// Where `standalone` writes mails.
const MAIL_FOLDER: &str = "mail";

/// A running platform; it is gone when this is dropped.
pub struct Platform {
    /// Stopped before its folder is removed.
    _process: Running,
    data: TempDir,
    server: String,
    edge: String,
    api_key: String,
    command: PathBuf,
}

impl Platform {
    /// Builds and starts it; `prepare` may set more of its environment.
    pub fn start(places: &Places, supervisor: &Supervisor, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        supervisor.run(cargo(places).args(["build", "--quiet", "--package", "standalone", "--package", "cli"]))?;
        let data = tempfile::tempdir().context("cannot make a temporary folder")?;
        let log = data.path().join("log");
        let programs = target_folder(places)?.join("debug");
        // Not through cargo, which would first wait for whatever else is being built.
        let mut command = Command::new(programs.join("aloft-standalone"));
        command.arg("--data-dir").arg(data.path()).args([
            "--control-plane-port",
            "0",
            "--edge-port",
            "0",
            "--admin-port",
            "0",
        ]);
        prepare(&mut command);
        let output = File::create(&log).context("cannot create the platform's log")?;
        let errors = output.try_clone().context("cannot share the platform's log")?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut process = supervisor.spawn(&mut command, Signal::TERM)?;
        let said = wait_until_it_runs(&mut process, &log)?;
        let address = |line| address_in(&said, line).with_context(|| format!("no line '{line}' in:\n{said}"));
        let api_key = fs::read_to_string(data.path().join(KEY_FILE)).context("cannot read the first key")?;
        Ok(Self {
            server: address(SERVER_LINE)?,
            edge: address(EDGE_LINE)?,
            api_key: api_key.trim().to_owned(),
            command: programs.join("aloft"),
            _process: process,
            data,
        })
    }

    /// Tells a program where the platform is: its addresses, its first key, the command line, and where it writes mails.
    pub fn tell(&self, program: &mut Command) {
        program.env("ALOFT_SERVER", &self.server).env("ALOFT_EDGE", &self.edge);
        program.env("ALOFT_API_KEY", &self.api_key).env("ALOFT_COMMAND", &self.command);
        program.env("ALOFT_MAILS", self.data.path().join(MAIL_FOLDER));
    }
}

fn target_folder(places: &Places) -> Result<PathBuf> {
    let output = cargo(places).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo's metadata is no JSON")?;
    Ok(metadata["target_directory"].as_str().context("cargo does not name its target folder")?.into())
}

/// Waits until the platform has said everything, and returns that.
fn wait_until_it_runs(process: &mut Running, log: &Path) -> Result<String> {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(log).context("cannot read the platform's log")?;
        if text.contains("Running;") {
            return Ok(text);
        }
        if let Some(status) = process.has_ended()? {
            bail!("the platform ended with {status}:\n{text}");
        }
        ensure!(started.elapsed() < START_DEADLINE, "the platform did not start in time:\n{text}");
        thread::sleep(POLL);
    }
}

fn address_in(text: &str, begin: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(begin))?;
    line.split_whitespace().find(|word| word.starts_with("http")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_found_among_the_others() {
        let text = "Aloft runs:\n  control plane  http://127.0.0.1:1   for aloft\n  edge           http://127.0.0.1:2   for devices\n  edge status    http://127.0.0.1:3/statusz\n";
        assert_eq!(address_in(text, SERVER_LINE).unwrap(), "http://127.0.0.1:1");
        assert_eq!(address_in(text, EDGE_LINE).unwrap(), "http://127.0.0.1:2");
        assert_eq!(address_in("  edge status  http://127.0.0.1:3", EDGE_LINE), None);
    }
}
