//! This file's job is to let two organizations agree on who has an app: one offers it, the other one accepts.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;
use db::app_offers::{Offer, Offered};
use db::apps::App;
use domain::AppSlug;
use domain::id::{AppId, OrganizationId};
use std::time::Duration;

/// As long as an invitation.
const OFFER_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Offers an app to an organization. Nobody learns whether there is such an organization: an id that nobody has is offered to nobody.
///
/// # Errors
/// Not found for an app that the caller does not see; invalid argument for the caller's own organization.
pub fn offer(tx: &mut Tx<'_>, change: &Change, name: &AppRef, target: &OrganizationId) -> Result<Offer> {
    let scope = change.live_scope()?;
    let app = lookup::app(tx, scope, name)?;
    if target == scope.organization() {
        return Err(Error::field("organization", "has the app already"));
    }
    let row = Offer {
        app: app.id,
        target: target.clone(),
        offered_by: change.caller.actor.id.clone(),
        created_at: change.now,
        expires_at: change.now.plus(OFFER_LIFETIME),
    };
    db::app_offers::put(tx, scope, &row)?;
    record::done(tx, change, "OfferApp", names::of_app(&row.app), &[("to", target.as_str())])?;
    Ok(row)
}

/// Takes an offer back.
///
/// # Errors
/// Not found when the app is not offered, or the caller does not see it.
pub fn withdraw(tx: &mut Tx<'_>, change: &Change, name: &AppRef) -> Result<()> {
    let scope = change.live_scope()?;
    let app = lookup::app(tx, scope, name)?;
    if !db::app_offers::delete(tx, scope, &app.id)? {
        return Err(Error::not_found("offer"));
    }
    record::done(tx, change, "WithdrawApp", names::of_app(&app.id), &[])
}

/// Takes an offered app over, under its slug or a new one.
///
/// # Errors
/// Not found when the caller's organization is not offered the app; already exists when the slug is taken; failed precondition while
/// uploads are under way; permission denied when the other organization is suspended.
pub fn accept(tx: &mut Tx<'_>, change: &Change, id: &AppId, slug: Option<&AppSlug>) -> Result<App> {
    let scope = change.live_scope()?;
    let offered = find(tx, change, id)?;
    if db::organizations::get_any(tx, &offered.owner)?.suspended {
        return Err(Error::suspended());
    }
    let app = db::app_offers::accept(tx, scope, &offered, slug.unwrap_or(&offered.slug), change.now)?;
    let (from, to) = (offered.owner.as_str(), scope.organization().as_str());
    record::by(tx, &change.caller.actor, &offered.owner, change.now, ("AcceptApp", names::of_app(id)), &[("to", to)])?;
    record::done(tx, change, "AcceptApp", names::of_app(id), &[("from", from), ("slug", app.slug.as_str())])?;
    Ok(app)
}

/// Declines an offer.
///
/// # Errors
/// Not found when the caller's organization is not offered the app.
pub fn decline(tx: &mut Tx<'_>, change: &Change, id: &AppId) -> Result<()> {
    db::app_offers::decline(tx, change.live_scope()?, id)?;
    record::done(tx, change, "DeclineApp", names::of_app(id), &[])
}

fn find(tx: &mut Tx<'_>, change: &Change, id: &AppId) -> Result<Offered> {
    let offered = db::app_offers::list(tx, &change.caller.scope, change.now)?;
    offered.into_iter().find(|offered| offered.offer.app == *id).ok_or_else(|| Error::not_found("offer"))
}
