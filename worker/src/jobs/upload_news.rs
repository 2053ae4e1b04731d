//! This file's job is to tell webhooks what became of an upload, in the transaction in which it became that.

use db::uploads::{NextState, Upload};
use db::webhook_deliveries::{self, Happening};
use db::{Scope, Tx};
use domain::Timestamp;
use domain::id::{AppId, BundleId};
use domain::plan;
use domain::webhook::WebhookEvent;
use runtime::random;
use serde_json::{Value, json};

/// What a plan limits, as `QuotaFailure` names it, too.
const BUILDS: &str = "builds-per-month";

/// Tells that an upload became a bundle, and how much of the month's builds that leaves when it is little.
pub(super) fn ready(
    tx: &mut Tx<'_>,
    scope: &Scope,
    upload: &Upload,
    bundle: &BundleId,
    now: Timestamp,
) -> db::Result<()> {
    let app = &upload.app;
    let mut data = describe(upload);
    data["bundle"] = format!("apps/{app}/bundles/{bundle}").into();
    tell(tx, scope, Some(app), WebhookEvent::UploadReady, data, now)?;
    let plan = db::plans::of(tx, scope)?;
    let builds = db::plans::usage(tx, scope, now)?.builds;
    // One upload is one build, counted in this transaction.
    let Some(event) = plan::crossed(u64::from(plan.builds_per_month), builds.saturating_sub(1), builds) else {
        return Ok(());
    };
    let data = json!({
        "quota": BUILDS, "limit": plan.builds_per_month, "current": builds, "plan": plan.name.as_str(),
    });
    tell(tx, scope, None, event, data, now)
}

/// Tells that an upload failed.
pub(super) fn failed(
    tx: &mut Tx<'_>,
    scope: &Scope,
    upload: &Upload,
    state: &NextState,
    now: Timestamp,
) -> db::Result<()> {
    let NextState::Failed { reason, message } = state else { return Ok(()) };
    let mut data = describe(upload);
    data["reason"] = reason.as_str().into();
    data["message"] = message.as_str().into();
    tell(tx, scope, Some(&upload.app), WebhookEvent::UploadFailed, data, now)
}

fn describe(upload: &Upload) -> Value {
    let app = &upload.app;
    json!({
        "name": format!("apps/{app}/uploads/{}", upload.id),
        "app": format!("apps/{app}"),
        "platform": upload.platform.as_str(),
        "archive_size_bytes": upload.archive_size_bytes,
    })
}

fn tell(
    tx: &mut Tx<'_>,
    scope: &Scope,
    app: Option<&AppId>,
    event: WebhookEvent,
    data: Value,
    now: Timestamp,
) -> db::Result<()> {
    let happening = Happening { organization: scope.organization().clone(), app: app.cloned(), event, data };
    webhook_deliveries::tell(tx, &happening, now, random::bytes)
}
