//! This file's job is to tell webhooks what a change did, in the change's own transaction.

use crate::context::{Change, OperatorChange};
use crate::error::Result;
use crate::names;
use db::Tx;
use db::device_counts::Reached;
use db::releases::Release;
use db::webhook_deliveries::{self, Happening};
use domain::Timestamp;
use domain::id::OrganizationId;
use domain::plan::Plan;
use domain::webhook::WebhookEvent;
use runtime::random;
use serde_json::{Value, json};

/// Tells of a release. `more` is added to what is told of every release.
///
/// # Errors
/// Those of the database.
pub fn release(
    tx: &mut Tx<'_>,
    change: &Change,
    event: WebhookEvent,
    row: &Release,
    more: &[(&str, Value)],
) -> Result<()> {
    let bundle = row.bundle.as_ref().map(|bundle| names::of_bundle(&row.app, bundle));
    let mut data = json!({
        "name": names::of_release(&row.app, &row.channel, &row.id),
        "app": names::of_app(&row.app),
        "channel": names::of_channel(&row.app, &row.channel),
        "label": format!("v{}", row.seq),
        "platform": row.platform.as_str(),
        "bundle": bundle,
        "origin": row.origin.as_str(),
        "target": { row.target_kind.as_str(): row.target_value },
        "mandatory": row.mandatory,
        "enabled": row.enabled,
        "rollout_state": row.rollout_state.as_str(),
        "share_ppm": row.rollout_ppm.get(),
        "actor": change.caller.actor.id,
    });
    for (key, value) in more {
        data[*key] = value.clone();
    }
    let organization = change.caller.organization().clone();
    let happening = Happening { organization, app: Some(row.app.clone()), event, data };
    Ok(webhook_deliveries::tell(tx, &happening, change.now, random::bytes)?)
}

/// Tells an organization what its plan allows from now on.
///
/// # Errors
/// Those of the database.
pub fn plan(tx: &mut Tx<'_>, change: &OperatorChange, organization: &OrganizationId, plan: &Plan) -> Result<()> {
    let data = json!({
        "plan": plan.name.as_str(),
        "uploads_max": plan.uploads_max,
        "archive_max_bytes": plan.archive_max_bytes,
        "builds_per_month": plan.builds_per_month,
        "requests_per_minute": plan.requests_per_minute,
        "devices_max": plan.devices_max,
        "retention_days": plan.retention_days,
    });
    let happening = Happening { organization: organization.clone(), app: None, event: WebhookEvent::PlanChanged, data };
    Ok(webhook_deliveries::tell(tx, &happening, change.now, random::bytes)?)
}

/// Tells an organization that it has nearly, or quite, as many devices as its plan allows; the quota is called as in `QuotaFailure`.
///
/// # Errors
/// Those of the database.
pub fn devices(tx: &mut Tx<'_>, reached: Reached, now: Timestamp) -> db::Result<()> {
    let Reached { organization, event, plan, devices } = reached;
    let data = json!({ "quota": "devices", "limit": plan.devices_max, "current": devices, "plan": plan.name.as_str() });
    let happening = Happening { organization, app: None, event, data };
    webhook_deliveries::tell(tx, &happening, now, random::bytes)
}
