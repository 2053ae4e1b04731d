//! This file's job is the suite `queue`: how fast, how soon and how fairly jobs start, beside other queues on the same PostgreSQL.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::report::{Better, Figure, Report};
use super::{Bench, Suite};
use crate::cluster::{Cluster, Durability};
use crate::npm_tool;
use crate::places::Places;
use crate::up::cargo;

/// Jobs that are burned down in one run; some seconds of the slowest side.
const BURNED: &str = "5000";
/// Jobs whose start is timed in one run, which gives a p99 of ten.
const TIMED: &str = "1000";
/// Jobs that one tenant dumps.
const FLOOD: &str = "1000";

/// What the design promises, in milliseconds.
const P50_TARGET_MS: f64 = 1.0;
const P99_TARGET_MS: f64 = 10.0;

const GRAPHILE: &str = "graphile-worker";
const GRAPHILE_LOCAL: &str = "graphile-worker, localQueue 21";
const PGMQ: &str = "pgmq-style SQL";

const fn wait(case: &'static str) -> Figure<'static> {
    Figure { case, unit: "ms from commit to start", better: Better::Lower }
}

const fn rate(case: &'static str) -> Figure<'static> {
    Figure { case, unit: "jobs/s", better: Better::Higher }
}

/// `./x bench queue`.
pub struct Queue;

impl Suite for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn about(&self) -> &'static str {
        "how fast, how soon and how fairly jobs start, beside graphile-worker and pgmq-style SQL on the same PostgreSQL"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let sides = Sides::set_up(bench)?;
        sides.measure_waits(bench.rounds, report);
        sides.measure_rates(bench.rounds, report);
        sides.measure_fairness(report)
    }
}

/// The programs of all sides and the servers that they use.
struct Sides<'a> {
    bench: &'a Bench<'a>,
    cluster: Cluster,
    folder: TempDir,
    load: PathBuf,
    peer_folder: PathBuf,
}

