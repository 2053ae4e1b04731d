//! This file's job is to run npm's update server hot-updater, and to ask it what its own clients ask.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::Bench;
use super::field::{ask, free_port, listens, wait_until};
use super::load::{LOAD_CORE, Load, Request, SECONDS, SERVER_CORE, Script};
use super::process_cost::cpu_time;
use crate::cluster::{Cluster, Durability};
use crate::npm_tool;
use crate::supervisor::Running;

/// What the figures call it.
pub const NAME: &str = "hot-updater 0.36, without its database";
/// As many as it has to its database; more would only wait inside of it.
const CONNECTIONS: u32 = 10;
/// The release in `server.mjs`.
const RELEASE: &str = "0195a408-8f13-7d9b-8df4-123456789abc";
/// What came with a binary.
const EMBEDDED: &str = "00000000-0000-0000-0000-000000000000";
/// Its clients sort themselves into so many groups, for rollouts.
const COHORTS: usize = 1000;

/// What the devices run that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// What came with their binary: they are told of the release.
    Embedded,
    /// The release: there is nothing newer.
    Release,
}

/// The server with one release of one app, on PostgreSQL.
#[derive(Debug)]
pub struct UpdateServer {
    port: u16,
    // Fields drop in this order: the server stops before its database.
    server: Running,
    _cluster: Cluster,
}

impl UpdateServer {
    /// Installs and starts it, on the core of the servers that are measured.
    pub fn start(bench: &Bench<'_>) -> Result<Self> {
        let folder = bench.places.root().join("xtask/peers/hot-updater");
        let programs = npm_tool::install(bench.places, bench.supervisor, "hot-updater", &folder)?;
        let installed = programs.ancestors().nth(2).context("packages lie in a folder")?;
        let cluster = Cluster::start(bench.supervisor, Durability::Real)?;
        let port = free_port()?;
        let mut command = Command::new("taskset");
        command.arg("-c").arg(SERVER_CORE.to_string()).args(["node", "--input-type=module", "-"]);
        command.arg(port.to_string()).arg(cluster.url()).env("NODE_ENV", "production").current_dir(installed);
        command.stdin(File::open(folder.join("server.mjs")).context("cannot open the peer's script")?);
        command.stdout(Stdio::null());
        let server = bench.supervisor.spawn(&mut command, Signal::TERM)?;
        wait_until("hot-updater", || Ok(listens(port)))?;
        Ok(Self { port, server, _cluster: cluster })
    }

    /// Measures what checks of so many devices cost its process, in µs of CPU each. Its database is not counted.
    pub fn cost(&self, folder: &Path, runs: Runs, devices: usize) -> Result<f64> {
        let requests: Vec<Request> = (0..devices).map(|device| check(runs, device)).collect();
        let first = requests.first().context("somebody asks")?;
        let (_, answer) = ask(self.port, first)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let expected = match runs {
            Runs::Embedded => RELEASE,
            Runs::Release => "UP_TO_DATE",
        };
        ensure!(answer.contains(expected), "hot-updater answered {answer}");
        let script = Script::write(folder, &requests)?;
        let (connections, seconds, core) = (CONNECTIONS, SECONDS, LOAD_CORE);
        let load = Load { port: self.port, path: "/", script: Some(&script.path), connections, seconds, core };
        Ok(load.cost(|| cpu_time(self.server.id()))?.0)
    }
}

/// A check as `@hot-updater/react-native` makes it.
fn check(runs: Runs, device: usize) -> Request {
    let current = match runs {
        Runs::Embedded => EMBEDDED,
        Runs::Release => RELEASE,
    };
    let cohort = device % COHORTS + 1;
    let path = format!("/hot-updater/app-version/android/1.4.0/production/{EMBEDDED}/{current}/{cohort}");
    Request { path, headers: vec![("Hot-Updater-SDK-Version", "0.36.3".to_owned())] }
}
