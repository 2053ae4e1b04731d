//! This file's job is the suite `queue`: how fast, how soon and how fairly jobs start, beside other queues on the same PostgreSQL.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::field::target_folder;
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

/// Clients that watch while stages are told, and how many.
const WATCHERS: &str = "500";
const STAGES: &str = "100";

/// What the design promises, in milliseconds.
const P50_TARGET_MS: f64 = 1.0;
const P99_TARGET_MS: f64 = 10.0;
const WATCH_TARGET_MS: f64 = 100.0;

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
        sides.measure_watchers(bench.rounds, report);
        sides.measure_fairness(report)
    }
}

/// The programs of all sides and the servers that they use.
struct Sides<'a> {
    bench: &'a Bench<'a>,
    cluster: Cluster,
    folder: TempDir,
    load: PathBuf,
    watch_load: PathBuf,
    peer_folder: PathBuf,
}

impl<'a> Sides<'a> {
    fn set_up(bench: &'a Bench<'a>) -> Result<Self> {
        let places = bench.places;
        let packages = ["--package", "db", "--package", "control-plane"];
        let examples = ["--example", "queue_load", "--example", "watch_load"];
        bench.supervisor.run(cargo(places).args(["build", "--quiet", "--release"]).args(packages).args(examples))?;
        let programs = target_folder(bench)?.join("release/examples");
        let peer_programs = npm_tool::install(places, bench.supervisor, "graphile-worker", &peer(places))?;
        let peer_folder = peer_programs.ancestors().nth(2).context("packages lie in a folder")?.to_owned();
        Ok(Self {
            bench,
            cluster: Cluster::start(bench.supervisor, Durability::Real)?,
            folder: tempfile::tempdir().context("cannot make a folder")?,
            load: programs.join("queue_load"),
            watch_load: programs.join("watch_load"),
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
        let slots = || of(self.ours("burn-slots", url, BURNED));
        let batches = || of(self.ours("burn-batches", url, BURNED));
        report.compare(rate("jobs per second"), GRAPHILE, rounds, slots, || of(self.peer("burn", BURNED)));
        report.compare(rate("jobs per second beside a local queue"), GRAPHILE_LOCAL, rounds, slots, || {
            of(self.peer("burn-local", BURNED))
        });
        report.compare(rate("jobs per second beside pgmq"), PGMQ, rounds, slots, || {
            of(self.ours("visibility-single", url, BURNED))
        });
        report.compare(rate("jobs per second beside pgmq, ten at once"), PGMQ, rounds, batches, || {
            of(self.ours("visibility-batch", url, BURNED))
        });
        report.compare(
            rate("jobs per second sqlite"),
            "ours on PostgreSQL",
            rounds,
            || of(self.embedded("burn-slots", BURNED)),
            slots,
        );
    }

    /// From the commit of a stage in one process to the last of those who watch another.
    fn measure_watchers(&self, rounds: usize, report: &mut Report) {
        let p99 = |database: &str| {
            let mut command = Command::new(&self.watch_load);
            command.args([database, WATCHERS, STAGES]).env("ALOFT_TEST_POSTGRES_URL", self.cluster.url());
            number(&self.figures(command.stdin(Stdio::null()))?, "p99_ms")
        };
        let case = |case| Figure { case, unit: "ms from commit to 500 clients", better: Better::Lower };
        for (name, database) in [("stage-to-watcher p99", "postgresql"), ("stage-to-watcher p99 sqlite", "sqlite")] {
            match (0..rounds).map(|_| p99(database)).collect::<Result<Vec<f64>>>() {
                Ok(samples) => report.against_target(case(name), &samples, WATCH_TARGET_MS),
                Err(error) => report.fail(case(name), "target", &format!("{error:#}")),
            }
        }
    }

    /// Simulations: the same whenever they run.
    fn measure_fairness(&self, report: &mut Report) -> Result<()> {
        let wait = |case| Figure { case, unit: "s behind a flood of 1,000 jobs", better: Better::Lower };
        let fairness = self.embedded("fairness", FLOOD)?;
        let (fair, fifo) = (number(&fairness, "fair_p99_s")?, number(&fairness, "fifo_p99_s")?);
        report.record(wait("small tenant wait p99"), "first come, first served", &[fair], &[fifo]);
        let starvation = self.embedded("starvation", FLOOD)?;
        let (kept, strict) = (number(&starvation, "kept_p99_s")?, number(&starvation, "strict_p99_s")?);
        report.record(wait("lowest tier wait p99"), "the highest tier always first", &[kept], &[strict]);
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