impl<'a> Sides<'a> {
    fn set_up(bench: &'a Bench<'a>) -> Result<Self> {
        let places = bench.places;
        bench.supervisor.run(cargo(places).args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "db",
            "--example",
            "queue_load",
        ]))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| places.root().join("target"), PathBuf::from);
        let programs = npm_tool::install(places, bench.supervisor, "graphile-worker", &peer(places))?;
        let peer_folder = programs.ancestors().nth(2).context("packages lie in a folder")?.to_owned();
        Ok(Self {
            bench,
            cluster: Cluster::start(bench.supervisor, Durability::Real)?,
            folder: tempfile::tempdir().context("cannot make a folder")?,
            load: target.join("release/examples/queue_load"),
            peer_folder,
        })
    }

    fn measure_waits(&self, rounds: usize, report: &mut Report) {
        let (mut ours, mut peer, mut embedded) = (Waits::default(), Waits::default(), Waits::default());
        for _ in 0..rounds {
            ours.add(self.ours("latency", self.cluster.url(), TIMED));
            peer.add(self.peer("latency", TIMED));
            embedded.add(self.embedded("latency", TIMED));
        }
        let cases = [
            (wait("enqueue-start p50"), &ours.p50, Some(&peer.p50), P50_TARGET_MS),
            (wait("enqueue-start p99"), &ours.p99, Some(&peer.p99), P99_TARGET_MS),
            (wait("enqueue-start p50 promise"), &ours.p50, None, P50_TARGET_MS),
            (wait("enqueue-start p99 promise"), &ours.p99, None, P99_TARGET_MS),
            (wait("enqueue-start p50 sqlite"), &embedded.p50, None, P50_TARGET_MS),
            (wait("enqueue-start p99 sqlite"), &embedded.p99, None, P99_TARGET_MS),
        ];
        for (figure, samples, peer_samples, target) in cases {
            let failure = [&ours.failure, &peer.failure, &embedded.failure].into_iter().flatten().next();
            match (failure, peer_samples) {
                (Some(failure), _) => report.fail(figure, GRAPHILE, failure),
                (None, Some(peer_samples)) => report.record(figure, GRAPHILE, samples, peer_samples),
                (None, None) => report.against_target(figure, samples, target),
            }
        }
    }

    fn measure_rates(&self, rounds: usize, report: &mut Report) {
        let url = self.cluster.url();
        let of = |figures: Result<Value>| number(&figures?, "jobs_per_second");
        let single = || of(self.ours("burn-single", url, BURNED));
        let batch = || of(self.ours("burn-batch", url, BURNED));
        report.compare(rate("jobs per second"), GRAPHILE, rounds, single, || of(self.peer("burn", BURNED)));
        report.compare(rate("jobs per second, claims of 10"), GRAPHILE_LOCAL, rounds, batch, || {
            of(self.peer("burn-local", BURNED))
        });
        report.compare(rate("jobs per second beside pgmq"), PGMQ, rounds, single, || {
            of(self.ours("visibility-single", url, BURNED))
        });
        report.compare(rate("jobs per second beside pgmq, claims of 10"), PGMQ, rounds, batch, || {
            of(self.ours("visibility-batch", url, BURNED))
        });
        report.compare(
            rate("jobs per second sqlite, claims of 10"),
            "ours on PostgreSQL",
            rounds,
            || of(self.embedded("burn-batch", BURNED)),
            batch,
        );
    }

    /// A simulation: the same whenever it runs.
    fn measure_fairness(&self, report: &mut Report) -> Result<()> {
        let figures = self.embedded("fairness", FLOOD)?;
        let figure =
            Figure { case: "small tenant wait p99", unit: "s behind a flood of 1,000 jobs", better: Better::Lower };
        let (fair, fifo) = (number(&figures, "fair_p99_s")?, number(&figures, "fifo_p99_s")?);
        report.record(figure, "first come, first served", &[fair], &[fifo]);
        Ok(())
    }

    fn ours(&self, mode: &str, url: &str, count: &str) -> Result<Value> {
        self.figures(Command::new(&self.load).args([mode, url, count]).stdin(Stdio::null()))
    }

    /// Runs on a SQLite file that is new.
    fn embedded(&self, mode: &str, count: &str) -> Result<Value> {
        let file = tempfile::tempdir_in(self.folder.path())?;
        self.ours(mode, &format!("sqlite:{}", file.path().join("queue.db").display()), count)
    }

    fn peer(&self, mode: &str, count: &str) -> Result<Value> {
        let script = File::open(peer(self.bench.places).join("peer.mjs")).context("cannot open the peer's script")?;
        let mut command = Command::new("node");
        command.args(["--input-type=module", "-", mode, self.cluster.url(), count]);
        self.figures(command.current_dir(&self.peer_folder).stdin(script))
    }

    fn figures(&self, command: &mut Command) -> Result<Value> {
        let output = tempfile::NamedTempFile::new_in(self.folder.path())?;
        let running = self.bench.supervisor.spawn(command.stdout(output.reopen()?), Signal::TERM)?;
        let status = running.wait()?;
        if !status.success() {
            bail!("{} ended with {status}", command.get_program().to_string_lossy());
        }
        serde_json::from_slice(&std::fs::read(output.path())?).context("the figures cannot be read")
    }
}

/// The waits of one side, one sample a round.
#[derive(Default)]
struct Waits {
    p50: Vec<f64>,
    p99: Vec<f64>,
    failure: Option<String>,
}

impl Waits {
    fn add(&mut self, figures: Result<Value>) {
        let read = figures.and_then(|figures| Ok((number(&figures, "p50_ms")?, number(&figures, "p99_ms")?)));
        match read {
            Ok((p50, p99)) => {
                self.p50.push(p50);
                self.p99.push(p99);
            }
            Err(error) => self.failure = Some(format!("{error:#}")),
        }
    }
}

fn number(figures: &Value, name: &str) -> Result<f64> {
    figures[name].as_f64().with_context(|| format!("there is no {name} in {figures}"))
}

fn peer(places: &Places) -> PathBuf {
    places.root().join("xtask/peers/graphile-worker")
}
