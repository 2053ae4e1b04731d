//! This file's job is to turn what Expo clients say about failures and launches into telemetry.
//!
//! They repeat themselves with each check; an event's id is made of what happened, so that it is stored once.

use super::asked::{Asked, ClientId};
use super::choice::release_of;
use crate::snapshot::Channel;
use crate::state::State;
use domain::expo::UpdateId;
use domain::id::EventId;
use domain::release::Content;
use domain::telemetry::{Event, EventKind};
use domain::{Sha256, Timestamp};
use std::time::Duration;

/// Events that are remembered as sent, so that they cost no disk; forgotten ones are sent once more.
const REMEMBERED_MAX: u64 = 200_000;
/// Clients check with each start; the control plane knows an event for longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Events that have been kept already.
pub(crate) struct Reported(moka::sync::Cache<EventId, ()>);

impl Reported {
    pub(crate) fn new() -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR);
        Self(cache.build())
    }

    /// Says whether the event was not kept lately.
    pub(crate) fn is_new(&self, event: &Event) -> bool {
        !self.0.contains_key(&event.id)
    }
}

/// Returns what a request tells: updates that failed, an error that ended the app, and that what runs runs.
pub(super) fn of(channel: &Channel, asked: &Asked, now: Timestamp) -> Vec<Event> {
    let Some(device) = asked.device else { return Vec::new() };
    let event = |kind, update: UpdateId, detail: Option<&String>, salt: &str| {
        let release = release_of(channel, update)?;
        let bundle = match release.content {
            Content::Bundle(hash) => Some(hash),
            Content::Embedded => None,
        };
        Some(Event {
            id: event_id(kind, device, update, salt),
            app: channel.snapshot.key.app.clone(),
            channel: channel.snapshot.key.channel.clone(),
            device: device.id(),
            kind,
            platform: asked.platform,
            binary_version: None,
            release: Some(release.id.clone()),
            bundle,
            received_at: now,
            detail: detail.cloned(),
        })
    };
    let mut events: Vec<Event> = Vec::new();
    for (index, update) in asked.failed.iter().enumerate() {
        // The error is the one of the newest failure, which comes first.
        let detail = asked.fatal_error.as_ref().filter(|_| index == 0);
        events.extend(event(EventKind::Crashed, *update, detail, ""));
    }
    if let Some(current) = asked.current.filter(|current| asked.embedded != Some(*current)) {
        events.extend(event(EventKind::Launched, current, None, ""));
        // An update that showed something before it crashed is no failed one.
        if let (Some(error), true) = (&asked.fatal_error, asked.failed.is_empty()) {
            events.extend(event(EventKind::Crashed, current, Some(error), error));
        }
    }
    events
}

/// Keeps those that are new. A check is answered whether or not that works.
pub(super) async fn keep(state: &State, events: Vec<Event>) {
    let new: Vec<Event> = events.into_iter().filter(|event| state.reported.is_new(event)).collect();
    let ids: Vec<EventId> = new.iter().map(|event| event.id.clone()).collect();
    if !new.is_empty() && state.spool.append(new).await.is_ok() {
        ids.into_iter().for_each(|id| state.reported.0.insert(id, ()));
    }
}

fn event_id(kind: EventKind, device: ClientId, update: UpdateId, salt: &str) -> EventId {
    let text = format!("{kind}\0{}\0{update}\0{salt}", device.id());
    let digest = Sha256::of(text.as_bytes());
    let head: [u8; 16] = std::array::from_fn(|index| digest.as_bytes()[index]);
    EventId::from_bits(u128::from_be_bytes(head))
}
