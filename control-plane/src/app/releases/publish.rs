//! This file's job is to publish a bundle in a channel.

use super::expo::{self, ExpoPublication};
use super::{View, insert, new_salt, notes, retreat, share, target, warnings};
use crate::app::bundle_builds::Build;
use crate::app::lookup;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath, OwnedPath};
use db::releases::Release;
use db::{ReleaseOrigin, Tx};
use domain::Ppm;
use domain::id::{BundleId, ReleaseId};
use domain::release::{Retreat, RolloutState, SEQ_MAX};
use domain::target::Target;
use proto::v1;
use runtime::vault::Vault;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Publication {
    channel: ChannelPath,
    bundle: OwnedPath<BundleId>,
    target: Target,
    mandatory: bool,
    notes: String,
    share: Ppm,
    retreat: Retreat,
    enabled: bool,
    build: Option<Build>,
    expo: Option<ExpoPublication>,
    seq: u64,
}

impl Publication {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::CreateReleaseRequest) -> Result<Self> {
        let target = target(request.target.clone())?;
        let publication = Self {
            channel: names::channel("parent", &request.parent)?,
            bundle: names::bundle("bundle", &request.bundle)?,
            expo: request.expo.as_ref().map(|expo| ExpoPublication::new(expo, &target)).transpose()?,
            target,
            mandatory: request.mandatory,
            notes: notes("notes", &request.notes)?,
            share: share("share_ppm", request.share_ppm)?,
            retreat: retreat("retreat", request.retreat)?,
            enabled: !request.disabled,
            build: request.build.as_ref().map(Build::new).transpose()?,
            seq: seq(request.seq)?,
        };
        Ok(publication)
    }
}

fn seq(wanted: u64) -> Result<u64> {
    if wanted > SEQ_MAX {
        return Err(Error::field("seq", format!("must be at most {SEQ_MAX}")));
    }
    Ok(wanted)
}

/// Publishes the bundle.
///
/// # Errors
/// Not found when the channel or the bundle does not exist; invalid argument when they belong to different apps; failed precondition when
/// the channel takes no bundles with warnings; already exists when the channel has given the wanted number out.
pub fn publish(tx: &mut Tx<'_>, change: &Change, vault: &Vault, publication: &Publication) -> Result<View> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, &publication.channel)?;
    let bundle = lookup::bundle(tx, scope, &publication.bundle)?;
    if bundle.app != channel.app {
        return Err(Error::field("bundle", "must be a bundle of the channel's app"));
    }
    let warnings = warnings::warnings(tx, scope, &bundle, &publication.target)?;
    warnings::admit(&channel, &warnings)?;
    if let Some(build) = &publication.build {
        db::bundle_builds::set(tx, scope, &build.row(bundle.id.clone(), change.now))?;
    }
    let (target_kind, target_value) = db::releases::target_columns(&publication.target);
    let key = channel.key();
    let row = Release {
        id: ReleaseId::from_parts(change.now, runtime::random::bytes()),
        app: channel.app,
        channel: channel.id,
        seq: publication.seq,
        platform: bundle.platform,
        bundle: Some(bundle.id),
        target_kind,
        target_value,
        mandatory: publication.mandatory,
        enabled: publication.enabled,
        notes: publication.notes.clone(),
        warnings,
        rollout_state: RolloutState::Active,
        rollout_ppm: publication.share,
        rollout_salt: new_salt(),
        rollout_retreat: publication.retreat,
        origin: ReleaseOrigin::Publish,
        origin_release: None,
        revision: 1,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        updated_at: change.now,
    };
    let view = insert(tx, change, "CreateRelease", &row)?;
    if let Some(publication) = &publication.expo {
        expo::freeze(tx, (change, vault), (&view.release, &key), publication)?;
    }
    Ok(view)
}
