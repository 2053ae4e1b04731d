//! This file's job is the suite `blobs`: what parts of blobs cost, beside nginx on the same core, and how cost grows with the blobs on disk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::edge::{launch_blob, nginx_with};
use super::field::Field;
use super::load::{LOAD_CORE, Load, Request, SECONDS, SERVER_CORE, Script};
use super::process_cost::cpu_time;
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};

/// As many devices download at once.
const CONNECTIONS: u32 = 8;
/// What a device asks for that goes on with a download after a cut, piece by piece.
const RANGE_BYTES: u64 = 64 * 1024;
/// Different ranges, spread over the whole blob.
const RANGES: u64 = 200;
const FEW: u64 = 10;
const MANY: u64 = 100_000;

/// With few blobs a start is too short for the kernel's clock, so there is nothing to compare with: ready within a second is what was promised.
const START_TARGET_MS: f64 = 1_000.0;

const RANGE_CPU: Figure<'_> = Figure { case: "blob ranges cpu", unit: "µs CPU per request", better: Better::Lower };
const RANGE_GROWTH: Figure<'_> =
    Figure { case: "blob ranges cpu, 100,000 blobs", unit: "µs CPU per request", better: Better::Lower };
const START_FEW: Figure<'_> = Figure { case: "edge start cpu, 10 blobs", unit: "ms CPU", better: Better::Lower };
const START_MANY: Figure<'_> = Figure { case: "edge start cpu, 100,000 blobs", unit: "ms CPU", better: Better::Lower };

/// `./x bench blobs`.
pub struct Blobs;

impl Suite for Blobs {
    fn name(&self) -> &'static str {
        "blobs"
    }

    fn about(&self) -> &'static str {
        "parts of blobs for each second of CPU, beside nginx, and with 100,000 blobs on disk"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let mut field = Field::set_up(bench)?;
        let token = field.register_device(0)?;
        let (_, answer) = field.check(&field.check_path(), &token)?;
        let answer: Value = serde_json::from_slice(&answer).context("the answer is no JSON")?;
        let (path, size_bytes) = launch_blob(&answer)?;
        let script = Script::write(field.path(), &ranges(&path, size_bytes))?;
        let load = |port| Load {
            port,
            path: "/",
            script: Some(&script.path),
            connections: CONNECTIONS,
            seconds: SECONDS,
            core: LOAD_CORE,
        };
        let edge = field.edge_alone(SERVER_CORE)?;
        let nginx = nginx_with(bench, &field, &path, "off")?;
        report.compare(
            RANGE_CPU,
            "nginx, sendfile off",
            bench.rounds,
            || Ok(load(field.edge_port).cost(|| cpu_time(edge.id()))?.0),
            || Ok(load(nginx.port).cost(|| nginx.cpu_time())?.0),
        );
        drop((edge, nginx));
        let few = grown(bench, &mut field, FEW, load)?;
        let many = grown(bench, &mut field, MANY, load)?;
        report.record(RANGE_GROWTH, "the same edge, 10 blobs", &many.requests, &few.requests);
        report.against_target(START_FEW, &few.starts, START_TARGET_MS);
        report.against_target(START_MANY, &many.starts, START_TARGET_MS);
        Ok(())
    }
}

/// Requests for parts of the blob.
fn ranges(path: &str, size_bytes: u64) -> Vec<Request> {
    let range = |number: u64| {
        let start = size_bytes.saturating_sub(RANGE_BYTES) * number / RANGES;
        let end = (start + RANGE_BYTES).min(size_bytes) - 1;
        Request { path: path.to_owned(), headers: vec![("Range", format!("bytes={start}-{end}"))] }
    };
    (0..RANGES).map(range).collect()
}

/// What an edge with so many blobs costs.
struct Grown {
    requests: Vec<f64>,
    starts: Vec<f64>,
}

fn grown<'a>(bench: &Bench<'_>, field: &mut Field<'_>, blobs: u64, load: impl Fn(u16) -> Load<'a>) -> Result<Grown> {
    add_blobs(&field.path().join("edge/blobs"), blobs)?;
    let mut grown = Grown { requests: Vec::new(), starts: Vec::new() };
    for _ in 0..bench.rounds {
        let edge = field.edge_alone(SERVER_CORE)?;
        grown.starts.push(cpu_time(edge.id())?.as_secs_f64() * 1_000.0);
        grown.requests.push(load(field.edge_port).cost(|| cpu_time(edge.id()))?.0);
    }
    Ok(grown)
}

/// Puts blobs on the edge's disk that no release names: what an edge has kept over the years.
fn add_blobs(folder: &Path, count: u64) -> Result<()> {
    for number in 0..count {
        // Names are hashes, so they are spread evenly over the shards.
        let shard = folder.join(format!("{:02x}", number % 256));
        fs::create_dir_all(&shard)?;
        fs::write(shard.join(format!("{:02x}{number:062x}", number % 256)), b"kept")?;
    }
    Ok(())
}
