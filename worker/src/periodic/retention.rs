//! This file's job is to let go of what organizations' plans keep no longer; [`db::retention`] says what that is.

use super::Left;
use crate::context::Context;
use crate::error::Error;
use db::audit::Entry;
use db::releases::Release;
use db::retention::{self, OldBundle, OldChannel};
use db::{AuditOutcome, Tx};
use domain::Timestamp;
use domain::id::{AuditId, OrganizationId};
use domain::plan::PlanName;
use runtime::random;
use serde_json::{Value, json};

/// Channels that are looked at together.
const PAGE: u32 = 500;
/// Releases, or bundles, of one transaction, so that it stays short.
const TAKEN_AT_ONCE: u32 = 100;
/// Who the audit log says it was.
const ACTOR: &str = "platform";

pub(super) async fn retire(context: &Context) -> Result<Left, Error> {
    let now = context.clock.now();
    for plan in context.db.read(db::plans::list).await? {
        let before = now.minus(plan.retention());
        retire_releases(context, plan.name, before, now).await?;
        // After them: a bundle goes when its last release has gone.
        retire_bundles(context, plan.name, before, now).await?;
    }
    Ok(Left::Nothing)
}

async fn retire_releases(context: &Context, plan: PlanName, before: Timestamp, now: Timestamp) -> Result<(), Error> {
    let mut after = None;
    loop {
        let list = move |conn: &mut db::DbConn| retention::list_channels(conn, plan, before, after.as_ref(), PAGE);
        let page = context.db.read(list).await?;
        after = page.last().map(|channel| channel.id.clone());
        for channel in &page {
            retire_releases_of(context, channel, before, now).await?;
        }
        if page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

async fn retire_releases_of(
    context: &Context,
    channel: &OldChannel,
    before: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    loop {
        let OldChannel { id, organization } = channel.clone();
        let take = move |tx: &mut Tx<'_>| {
            let taken = retention::take_releases(tx, &id, before, TAKEN_AT_ONCE as usize, now)?;
            for row in &taken {
                note(tx, &organization, "RetireRelease", of_release(row), &facts_of_release(row), now)?;
            }
            Ok(taken.len())
        };
        let taken = context.db.write(take).await?;
        if taken > 0 {
            tracing::info!(channel = %channel.id, taken, "releases that nobody can be offered went, as the plan says");
            context.metrics.retired.with_label_values(&["release"]).inc_by(taken as u64);
        }
        if taken < TAKEN_AT_ONCE as usize {
            return Ok(());
        }
    }
}

async fn retire_bundles(context: &Context, plan: PlanName, before: Timestamp, now: Timestamp) -> Result<(), Error> {
    loop {
        let take = move |tx: &mut Tx<'_>| {
            let taken = retention::take_bundles(tx, plan, before, TAKEN_AT_ONCE, now)?;
            for OldBundle { id, app, organization } in &taken {
                note(tx, organization, "RetireBundle", format!("apps/{app}/bundles/{id}"), &json!({}), now)?;
            }
            Ok(taken.len())
        };
        let taken = context.db.write(take).await?;
        if taken > 0 {
            tracing::info!(plan = %plan, taken, "bundles without a release went, as the plan says");
            context.metrics.retired.with_label_values(&["bundle"]).inc_by(taken as u64);
        }
        if taken < TAKEN_AT_ONCE as usize {
            return Ok(());
        }
    }
}

fn of_release(row: &Release) -> String {
    format!("apps/{}/channels/{}/releases/{}", row.app, row.channel, row.id)
}

fn facts_of_release(row: &Release) -> Value {
    json!({ "label": format!("v{}", row.seq) })
}

/// Writes the audit entry of what went.
fn note(
    tx: &mut Tx<'_>,
    organization: &OrganizationId,
    action: &str,
    resource: String,
    facts: &Value,
    now: Timestamp,
) -> db::Result<()> {
    let entry = Entry {
        id: AuditId::from_parts(now, random::bytes()),
        organization: organization.clone(),
        actor_kind: ACTOR.to_owned(),
        actor_id: ACTOR.to_owned(),
        credential_id: None,
        action: action.to_owned(),
        resource,
        outcome: AuditOutcome::Done,
        detail: facts.to_string(),
        at: now,
    };
    db::audit::insert(tx, &entry)
}
