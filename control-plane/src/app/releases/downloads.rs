//! This file's job is to say what devices download for a release.

use crate::error::Result;
use db::bundle_builds::BundleBuild;
use db::releases::Release;
use db::{DbConn, Scope};
use domain::bundle::FileRole;
use domain::id::BundleId;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Bases older than this many releases have no label.
const LABELS_MAX: u32 = 100;

/// What devices download.
#[derive(Debug, Clone, Default)]
pub struct Downloads {
    /// Size of all files in bytes.
    pub full_size_bytes: u64,
    /// Size of the launch file in bytes.
    pub launch_size_bytes: u64,
    /// Patches that make the launch file, newest base first, each with the smallest first.
    pub patches: Vec<Patch>,
    /// How the bundle was compiled.
    pub build: Option<BundleBuild>,
}

/// A patch that makes the launch file from that of another bundle.
#[derive(Debug, Clone)]
pub struct Patch {
    /// What devices must have.
    pub from: BundleId,
    /// The seq of the newest earlier release of the channel that brought that bundle.
    pub from_seq: Option<u64>,
    /// The patch's format.
    pub format: String,
    /// The patch's size in bytes.
    pub size_bytes: u64,
}

/// Returns what devices download for the release.
///
/// # Errors
/// Those of the database.
pub fn downloads(conn: &mut DbConn, scope: &Scope, release: &Release) -> Result<Downloads> {
    let Some(bundle) = &release.bundle else { return Ok(Downloads::default()) };
    let files = db::bundles::files(conn, scope, bundle)?;
    let launch = files.iter().find(|file| file.role == FileRole::Launch);
    let labels = labels(conn, scope, release)?;
    let mut patches = Vec::new();
    for delta in db::deltas::list_for(conn, std::slice::from_ref(bundle))? {
        let size_bytes = db::blobs::get(conn, scope, &delta.blob_sha256)?.size_bytes;
        let from_seq = labels.get(&delta.from_bundle).copied();
        patches.push(Patch { from: delta.from_bundle, from_seq, format: delta.format, size_bytes });
    }
    patches.sort_by_key(|patch| (Reverse(patch.from_seq), patch.from.clone(), patch.size_bytes));
    Ok(Downloads {
        full_size_bytes: files.iter().map(|file| file.size_bytes).sum(),
        launch_size_bytes: launch.map_or(0, |file| file.size_bytes),
        patches,
        build: db::bundle_builds::find(conn, scope, bundle)?,
    })
}

/// Returns the newest release before this one that brought each bundle.
fn labels(conn: &mut DbConn, scope: &Scope, release: &Release) -> Result<BTreeMap<BundleId, u64>> {
    let before = db::releases::list(conn, scope, &release.channel, Some(release.seq), LABELS_MAX)?;
    // Newest first, so that the newest is written last.
    Ok(before.into_iter().rev().filter_map(|other| Some((other.bundle?, other.seq))).collect())
}
