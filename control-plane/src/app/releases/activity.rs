//! This file's job is to say what devices did with a release.

use crate::error::Result;
use db::DbConn;
use db::releases::Release;
use domain::id::{AppId, ReleaseId};
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

/// Returns what devices did with each of an app's releases, in their order.
///
/// # Errors
/// Those of the database.
pub fn activities(conn: &mut DbConn, app: &AppId, releases: &[Release]) -> Result<Vec<Activity>> {
    let ids: Vec<ReleaseId> = releases.iter().map(|release| release.id.clone()).collect();
    let mut counted = db::tallies::of_releases(conn, app, &ids)?;
    Ok(ids.iter().map(|id| Activity(counted.remove(id).unwrap_or_default())).collect())
}
