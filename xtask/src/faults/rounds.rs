//! This file's job is to repeat tests of faults and to collect what they wrote down.

use std::process::Command;

use anyhow::{Context, Result};

use super::record::Record;
use super::{Faults, lines};
use crate::up::cargo;

/// A test, and how often it is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// What its name begins with.
    pub filter: &'static str,
    /// Rounds of a whole run.
    pub whole: u32,
    /// Rounds of a short one.
    pub short: u32,
}

/// Runs tests of the edge one after the other; the first that fails ends it, after its record is read.
pub fn of_edge(tests: &[Rounds], faults: &Faults<'_>, record: &mut Record) -> Result<()> {
    faults.supervisor.run(cargo(faults.places).args(["build", "--quiet", "--workspace", "--bins"]))?;
    for test in tests {
        let mut command = cargo(faults.places);
        command.args(["test", "--quiet", "--workspace", "--test", "edge", test.filter]);
        run(&mut command, if faults.short { test.short } else { test.whole }, faults, record)?;
    }
    Ok(())
}

/// Runs a command whose tests repeat their faults so often; what they wrote down is read also when one fails.
pub fn run(command: &mut Command, rounds: u32, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    command.env("ALOFT_FAULTS_FOLDER", folder.path());
    command.env("ALOFT_FAULTS_ROUNDS", rounds.to_string()).env("ALOFT_FAULTS_SEED", faults.seed.to_string());
    let outcome = faults.supervisor.run(command);
    lines::read(folder.path(), record)?;
    outcome
}
