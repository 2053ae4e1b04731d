//! This file's job is to know how many devices there are, and whether an organization has as many as its plan allows.
//!
//! Devices are added one batch after the other and go only with their app, so the counts are exact: each is moved on in the transaction
//! that adds the rows. Counting the rows themselves would take seconds for millions.

use crate::apps::apps_of;
use crate::column::Column as _;
use crate::dialect::db;
use crate::schema::{app, device_count, organization};
use crate::{DbConn, Result, Scope, Tx, channels, plans};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, OrganizationId};
use domain::plan::{self, Plan};
use domain::webhook::WebhookEvent;
use std::collections::BTreeSet;

/// An organization that has just got nearly, or quite, as many devices as its plan allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which one.
    pub organization: OrganizationId,
    /// What there is to tell.
    pub event: WebhookEvent,
    /// Its plan.
    pub plan: Plan,
    /// Its devices.
    pub devices: u64,
}

/// Adds devices to an app's count.
pub(crate) fn add(tx: &mut Tx<'_>, of: &AppId, count: usize) -> Result<()> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    db!(tx, |c| {
        diesel::insert_into(device_count::table)
            .values((device_count::app.eq(of.as_str()), device_count::devices.eq(count)))
            .on_conflict(device_count::app)
            .do_update()
            .set(device_count::devices.eq(device_count::devices + count))
            .execute(c)
    })?;
    Ok(())
}

/// Returns how many devices the scope's apps have.
pub fn count(conn: &mut DbConn, scope: &Scope) -> Result<u64> {
    let counts: Vec<i64> = db!(conn, |c| {
        device_count::table.filter(device_count::app.eq_any(apps_of!(scope))).select(device_count::devices).load(c)
    })?;
    u64::from_sql(counts.into_iter().fold(0, i64::saturating_add))
}

/// Says whether the organization had as many devices as its plan allows when that was last settled. Not scoped: for snapshots.
pub(crate) fn is_full(conn: &mut DbConn, of: &OrganizationId) -> Result<bool> {
    Ok(db!(conn, |c| organization::table.find(of.as_str()).select(organization::devices_full).first(c))?)
}

/// Settles anew whether the organizations of these apps are full; returns those that have something to be told. Not scoped: edges report
/// devices.
pub fn settle_apps(tx: &mut Tx<'_>, apps: &BTreeSet<AppId>, now: Timestamp) -> Result<Vec<Reached>> {
    let ids: Vec<&str> = apps.iter().map(AppId::as_str).collect();
    let organizations: Vec<String> = db!(tx, |c| {
        app::table.filter(app::id.eq_any(ids)).select(app::organization).distinct().order(app::organization).load(c)
    })?;
    let mut reached = Vec::new();
    for organization in organizations {
        reached.extend(settle(tx, &OrganizationId::from_sql(organization)?, now)?);
    }
    Ok(reached)
}

/// Settles anew whether an organization is full, or nearly; its edges learn of a change. Returns what there is to tell: each of the two is
/// told when it becomes true, being nearly full only when it is not full at once.
pub(crate) fn settle(tx: &mut Tx<'_>, of: &OrganizationId, now: Timestamp) -> Result<Option<Reached>> {
    let whole = Scope::authorized(of.clone());
    let (plan, devices) = (plans::of(tx, &whole)?, count(tx, &whole)?);
    let (full, nearly) = (devices >= plan.devices_max, devices >= plan::nearly(plan.devices_max));
    let row = organization::table.find(of.as_str());
    let filled = db!(tx, |c| {
        diesel::update(row.filter(organization::devices_full.ne(full)))
            .set(organization::devices_full.eq(full))
            .execute(c)
    })? > 0;
    let neared = db!(tx, |c| {
        diesel::update(row.filter(organization::devices_nearly_full.ne(nearly)))
            .set(organization::devices_nearly_full.eq(nearly))
            .execute(c)
    })? > 0;
    if filled {
        channels::touch_all_of(tx, of, now)?;
    }
    let event = match (full, nearly) {
        (true, _) if filled => WebhookEvent::QuotaReached,
        (false, true) if neared => WebhookEvent::QuotaWarning,
        _ => return Ok(None),
    };
    Ok(Some(Reached { organization: of.clone(), event, plan, devices }))
}
