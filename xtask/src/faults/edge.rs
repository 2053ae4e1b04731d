//! This file's job is the suite `edge`: random devices at a live edge, whose answers are compared with the decision.

use anyhow::{Context, Result};

use super::record::Record;
use super::{Faults, Suite, lines};
use crate::up::cargo;

/// Rounds of 1,000 requests: a million in a whole run.
const ROUNDS: u32 = 1_000;
const ROUNDS_SHORT: u32 = 5;

/// `./x faults edge`.
pub struct Edge;

impl Suite for Edge {
    fn name(&self) -> &'static str {
        "edge"
    }

    fn about(&self) -> &'static str {
        "random devices at a live edge, whose answers are compared with the decision"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let rounds = if faults.short { ROUNDS_SHORT } else { ROUNDS };
        let mut command = cargo(faults.places);
        command.args(["test", "--quiet", "--package", "edge-proxy", "--test", "edge", "decisions::"]);
        command.env("ALOFT_FAULTS_FOLDER", folder.path());
        command.env("ALOFT_FAULTS_ROUNDS", rounds.to_string()).env("ALOFT_FAULTS_SEED", faults.seed.to_string());
        let outcome = faults.supervisor.run(&mut command);
        lines::read(folder.path(), record)?;
        outcome
    }
}
