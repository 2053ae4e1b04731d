//! This file's job is the suite `sync`: how soon edges have a change, and what many channels and connections cost an edge.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::connections::Target;
use super::field::{Field, free_port, listens, target_folder, text, wait_until};
use super::process_cost::peak_resident_bytes;
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};
use crate::supervisor::Running;
use crate::up::cargo;

/// Changes that are timed in each round; the p99 of all of them is what counts.
const CHANGES: &str = "100";
const P99_TARGET_MS: f64 = 250.0;
/// What the design promises: channels in memory, and how soon an edge answers that has them on disk.
const MEMORY_TARGET_MIB: f64 = 400.0;
const LOAD_TARGET_S: f64 = 2.0;
/// Releases of a channel, of which one is offered; most apps have a few.
const RELEASES: &str = "3";

const ACKED: Figure<'_> =
    Figure { case: "publish-to-ack p99", unit: "ms until the last of 100 edges", better: Better::Lower };
const MEMORY: Figure<'_> = Figure { case: "channels memory", unit: "MiB with 100,000 channels", better: Better::Lower };
const LOAD: Figure<'_> =
    Figure { case: "channels load", unit: "s until 10,000 channels answer", better: Better::Lower };

/// `./x bench sync`.
pub struct Sync;

impl Suite for Sync {
    fn name(&self) -> &'static str {
        "sync"
    }

    fn about(&self) -> &'static str {
        "how soon 100 edges have a change, and what channels and connections cost an edge"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let build = ["build", "--quiet", "--release", "--package", "edge-proxy", "--bins", "--examples"];
        bench.supervisor.run(cargo(bench.places).args(build))?;
        let yard = Yard { bench, release: target_folder(bench)?.join("release") };
        let load = yard.measure("10000", RELEASES, bench.rounds)?;
        report.against_target(LOAD, &load.seconds, LOAD_TARGET_S);
        let memory = yard.measure("100000", RELEASES, 1)?;
        report.against_target(MEMORY, &memory.mebibytes, MEMORY_TARGET_MIB);
        yard.measure_growth(report)?;
        yard.measure_connections(report)?;
        yard.measure_acks(report)
    }
}

struct Yard<'a> {
    bench: &'a Bench<'a>,
    release: PathBuf,
}

/// What starts of an edge took.
#[derive(Default)]
struct Starts {
    seconds: Vec<f64>,
    mebibytes: Vec<f64>,
}

impl Yard<'_> {
    /// Starts an edge over so many channels with so many releases, so often.
    fn measure(&self, channels: &str, releases: &str, rounds: usize) -> Result<Starts> {
        let folder = tempfile::Builder::new().prefix("aloft-bench-").tempdir().context("cannot make a folder")?;
        let mut fill = self.load();
        fill.arg("fill").arg(folder.path()).args([channels, releases]);
        self.bench.supervisor.run(&mut fill)?;
        let mut starts = Starts::default();
        for _ in 0..rounds {
            self.start(folder.path(), channels, &mut starts)?;
        }
        Ok(starts)
    }

    fn start(&self, folder: &Path, channels: &str, starts: &mut Starts) -> Result<()> {
        let began = Instant::now();
        let (edge, _) = self.start_edge(folder, channels)?;
        starts.seconds.push(began.elapsed().as_secs_f64());
        starts.mebibytes.push(peak_resident_bytes(edge.id())? as f64 / f64::from(1 << 20));
        Ok(())
    }

    fn start_edge(&self, folder: &Path, channels_max: &str) -> Result<(Running, Target)> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let mut command = Command::new(self.release.join("aloft-edge"));
        command.env("ALOFT_EDGE__LISTEN", format!("127.0.0.1:{port}"));
        command.env("ALOFT_EDGE__ADMIN_LISTEN", format!("127.0.0.1:{admin_port}"));
        command.env("ALOFT_EDGE__DATA_FOLDER", folder);
        command.env("ALOFT_EDGE__CHANNELS_MAX", channels_max);
        // Nobody is there: the edge has only its disk.
        command.env("ALOFT_EDGE__CONTROL_PLANE", format!("http://127.0.0.1:{}", free_port()?));
        command.env("ALOFT_EDGE__PREFETCH", "false");
        // All connections come from one address.
        command.env("ALOFT_EDGE__CONNECTIONS_PER_ADDRESS_MAX", "1000000");
        command.env("ALOFT_EDGE__CONNECTIONS_MAX", "1000000");
        command.env("ALOFT_EDGE__ADDRESS_REQUESTS_PER_S", "0");
        // Connections are looked at while they are idle.
        command.env("ALOFT_EDGE__IDLE_TIMEOUT_S", "600");
        command.env("ALOFT_STORE__URL", folder.join("store"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let edge = self.bench.supervisor.spawn(&mut command, Signal::TERM)?;
        wait_until("the edge", || Ok(listens(port)))?;
        let target = Target { process_id: edge.id(), port, admin_port };
        Ok((edge, target))
    }

    fn measure_connections(&self, report: &mut Report) -> Result<()> {
        let folder = || tempfile::Builder::new().prefix("aloft-bench-").tempdir().context("cannot make a folder");
        let (with, without) = (folder()?, folder()?);
        let (_edge, target) = self.start_edge(with.path(), "10")?;
        let (_other, alone) = self.start_edge(without.path(), "10")?;
        target.measure(alone, report)
    }

    /// The same figures for few and many, so that growth shows.
    fn measure_growth(&self, report: &mut Report) -> Result<()> {
        for (channels, releases) in [("10", "1"), ("10000", "1"), ("100000", "1"), ("1000", "1"), ("1000", "500")] {
            let starts = self.measure(channels, releases, 1)?;
            let case = format!("start with {channels} channels of {releases} releases");
            let seconds = Figure { case: &case, unit: "s", better: Better::Lower };
            report.against_target(seconds, &starts.seconds, LOAD_TARGET_S * 10.0);
            let case = format!("memory with {channels} channels of {releases} releases");
            let mebibytes = Figure { case: &case, unit: "MiB", better: Better::Lower };
            report.against_target(mebibytes, &starts.mebibytes, MEMORY_TARGET_MIB);
        }
        Ok(())
    }

    /// Changes a release and waits until the last of 100 edges has acknowledged the state that shows it.
    fn measure_acks(&self, report: &mut Report) -> Result<()> {
        let field = Field::set_up(self.bench)?;
        let shown = field.aloft(&["releases", "get", "v1", "--app", "trailhead", "--channel", "production"])?;
        let mut p99 = Vec::new();
        for _ in 0..self.bench.rounds {
            let mut command = self.load();
            command.arg("streams").arg(field.control_plane_url()).args([field.edge_token()?, field.first_key()?]);
            command.args([field.app.as_str(), "production", &text(&shown, "name")?, CHANGES]);
            let output = command.stdin(Stdio::null()).output().context("the load does not start")?;
            ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
            let mut samples: Vec<f64> = serde_json::from_slice(&output.stdout).context("the figures cannot be read")?;
            samples.sort_by(f64::total_cmp);
            p99.extend(samples.get(samples.len() * 99 / 100).copied());
        }
        report.against_target(ACKED, &p99, P99_TARGET_MS);
        Ok(())
    }

    fn load(&self) -> Command {
        Command::new(self.release.join("examples/sync_load"))
    }
}
