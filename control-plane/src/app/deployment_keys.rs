//! This file's job is to make, take over and delete the keys that stand for channels in apps with a CodePush client.

use crate::app::{jobs, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath};
use db::deployment_keys::Key;
use db::{DbConn, Scope, Tx};
use domain::codepush::{DEPLOYMENT_KEYS_MAX, DeploymentKey};
use domain::id::{BundleId, ChannelId, ReleaseId};
use domain::job::Job;
use domain::snapshot::ChannelKey;
use domain::{ErrorKind, Platform};
use proto::v1::{self, Reason};
use std::collections::BTreeSet;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewKey {
    channel: ChannelPath,
    platform: Platform,
    key: DeploymentKey,
}

impl NewKey {
    /// Checks a request, and makes a key when it has none.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::CreateDeploymentKeyRequest) -> Result<Self> {
        let made = hex::encode(runtime::random::bytes::<16>());
        let text = if request.deployment_key.is_empty() { &made } else { &request.deployment_key };
        Ok(Self {
            channel: names::channel("parent", &request.parent)?,
            platform: proto::convert::platform_from_wire(request.platform, "platform")?,
            key: key("deployment_key", text)?,
        })
    }
}

/// Reads a key.
///
/// # Errors
/// Invalid argument that names the field.
pub fn key(field: &'static str, text: &str) -> Result<DeploymentKey> {
    text.parse().map_err(Error::in_field(field))
}

/// Adds the key, and has packages made of everything that the channel can offer, the newest first.
///
/// # Errors
/// Already exists when any channel of the installation has the key: devices say nothing else. Resource exhausted when the channel has as
/// many keys as it may have.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewKey) -> Result<Key> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, &new.channel)?;
    let row = Key {
        key: new.key.clone(),
        channel: channel.id.clone(),
        platform: new.platform,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
    };
    db::deployment_keys::insert(tx, scope, &row).map_err(|error| match error {
        db::Error::FailedPrecondition { rule } => {
            Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, rule).with("limit", DEPLOYMENT_KEYS_MAX)
        }
        other => other.into(),
    })?;
    for release in unpacked(tx, scope, &channel.id, new.platform)? {
        jobs::enqueue(tx, change, &channel.app, Job::MakePackage { release }, 0)?;
    }
    let facts = [("deployment_key", row.key.as_str()), ("platform", row.platform.as_str())];
    record::done(tx, change, "CreateDeploymentKey", names::of_channel(&channel.app, &channel.id), &facts)?;
    Ok(row)
}

/// Returns the releases whose bundles have no package, one for each bundle, newest first.
fn unpacked(tx: &mut Tx<'_>, scope: &Scope, channel: &ChannelId, platform: Platform) -> Result<Vec<ReleaseId>> {
    let releases = db::releases::list(tx, scope, channel, None, db::PAGE_MAX)?;
    let of_platform = releases.into_iter().filter(|release| release.platform == platform);
    let of_bundles: Vec<(BundleId, ReleaseId)> =
        of_platform.filter_map(|release| Some((release.bundle?, release.id))).collect();
    let bundles: Vec<BundleId> = of_bundles.iter().map(|(bundle, _)| bundle.clone()).collect();
    let mut done: BTreeSet<BundleId> = db::packages::find_many(tx, scope, &bundles)?.into_keys().collect();
    Ok(of_bundles.into_iter().filter(|(bundle, _)| done.insert(bundle.clone())).map(|(_, release)| release).collect())
}

/// Deletes the key.
///
/// # Errors
/// Not found when the channel has no such key.
pub fn delete(tx: &mut Tx<'_>, change: &Change, channel: &ChannelPath, key: &DeploymentKey) -> Result<()> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, channel)?;
    db::deployment_keys::delete(tx, scope, &channel.id, key, change.now)?;
    let resource = names::of_channel(&channel.app, &channel.id);
    record::done(tx, change, "DeleteDeploymentKey", resource, &[("deployment_key", key.as_str())])
}

/// Returns the channel that a device means, for an edge.
///
/// # Errors
/// Those of the database.
pub fn find_channel(conn: &mut DbConn, text: &str) -> Result<Option<ChannelKey>> {
    match text.parse() {
        Ok(key) => Ok(db::deployment_keys::find_channel(conn, &key)?),
        Err(_) => Ok(None),
    }
}
