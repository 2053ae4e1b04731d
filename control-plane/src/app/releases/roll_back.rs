//! This file's job is to roll a channel back: a new release with old content, so that every device sees something newer.

use super::expo;
use super::{View, insert, new_salt, warnings};
use crate::app::lookup;
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath, NamedRelease};
use db::channels::Channel;
use db::releases::Release;
use db::{DbConn, ReleaseOrigin, Scope, Tx};
use domain::id::ReleaseId;
use domain::release::{Retreat, RolloutState};
use domain::{ErrorKind, Platform, Ppm};
use proto::v1;
use proto::v1::roll_back_channel_request::To as WireTo;
use runtime::vault::Vault;

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The release before the newest enabled one.
    Previous,
    /// A release of the channel.
    Release(NamedRelease),
    /// The bundle that came with the binary.
    Embedded,
}

/// A checked request.
#[derive(Debug, Clone)]
pub struct RollBack {
    channel: ChannelPath,
    platform: Platform,
    to: To,
    mandatory: bool,
    enabled: bool,
}

impl RollBack {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::RollBackChannelRequest) -> Result<Self> {
        let to = match &request.to {
            None | Some(WireTo::Embedded(false)) => To::Previous,
            Some(WireTo::Embedded(true)) => To::Embedded,
            Some(WireTo::Release(text)) => To::Release(names::named_release("release", text)?),
        };
        Ok(Self {
            channel: names::channel("name", &request.name)?,
            platform: proto::convert::platform_from_wire(request.platform, "platform")?,
            to,
            mandatory: request.mandatory,
            enabled: !request.disabled,
        })
    }
}

/// Rolls the channel back.
///
/// # Errors
/// Failed precondition when there is nothing to roll back or nothing to go back to.
pub fn roll_back(tx: &mut Tx<'_>, change: &Change, vault: &Vault, request: &RollBack) -> Result<View> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, &request.channel)?;
    let current = newest_enabled(tx, scope, &channel, request.platform)?.ok_or_else(none_earlier)?;
    let source = match &request.to {
        To::Previous => Some(previous(tx, scope, &current)?),
        To::Release(name) => Some(named(tx, scope, &channel, &current, name)?),
        To::Embedded => None,
    };
    let (key, from) = (channel.key(), source.as_ref().unwrap_or(&current).id.clone());
    let base = source.as_ref().unwrap_or(&current).clone();
    // Going back is never refused: devices ran it before.
    let warnings = match source.as_ref().and_then(|source| source.bundle.as_ref()) {
        Some(bundle) => {
            let bundle = db::bundles::get(tx, scope, bundle)?;
            warnings::warnings(tx, scope, &bundle, &base.target()?)?
        }
        None => Vec::new(),
    };
    let row = Release {
        id: ReleaseId::from_parts(change.now, runtime::random::bytes()),
        seq: 0,
        bundle: source.as_ref().and_then(|source| source.bundle.clone()),
        warnings,
        mandatory: request.mandatory,
        enabled: request.enabled,
        notes: source.as_ref().map_or_else(String::new, |source| source.notes.clone()),
        rollout_state: RolloutState::Active,
        rollout_ppm: Ppm::ALL,
        rollout_salt: new_salt(),
        rollout_retreat: Retreat::Stay,
        origin: ReleaseOrigin::Rollback,
        origin_release: source.map(|source| source.id),
        revision: 1,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        updated_at: change.now,
        ..base
    };
    let view = insert(tx, change, "RollBackChannel", &row)?;
    expo::carry_over(tx, (change, vault), &from, (&view.release, &key))?;
    Ok(view)
}

fn none_earlier() -> Error {
    let message = "there is no earlier release to go back to";
    Error::refused(ErrorKind::FailedPrecondition, v1::Reason::NoEarlierRelease, message)
}

fn newest_enabled(conn: &mut DbConn, scope: &Scope, channel: &Channel, platform: Platform) -> Result<Option<Release>> {
    let newest = db::releases::list(conn, scope, &channel.id, None, db::PAGE_MAX)?;
    Ok(newest.into_iter().find(|release| release.enabled && release.platform == platform))
}

/// Returns the release before the current one. After a rollback that is the one before the release that was brought back, so that
/// rolling back twice goes two steps back and not to and fro.
fn previous(conn: &mut DbConn, scope: &Scope, current: &Release) -> Result<Release> {
    let mut at = current.clone();
    while at.origin == ReleaseOrigin::Rollback {
        let origin = at.origin_release.as_ref().ok_or_else(none_earlier)?;
        let origin = db::releases::get(conn, scope, origin).map_err(|error| match error {
            db::Error::NotFound { .. } => none_earlier(),
            other => other.into(),
        })?;
        // Origins are always older; anything else is a damaged row.
        if origin.channel != at.channel || origin.seq >= at.seq {
            return Err(none_earlier());
        }
        at = origin;
    }
    db::releases::latest_before(conn, scope, &at)?.ok_or_else(none_earlier)
}

fn named(
    conn: &mut DbConn,
    scope: &Scope,
    channel: &Channel,
    current: &Release,
    name: &NamedRelease,
) -> Result<Release> {
    let found = lookup::named_release(conn, scope, channel, name)?;
    if found.platform != current.platform {
        return Err(Error::field("release", "must be for the same platform"));
    }
    if found.seq >= current.seq {
        return Err(Error::field("release", "must be older than the newest enabled release"));
    }
    Ok(found)
}
