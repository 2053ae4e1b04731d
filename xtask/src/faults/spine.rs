//! This file's job is the suite `spine`: the faults of the main job, as the end-to-end tests inject them.

use anyhow::{Context, Result};

use super::record::Record;
use super::{Faults, Suite, lines};
use crate::cluster::{Cluster, Durability};
use crate::corpus;
use crate::up::cargo;

/// How often each fault is injected in a whole run; in a short one it is once.
const ROUNDS: u32 = 5;

/// `./x faults spine`.
pub struct Spine;

impl Suite for Spine {
    fn name(&self) -> &'static str {
        "spine"
    }

    fn about(&self) -> &'static str {
        "processes killed where it hurts most between a developer's command and a device, and lost connections"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        let corpus = corpus::ensure(faults.places, faults.supervisor)?;
        faults.supervisor.run(cargo(faults.places).args(["build", "--quiet", "--workspace", "--bins"]))?;
        let cluster = Cluster::start(faults.supervisor, Durability::None)?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let rounds = if faults.short { 1 } else { ROUNDS };
        let mut command = cargo(faults.places);
        command.args([
            "test",
            "--quiet",
            "--package",
            "tests",
            "--test",
            "spine",
            "faults::",
            "--",
            "--test-threads=1",
        ]);
        command.env("ALOFT_TEST_POSTGRES_URL", cluster.url()).env("ALOFT_CORPUS", &corpus);
        command.env("ALOFT_FAULTS_FOLDER", folder.path());
        command.env("ALOFT_FAULTS_ROUNDS", rounds.to_string()).env("ALOFT_FAULTS_SEED", faults.seed.to_string());
        let outcome = faults.supervisor.run(&mut command);
        lines::read(folder.path(), record)?;
        outcome
    }
}
