//! This file's job is to write what devices reported of releases.

use super::release_details::release_activity;
use crate::app::releases::Reports;
use crate::names;
use proto::v1;

/// Writes what was reported of a release.
pub fn reports(reports: &Reports) -> v1::ReleaseReports {
    let row = &reports.release;
    v1::ReleaseReports {
        release: names::of_release(&row.app, &row.channel, &row.id),
        label: format!("v{}", row.seq),
        activity: Some(release_activity(&reports.activity)),
        active: reports.active,
    }
}
