//! This file's job is to say what devices did with a release.

use crate::error::Result;
use db::DbConn;
use db::releases::Release;
use domain::tally::{Amount, CheckResult, Measure};
use domain::telemetry::EventKind;
use std::collections::BTreeMap;

/// What devices did with a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity(BTreeMap<Measure, Amount>);

impl Activity {
    /// How many update checks were answered with it.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.times(&Measure::Check(CheckResult::Offered))
    }

    /// How many events of the kind it had.
    #[must_use]
    pub fn events(&self, kind: EventKind) -> u64 {
        self.times(&Measure::Event(kind))
    }

    fn times(&self, measure: &Measure) -> u64 {
        self.0.get(measure).map_or(0, |amount| amount.times)
    }
}

/// Returns what devices did with the release.
///
/// # Errors
/// Those of the database.
pub fn activity(conn: &mut DbConn, release: &Release) -> Result<Activity> {
    Ok(Activity(db::tallies::of_release(conn, &release.app, &release.id)?))
}
