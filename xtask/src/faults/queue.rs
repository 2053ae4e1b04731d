//! This file's job is the suite `queue`: workers that are killed, and a database and a store that fail them.

use anyhow::Result;

use super::record::Record;
use super::{Faults, Suite, rounds};
use crate::cluster::{Cluster, Durability};
use crate::corpus;
use crate::up::cargo;

/// Rounds of ten kills of each kind: five hundred on each database in a whole run.
const ROUNDS: u32 = 25;

/// `./x faults queue`.
pub struct Queue;

impl Suite for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn about(&self) -> &'static str {
        "workers killed at random points and around every commit, on both databases; databases and stores that fail them"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        let corpus = corpus::ensure(faults.places, faults.supervisor)?;
        let cluster = Cluster::start(faults.supervisor, Durability::None)?;
        let mut command = cargo(faults.places);
        command.args(["test", "--quiet", "--workspace", "--test", "kills", "--test", "outages"]);
        command.args(["--", "--test-threads=2"]);
        command.env("ALOFT_TEST_POSTGRES_URL", cluster.url()).env("ALOFT_CORPUS", &corpus);
        rounds::run(&mut command, if faults.short { 1 } else { ROUNDS }, faults, record)
    }
}
