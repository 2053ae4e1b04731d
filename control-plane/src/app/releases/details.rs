//! This file's job is to gather all that is known of a release.

use super::{Activity, Downloads, Reach, Served, View, activities, downloads, reach, served, view};
use crate::error::Result;
use db::releases::Release;
use db::{DbConn, Scope};
use domain::Timestamp;

/// A release with all that is known of it.
#[derive(Debug, Clone)]
pub struct Details {
    /// The release.
    pub view: View,
    /// What devices download.
    pub downloads: Downloads,
    /// How far it has come.
    pub reach: Reach,
    /// What devices did with it.
    pub activity: Activity,
    /// What they downloaded of its bundle.
    pub served: Served,
}

/// Gathers all that is known of the release.
///
/// # Errors
/// Those of the database.
pub fn details(conn: &mut DbConn, scope: &Scope, release: Release, now: Timestamp) -> Result<Details> {
    let view = view(conn, scope, release)?;
    let release = &view.release;
    Ok(Details {
        downloads: downloads(conn, scope, release)?,
        reach: reach(conn, scope, release, now)?,
        activity: activities(conn, &release.app, std::slice::from_ref(release))?.pop().unwrap_or_default(),
        served: served(conn, &release.app, view.bundle_hash.as_slice())?.into_values().next().unwrap_or_default(),
        view,
    })
}
