//! This file's job is the suite `blobs`: an edge whose store answers badly, and one that is killed while it writes.

use anyhow::Result;

use super::record::Record;
use super::rounds::{Rounds, of_edge};
use super::{Faults, Suite};

/// Rounds of a whole run and of a short one.
const TESTS: [Rounds; 2] = [
    // Some 60 wrong answers each.
    Rounds { filter: "faults::store::", whole: 200, short: 1 },
    // Ten kills each.
    Rounds { filter: "faults::kills::", whole: 100, short: 1 },
];

/// `./x faults blobs`.
pub struct Blobs;

impl Suite for Blobs {
    fn name(&self) -> &'static str {
        "blobs"
    }

    fn about(&self) -> &'static str {
        "an edge whose store answers badly, and one that is killed while it fetches and writes"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        of_edge(&TESTS, faults, record)
    }
}
