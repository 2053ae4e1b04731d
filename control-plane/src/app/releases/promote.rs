//! This file's job is to publish a release's bundle in another channel of the app.

use super::expo;
use super::{View, insert, new_salt, notes, share, target, warnings};
use crate::app::lookup;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath, ReleasePath};
use db::releases::Release;
use db::{ReleaseOrigin, Tx};
use domain::Ppm;
use domain::id::ReleaseId;
use domain::release::RolloutState;
use domain::target::Target;
use proto::v1;
use runtime::vault::Vault;

/// A checked request; what is not set stays as in the first release.
#[derive(Debug, Clone)]
pub struct Promotion {
    release: ReleasePath,
    to: ChannelPath,
    target: Option<Target>,
    mandatory: Option<bool>,
    notes: Option<String>,
    share: Ppm,
    enabled: bool,
}

impl Promotion {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::PromoteReleaseRequest) -> Result<Self> {
        Ok(Self {
            release: names::release("name", &request.name)?,
            to: names::channel("to_channel", &request.to_channel)?,
            target: request.target.clone().map(|wire| target(Some(wire))).transpose()?,
            mandatory: request.mandatory,
            notes: request.notes.as_deref().map(|text| notes("notes", text)).transpose()?,
            share: share("share_ppm", request.share_ppm)?,
            enabled: !request.disabled,
        })
    }
}

/// Promotes the release.
///
/// # Errors
/// Invalid argument when the channel is the release's own or belongs to another app, or when the release has no bundle;
/// failed precondition when the channel takes no bundles with warnings.
pub fn promote(tx: &mut Tx<'_>, change: &Change, vault: &Vault, promotion: &Promotion) -> Result<View> {
    let scope = &change.caller.scope;
    let (from, source) = lookup::release(tx, scope, &promotion.release)?;
    let to = lookup::channel(tx, scope, &promotion.to)?;
    if to.app != from.app || to.id == from.id {
        return Err(Error::field("to_channel", "must be another channel of the same app"));
    }
    let Some(bundle) = &source.bundle else {
        return Err(Error::field("name", "must be a release with a bundle"));
    };
    let target = promotion.target.clone().map_or_else(|| source.target(), Ok)?;
    let bundle = db::bundles::get(tx, scope, bundle)?;
    let warnings = warnings::warnings(tx, scope, &bundle, &target)?;
    warnings::admit(&to, &warnings)?;
    let (target_kind, target_value) = db::releases::target_columns(&target);
    let (key, from) = (to.key(), source.id.clone());
    let row = Release {
        id: ReleaseId::from_parts(change.now, runtime::random::bytes()),
        seq: 0,
        channel: to.id,
        target_kind,
        target_value,
        warnings,
        mandatory: promotion.mandatory.unwrap_or(source.mandatory),
        enabled: promotion.enabled,
        notes: promotion.notes.clone().unwrap_or_else(|| source.notes.clone()),
        rollout_state: RolloutState::Active,
        rollout_ppm: promotion.share,
        rollout_salt: new_salt(),
        origin: ReleaseOrigin::Promote,
        origin_release: Some(source.id.clone()),
        revision: 1,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        updated_at: change.now,
        ..source
    };
    let view = insert(tx, change, "PromoteRelease", &row)?;
    expo::carry_over(tx, (change, vault), &from, (&view.release, &key))?;
    Ok(view)
}
