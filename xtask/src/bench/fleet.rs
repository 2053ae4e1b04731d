//! This file's job is the suite `fleet`: an hour of a million devices, of which each takes an update and then asks as often as it is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::edge::{headers, returned};
use super::field::{Field, target_folder, text};
use super::load::{LOAD_CORE, SERVER_CORE};
use super::nginx::Nginx;
use super::process_cost::{cpu_time, resident_bytes};
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};
use crate::up::cargo;

const DEVICES: u64 = 1_000_000;
const QUARTERS: usize = 4;
/// What a core costs where computers are rented, for a year: about 4 US cents an hour.
const CENTS_PER_CORE_SECOND: f64 = 4.0 / 3_600.0;
const PEER: &str = "nginx return 200 for up-to-date checks";

const REGISTERED: Figure<'_> =
    Figure { case: "fleet registers cpu", unit: "s CPU for 1,000,000 devices", better: Better::Lower };
const HOUR: Figure<'_> = Figure { case: "fleet hour cpu", unit: "s CPU for 1,000,000 devices", better: Better::Lower };
const MILLION: Figure<'_> =
    Figure { case: "fleet checks cpu", unit: "s CPU for 1,000,000 checks", better: Better::Lower };
const COST: Figure<'_> =
    Figure { case: "fleet checks cost", unit: "US cents for 1,000,000 checks", better: Better::Lower };
const MEMORY: Figure<'_> = Figure { case: "fleet memory after the hour", unit: "MiB", better: Better::Lower };

/// `./x bench fleet`.
pub struct Fleet;

impl Suite for Fleet {
    fn name(&self) -> &'static str {
        "fleet"
    }

    fn about(&self) -> &'static str {
        "what an hour of a million devices costs an edge, and whether its memory stays"
    }

    /// Runs once, however many rounds are asked for: it is long enough.
    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let mut field = Field::set_up(bench)?;
        let example = ["build", "--quiet", "--release", "--package", "edge-proxy", "--example", "fleet"];
        bench.supervisor.run(cargo(bench.places).args(example))?;
        let program = target_folder(bench)?.join("release/examples/fleet");
        let constant = constant(&field)?;
        let edge = field.edge_alone(SERVER_CORE)?;
        let ours = hour(&program, field.edge_port, &field.app, "tokens", || look(edge.id(), || cpu_time(edge.id())))?;
        drop(edge);
        let nginx = Nginx::start(bench.supervisor, field.path(), SERVER_CORE, &constant)?;
        let peers = hour(&program, nginx.port, &field.app, "any", || look(nginx.id(), || nginx.cpu_time()))?;
        ensure!(ours.offers == DEVICES, "{} devices were offered the update", ours.offers);
        report.against_target(REGISTERED, &[ours.stages[0].cpu_s()], DEVICES as f64 / 10_000.0);
        // For as many checks as ours; nginx tells all devices to ask as often as one of them.
        report.record(HOUR, PEER, &[ours.checks_cpu_s()], &[peers.million_cpu_s() * ours.checks as f64 / 1e6]);
        report.record(MILLION, PEER, &[ours.million_cpu_s()], &[peers.million_cpu_s()]);
        let cents = |hour: &Hour| hour.million_cpu_s() * CENTS_PER_CORE_SECOND;
        report.record(COST, PEER, &[cents(&ours)], &[cents(&peers)]);
        report.record(MEMORY, "itself after the first quarter", &[ours.memory(QUARTERS)], &[ours.memory(1)]);
        Ok(())
    }
}

/// What nginx is to return: what the edge tells a device that has everything.
fn constant(field: &Field<'_>) -> Result<String> {
    let token = field.register_device(0)?;
    let (_, offer) = field.check(&field.check_path(), &token)?;
    let offer: Value = serde_json::from_slice(&offer).context("the answer is no JSON")?;
    let path = format!("{}&current={}", field.check_path(), text(&offer["update"]["bundle"], "sha256")?);
    let (head, body) = field.check(&path, &token)?;
    Ok(format!("location / {{ default_type application/json; {} {} }}", headers(&head), returned(&body)))
}

/// The server at one moment.
struct Look {
    cpu: Duration,
    resident_bytes: u64,
}

fn look(process_id: u32, cpu: impl Fn() -> Result<Duration>) -> Result<Look> {
    Ok(Look { cpu: cpu()?, resident_bytes: resident_bytes(process_id)? })
}

impl Look {
    fn cpu_s(&self) -> f64 {
        self.cpu.as_secs_f64()
    }
}

/// What an hour has cost.
struct Hour {
    /// When all had registered, and at the end of each quarter.
    stages: Vec<Look>,
    checks: u64,
    offers: u64,
}

impl Hour {
    fn checks_cpu_s(&self) -> f64 {
        self.stages[QUARTERS].cpu_s() - self.stages[0].cpu_s()
    }

    fn million_cpu_s(&self) -> f64 {
        self.checks_cpu_s() / self.checks as f64 * 1e6
    }

    fn memory(&self, stage: usize) -> f64 {
        self.stages[stage].resident_bytes as f64 / f64::from(1 << 20)
    }
}

/// Runs the fleet against the port, and looks at the server at each stage.
fn hour(
    program: &std::path::Path,
    port: u16,
    app: &str,
    tokens: &str,
    look: impl Fn() -> Result<Look>,
) -> Result<Hour> {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(LOAD_CORE.to_string()).arg(program).arg(port.to_string());
    command.args([app, &DEVICES.to_string(), tokens]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut fleet = Talk::begin(&mut command)?;
    let mut stages = Vec::new();
    let mut last = String::new();
    for _ in 0..=QUARTERS {
        last = fleet.hear()?;
        stages.push(look()?);
        fleet.go_on()?;
    }
    let (checks, offers) = last.split_once(' ').context("the fleet does not say what it did")?;
    Ok(Hour { stages, checks: checks.parse()?, offers: offers.parse()? })
}

/// A program that says a line and waits for one, in turns.
struct Talk {
    child: Child,
    said: BufReader<ChildStdout>,
    heard: ChildStdin,
}

impl Talk {
    fn begin(command: &mut Command) -> Result<Self> {
        let mut child = command.spawn().context("the fleet does not start")?;
        let said = BufReader::new(child.stdout.take().context("it has an output")?);
        let heard = child.stdin.take().context("it has an input")?;
        Ok(Self { child, said, heard })
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.said.read_line(&mut line)? > 0, "the fleet ended early");
        Ok(line.trim().to_owned())
    }

    fn go_on(&mut self) -> Result<()> {
        Ok(self.heard.write_all(b"\n")?)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // It has ended, or is of no use any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
