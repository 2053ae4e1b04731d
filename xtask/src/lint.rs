//! This file's job is to check everything that needs no test run.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::npm_tool;
use crate::places::Places;
use crate::supervisor::Supervisor;
use crate::up::cargo;

/// Formatting, the rules of the protobuf contract, and Clippy on every target. All of them run, whatever the first says.
pub fn run(places: &Places, supervisor: &Supervisor) -> Result<()> {
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    // What a phone links: the workspace's other crates would switch the encoder on.
    let decoder = ["clippy", "--quiet", "--package", "delta", "--no-default-features", "--", "-D", "warnings"];
    let checks = [
        ("rustfmt", supervisor.run(cargo(places).args(["fmt", "--all", "--check"]))),
        ("buf lint", lint_contract(places, supervisor)),
        ("clippy", supervisor.run(cargo(places).args(clippy))),
        ("clippy of the decoder alone", supervisor.run(cargo(places).args(decoder))),
    ];
    supervisor.refuse_when_interrupted()?;
    let failed: Vec<String> =
        checks.into_iter().filter_map(|(name, outcome)| Some(format!("{name}: {:#}", outcome.err()?))).collect();
    ensure!(failed.is_empty(), "these checks failed:\n  {}", failed.join("\n  "));
    Ok(())
}

fn lint_contract(places: &Places, supervisor: &Supervisor) -> Result<()> {
    let contract = places.root().join("proto");
    let programs = npm_tool::install(places, supervisor, "buf", &contract)?;
    supervisor.run(Command::new(programs.join("buf")).arg("lint").current_dir(&contract))
}
