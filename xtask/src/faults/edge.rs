//! This file's job is the suite `edge`: a live edge under random devices, hostile and slow clients, dead and distant servers, and changes in storms.

use anyhow::Result;

use super::record::Record;
use super::rounds::{Rounds, of_edge};
use super::{Faults, Suite};

/// Rounds of a whole run and of a short one.
const TESTS: [Rounds; 6] = [
    // 1,000 requests each.
    Rounds { filter: "decisions::", whole: 1_000, short: 5 },
    // 2,000 checks over five restarts each.
    Rounds { filter: "faults::outage::", whole: 500, short: 1 },
    // 1,000 requests each.
    Rounds { filter: "faults::hostile::", whole: 1_000, short: 1 },
    // 50 clients each.
    Rounds { filter: "faults::patience::", whole: 4, short: 1 },
    // 100 changes each, 50 a second.
    Rounds { filter: "faults::storm::", whole: 30, short: 1 },
    Rounds { filter: "faults::partitions::", whole: 20, short: 1 },
];

/// `./x faults edge`.
pub struct Edge;

impl Suite for Edge {
    fn name(&self) -> &'static str {
        "edge"
    }

    fn about(&self) -> &'static str {
        "random, hostile and slow clients, storms of changes, and an edge with everything dead or parted behind it"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        of_edge(&TESTS, faults, record)
    }
}
