//! This file's job is the suite `spine`: the faults of the main job, as the end-to-end tests inject them.

use anyhow::Result;

use super::record::Record;
use super::{Faults, Suite, rounds};
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
        rounds::run(&mut command, if faults.short { 1 } else { ROUNDS }, faults, record)
    }
}
