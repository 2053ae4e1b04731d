//! This file's job is the suite `edge`: a live edge under random devices, hostile and slow clients, and dead servers.

use anyhow::Result;

use super::record::Record;
use super::rounds::{Rounds, of_edge};
use super::{Faults, Suite};

/// Rounds of a whole run and of a short one.
const TESTS: [Rounds; 4] = [
    // 1,000 requests each.
    Rounds { filter: "decisions::", whole: 1_000, short: 5 },
    // 2,000 checks over five restarts each.
    Rounds { filter: "faults::outage::", whole: 500, short: 1 },
    // 1,000 requests each.
    Rounds { filter: "faults::hostile::", whole: 1_000, short: 1 },
    // 50 clients each.
    Rounds { filter: "faults::patience::", whole: 4, short: 1 },
];

/// `./x faults edge`.
pub struct Edge;

impl Suite for Edge {
    fn name(&self) -> &'static str {
        "edge"
    }

    fn about(&self) -> &'static str {
        "random, hostile and slow clients at a live edge, and an edge with everything dead behind it"
    }

    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()> {
        of_edge(&TESTS, faults, record)
    }
}
