//! This file's job is to name what can be done with releases, and to show one.

mod activity;
mod delete;
mod details;
mod diff;
mod downloads;
mod expo;
mod promote;
mod publish;
mod reach;
mod reports;
mod roll_back;
mod served;
mod set_rollout;
mod update;
mod warnings;

pub use activity::{Activity, activities};
pub use delete::delete;
pub use details::{Details, details};
pub use diff::{Difference, Question as DiffQuestion, diff};
pub use downloads::{Downloads, Patch, downloads};
pub use expo::{Signing, find as find_expo, sign as sign_expo};
pub use promote::{Promotion, promote};
pub use publish::{Publication, publish};
pub use reach::{Reach, reach};
pub use reports::{Reports, reports};
pub use roll_back::{RollBack, roll_back};
pub use served::{Served, bytes, served};
pub use set_rollout::{SetRollout, set_rollout};
pub use update::{Update, update};

use crate::app::{jobs, news, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names;
use db::releases::Release;
use db::{DbConn, Scope, Tx};
use domain::codepush::Package;
use domain::id::BundleId;
use domain::job::Job;
use domain::release::{NOTES_MAX_BYTES, Retreat};
use domain::target::Target;
use domain::webhook::WebhookEvent;
use domain::{Ppm, Sha256};
use proto::v1;
use std::collections::{BTreeMap, BTreeSet};

/// A release with the hash of its content.
#[derive(Debug, Clone)]
pub struct View {
    /// The row.
    pub release: Release,
    /// Content hash of its bundle; none for the embedded one.
    pub bundle_hash: Option<Sha256>,
    /// What CodePush's clients get of it.
    pub package: Option<Package>,
}

/// Adds to a release what is known of its content.
///
/// # Errors
/// Those of the database.
pub fn view(conn: &mut DbConn, scope: &Scope, release: Release) -> Result<View> {
    let bundle = release.bundle.as_ref().map(|id| db::bundles::get(conn, scope, id)).transpose()?;
    let ids: Vec<BundleId> = release.bundle.iter().cloned().collect();
    let package = db::packages::find_many(conn, scope, &ids)?.into_values().next();
    Ok(View { release, bundle_hash: bundle.map(|bundle| bundle.content_hash), package })
}

/// Adds to releases what is known of their content; each bundle is read once.
///
/// # Errors
/// Those of the database.
pub fn views(conn: &mut DbConn, scope: &Scope, releases: Vec<Release>) -> Result<Vec<View>> {
    let ids: BTreeSet<BundleId> = releases.iter().filter_map(|release| release.bundle.clone()).collect();
    let ids: Vec<BundleId> = ids.into_iter().collect();
    let packages = db::packages::find_many(conn, scope, &ids)?;
    let mut hashes = BTreeMap::new();
    for id in ids {
        let hash = db::bundles::get(conn, scope, &id)?.content_hash;
        hashes.insert(id, hash);
    }
    let shown = |release: Release| {
        let of_bundle = release.bundle.as_ref();
        let bundle_hash = of_bundle.and_then(|id| hashes.get(id).copied());
        let package = of_bundle.and_then(|id| packages.get(id).cloned());
        View { release, bundle_hash, package }
    };
    Ok(releases.into_iter().map(shown).collect())
}

fn new_salt() -> String {
    hex::encode(runtime::random::bytes::<8>())
}

/// Checks release notes.
fn notes(field: &'static str, text: &str) -> Result<String> {
    if text.len() > NOTES_MAX_BYTES {
        return Err(Error::field(field, format!("must be at most {NOTES_MAX_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// Reads a share; everybody when it is not set.
fn share(field: &'static str, ppm: Option<u32>) -> Result<Ppm> {
    ppm.map_or(Ok(Ppm::ALL), |ppm| Ppm::new(ppm).map_err(Error::in_field(field)))
}

/// Reads a retreat; devices stay when it is not set.
fn retreat(field: &'static str, value: i32) -> Result<Retreat> {
    if value == v1::Retreat::Unspecified as i32 {
        return Ok(Retreat::Stay);
    }
    Ok(proto::convert::retreat_from_wire(value, field)?)
}

fn target(wire: Option<v1::Target>) -> Result<Target> {
    Ok(proto::convert::target_from_wire(wire)?)
}

/// Inserts a new release, asks for the deltas that lead to it, and notes both.
fn insert(tx: &mut Tx<'_>, change: &Change, action: &str, row: &Release) -> Result<View> {
    let scope = &change.caller.scope;
    let release = db::releases::insert(tx, scope, row)?;
    if release.bundle.is_some() {
        jobs::enqueue(tx, change, &release.app, Job::PlanDeltas { release: release.id.clone() }, 0)?;
        if db::deployment_keys::exist(tx, &release.channel, release.platform)? {
            jobs::enqueue(tx, change, &release.app, Job::MakePackage { release: release.id.clone() }, 0)?;
        }
    }
    news::release(tx, change, WebhookEvent::ReleaseCreated, &release, &[])?;
    let resource = names::of_release(&release.app, &release.channel, &release.id);
    let (label, share) = (format!("v{}", release.seq), release.rollout_ppm.get().to_string());
    let facts = [("label", label.as_str()), ("platform", release.platform.as_str()), ("share_ppm", &share)];
    record::done(tx, change, action, resource, &facts)?;
    view(tx, scope, release)
}
