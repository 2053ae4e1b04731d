//! This file's job is to count what devices reported of a channel's releases.

use super::{Activity, activities};
use crate::app::lookup;
use crate::error::Result;
use crate::names::ChannelPath;
use db::releases::Release;
use db::{DbConn, Scope};
use domain::Platform;
use domain::id::ReleaseId;
use std::collections::BTreeMap;

/// Older releases are run by hardly any device.
const REPORTED_MAX: u32 = 50;

/// What was reported of a release.
#[derive(Debug, Clone)]
pub struct Reports {
    /// The release.
    pub release: Release,
    /// What devices did with it.
    pub activity: Activity,
    /// Devices that launched nothing else since.
    pub active: u64,
}

/// Counts the reports of a channel's newest releases, newest first.
///
/// # Errors
/// Not found, also for a channel of another organization.
pub fn reports(conn: &mut DbConn, scope: &Scope, path: &ChannelPath) -> Result<Vec<Reports>> {
    let channel = lookup::channel(conn, scope, path)?;
    let mut active: BTreeMap<ReleaseId, u64> = BTreeMap::new();
    for platform in Platform::ALL {
        active.extend(db::telemetry::count_active(conn, &channel.app, &channel.name, *platform)?);
    }
    let releases = db::releases::list(conn, scope, &channel.id, None, REPORTED_MAX)?;
    let activities = activities(conn, &channel.app, &releases)?;
    let found = releases.into_iter().zip(activities).map(|(release, activity)| {
        let active = active.get(&release.id).copied().unwrap_or(0);
        Reports { release, activity, active }
    });
    Ok(found.collect())
}
