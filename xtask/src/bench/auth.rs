//! This file's job is the suite `auth`: what verifying an API key costs once it is known, beside bcrypt, and how long a revoked one lives on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::field::target_folder;
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};
use crate::cluster::{Cluster, Durability};
use crate::up::cargo;

/// What a known key may cost at most, so that it does not show beside a database call.
const CACHED_TARGET_US: f64 = 50.0;

const CACHED: Figure<'_> = Figure { case: "key cached", unit: "µs p99", better: Better::Lower };
const CACHED_TARGET: Figure<'_> = Figure { case: "key cached, target", unit: "µs p99", better: Better::Lower };

/// What the slowest of a hundred revocations may take to reach another replica.
const REVOKED_TARGET_MS: f64 = 1_000.0;
const REVOKED: [Figure<'_>; 2] = [
    Figure { case: "revoked key, other replica (SQLite)", unit: "ms, longest of 100", better: Better::Lower },
    Figure { case: "revoked key, other replica (PostgreSQL)", unit: "ms, longest of 100", better: Better::Lower },
];

/// `./x bench auth`.
pub struct Auth;

impl Suite for Auth {
    fn name(&self) -> &'static str {
        "auth"
    }

    fn about(&self) -> &'static str {
        "what verifying an API key costs once it is known, and how long a revoked one lives on"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let build = ["build", "--quiet", "--release", "--package", "control-plane", "--example", "key_cost"];
        bench.supervisor.run(cargo(bench.places).args(build))?;
        let program = target_folder(bench)?.join("release/examples/key_cost");
        let mut samples = Vec::new();
        report.compare(
            CACHED,
            "bcrypt 12",
            bench.rounds,
            || {
                let figure = measure(&program, &["cached"])?;
                samples.push(figure);
                Ok(figure)
            },
            || measure(&program, &["bcrypt"]),
        );
        report.against_target(CACHED_TARGET, &samples, CACHED_TARGET_US);
        let cluster = Cluster::start(bench.supervisor, Durability::Real)?;
        for (figure, arguments) in REVOKED.into_iter().zip([vec!["revoked"], vec!["revoked", cluster.url()]]) {
            let longest = measure(&program, &arguments)? / 1_000.0;
            report.against_target(figure, &[longest], REVOKED_TARGET_MS);
        }
        Ok(())
    }
}

/// Runs the program once and returns its figure in microseconds.
fn measure(program: &Path, arguments: &[&str]) -> Result<f64> {
    let output = Command::new(program).args(arguments).output().context("key_cost does not start")?;
    ensure!(output.status.success(), "key_cost {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).context("key_cost printed no JSON")?;
    answer["us"].as_f64().context("key_cost printed no figure")
}
