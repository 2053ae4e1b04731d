//! This file's job is to store what edges hand in, once.

use crate::app::news;
use crate::context::Context;
use crate::error::{Error, Result};
use db::Tx;
use db::telemetry::Batch;
use domain::id::AppId;
use domain::telemetry::EventKind;
use proto::v1;
use std::collections::BTreeSet;

/// An edge sends at most so many events at once.
const EVENTS_MAX: usize = 1_000;

/// Stores a batch, however often it comes. Events that break a rule are left out: sending them again would not mend them.
///
/// # Errors
/// Invalid argument when the batch as a whole breaks a rule.
pub async fn store(context: &Context, request: v1::PushTelemetryRequest) -> Result<v1::PushTelemetryResponse> {
    let count = request.events.len();
    if count > EVENTS_MAX {
        return Err(Error::field("events", format!("must be at most {EVENTS_MAX}")));
    }
    let events: Vec<_> = request
        .events
        .into_iter()
        .filter_map(|event| match proto::convert::event_from_wire(event) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::warn!(%error, edge = request.edge_id, "an event breaks a rule and is left out");
                None
            }
        })
        .collect();
    let batch = Batch {
        edge: request.edge_id.parse().map_err(Error::in_field("edge_id"))?,
        segment: request.segment.to_string(),
        offset: request.offset,
        events,
    };
    let now = context.clock.now();
    let registered = batch.events.iter().filter(|event| event.kind == EventKind::Registered);
    let apps: BTreeSet<AppId> = registered.map(|event| event.app.clone()).collect();
    let store = move |tx: &mut Tx<'_>| {
        let stored = db::telemetry::store_batch(tx, &batch, now)?;
        for reached in db::device_counts::settle_apps(tx, &apps, now)? {
            news::devices(tx, reached, now)?;
        }
        Ok(stored)
    };
    let stored = context.db.write(store).await?;
    let stored = u32::try_from(stored.new).unwrap_or(u32::MAX);
    let skipped = u32::try_from(count).unwrap_or(u32::MAX).saturating_sub(stored);
    Ok(v1::PushTelemetryResponse { stored, skipped })
}
