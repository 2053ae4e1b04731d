//! This file's job is to check everything that needs no test run.

use std::process::Command;

use anyhow::Result;

use crate::npm_tool;
use crate::places::Places;
use crate::supervisor::Supervisor;
use crate::up::cargo;

/// Formatting, Clippy on every target, and the rules of the protobuf contract.
pub fn run(places: &Places, supervisor: &Supervisor) -> Result<()> {
    eprintln!("x: rustfmt");
    supervisor.run(cargo(places).args(["fmt", "--all", "--check"]))?;
    eprintln!("x: buf lint");
    let contract = places.root().join("proto");
    let programs = npm_tool::install(places, supervisor, "buf", &contract)?;
    supervisor.run(Command::new(programs.join("buf")).arg("lint").current_dir(&contract))?;
    eprintln!("x: clippy");
    supervisor.run(cargo(places).args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}
