//! This file's job is to change who gets a release.

use super::{View, view};
use crate::app::{etag, lookup, news, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ReleasePath};
use db::Tx;
use db::releases::ReleaseChanges;
use domain::Ppm;
use domain::webhook::WebhookEvent;
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct SetRollout {
    path: ReleasePath,
    etag: String,
    changes: ReleaseChanges,
}

impl SetRollout {
    /// Checks a request; what is not set stays as it is. The salt always stays, so that a raised share only adds devices.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::SetRolloutRequest) -> Result<Self> {
        let state = (request.state != v1::RolloutState::Unspecified as i32)
            .then(|| proto::convert::rollout_state_from_wire(request.state, "state"))
            .transpose()?;
        let retreat = (request.retreat != v1::Retreat::Unspecified as i32)
            .then(|| proto::convert::retreat_from_wire(request.retreat, "retreat"))
            .transpose()?;
        let share = request.share_ppm.map(Ppm::new).transpose().map_err(Error::in_field("share_ppm"))?;
        if state.is_none() && retreat.is_none() && share.is_none() {
            return Err(Error::field("share_ppm", "must be set when neither state nor retreat is"));
        }
        let changes = ReleaseChanges {
            rollout_state: state,
            rollout_ppm: share,
            rollout_retreat: retreat,
            ..ReleaseChanges::default()
        };
        Ok(Self { path: names::release("name", &request.name)?, etag: request.etag.clone(), changes })
    }
}

/// Changes the rollout; edges learn of it.
///
/// # Errors
/// Conflict when the etag is not the current one.
pub fn set_rollout(tx: &mut Tx<'_>, change: &Change, request: &SetRollout) -> Result<View> {
    let scope = &change.caller.scope;
    let (_channel, before) = lookup::release(tx, scope, &request.path)?;
    etag::check(&request.etag, before.revision, "release")?;
    let after = db::releases::apply(tx, scope, &before.id, before.revision, &request.changes, change.now)?;
    let news = [
        ("from_share_ppm", before.rollout_ppm.get().into()),
        ("from_rollout_state", before.rollout_state.as_str().into()),
        ("retreat", after.rollout_retreat.as_str().into()),
    ];
    news::release(tx, change, WebhookEvent::RolloutChanged, &after, &news)?;
    let (from, to) = (before.rollout_ppm.get().to_string(), after.rollout_ppm.get().to_string());
    let facts = [
        ("from_ppm", from.as_str()),
        ("to_ppm", to.as_str()),
        ("state", after.rollout_state.as_str()),
        ("retreat", after.rollout_retreat.as_str()),
    ];
    record::done(tx, change, "SetRollout", names::of_release(&after.app, &after.channel, &after.id), &facts)?;
    view(tx, scope, after)
}
