//! This file's job is to turn what Expo clients say about failures and launches into telemetry.
//!
//! They repeat themselves with each check; an event's id is made of what happened, so that it is stored once.

use super::asked::{Asked, ClientId};
use super::choice::release_of;
use crate::snapshot::Channel;
use crate::telemetry::spool::Spool;
use domain::expo::UpdateId;
use domain::id::EventId;
use domain::release::Content;
use domain::telemetry::{Event, EventKind};
use domain::{Sha256, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What is remembered as sent, so that it costs no disk; what is forgotten is sent once more.
const REMEMBERED_MAX: u64 = 200_000;
/// Clients check with each start; the control plane knows an event for longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What happened has been kept already.
pub(crate) struct Reported(moka::sync::Cache<Occurrence, ()>);

/// Something that a client says happened, however often it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Occurrence {
    kind: EventKind,
    device: ClientId,
    update: UpdateId,
    /// The error, when an update can have several.
    error: Option<Sha256>,
}

impl Occurrence {
    fn event_id(&self) -> EventId {
        let error = self.error.map(|error| error.to_hex()).unwrap_or_default();
        let text = format!("{}\0{}\0{}\0{error}", self.kind, self.device.id(), self.update);
        let digest = Sha256::of(text.as_bytes());
        let head: [u8; 16] = std::array::from_fn(|index| digest.as_bytes()[index]);
        EventId::from_bits(u128::from_be_bytes(head))
    }
}

impl Reported {
    pub(crate) fn new() -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR);
        Self(cache.build())
    }

    /// Says whether a request tells something that was not kept lately. Most do not, which costs no allocation.
    pub(super) fn has_news(&self, channel: &Channel, asked: &Asked) -> bool {
        told(asked).any(|(occurrence, _)| {
            !self.0.contains_key(&occurrence) && release_of(channel, occurrence.update).is_some()
        })
    }

    fn news(&self, channel: &Channel, asked: &Asked, now: Timestamp) -> Vec<(Occurrence, Event)> {
        let new = told(asked).filter(|(occurrence, _)| !self.0.contains_key(occurrence));
        new.filter_map(|(occurrence, detail)| Some((occurrence, event(channel, asked, &occurrence, detail, now)?)))
            .collect()
    }

    /// Keeps what is new. A check is answered whether or not that works.
    pub(super) async fn keep(&self, spool: &Arc<Spool>, channel: &Channel, asked: &Asked, now: Timestamp) {
        let (occurrences, events): (Vec<_>, Vec<_>) = self.news(channel, asked, now).into_iter().unzip();
        if !events.is_empty() && spool.append(events).await.is_ok() {
            occurrences.into_iter().for_each(|occurrence| self.0.insert(occurrence, ()));
        }
    }
}

/// Returns what a request tells: updates that failed, an error that ended the app, and that what runs runs.
fn told(asked: &Asked) -> impl Iterator<Item = (Occurrence, Option<&String>)> {
    let error = asked.fatal_error.as_ref();
    let running = asked.current.filter(|current| asked.embedded != Some(*current));
    let occurrence = move |kind, update, error: Option<&String>| {
        let error = error.map(|error| Sha256::of(error.as_bytes()));
        asked.device.map(|device| Occurrence { kind, device, update, error })
    };
    let failed = asked.failed.iter().enumerate().filter_map(move |(index, update)| {
        // The error is the one of the newest failure, which comes first.
        let detail = error.filter(|_| index == 0);
        Some((occurrence(EventKind::Crashed, *update, None)?, detail))
    });
    let launched = running.and_then(|update| Some((occurrence(EventKind::Launched, update, None)?, None)));
    // An update that showed something before it crashed is no failed one.
    let crashed = running.zip(error).filter(|_| asked.failed.is_empty());
    let crashed =
        crashed.and_then(|(update, error)| Some((occurrence(EventKind::Crashed, update, Some(error))?, Some(error))));
    failed.chain(launched).chain(crashed)
}

/// Returns the event; none when the channel does not have the release.
fn event(
    channel: &Channel,
    asked: &Asked,
    occurrence: &Occurrence,
    detail: Option<&String>,
    now: Timestamp,
) -> Option<Event> {
    let release = release_of(channel, occurrence.update)?;
    let bundle = match release.content {
        Content::Bundle(hash) => Some(hash),
        Content::Embedded => None,
    };
    Some(Event {
        id: occurrence.event_id(),
        app: channel.snapshot.key.app.clone(),
        channel: channel.snapshot.key.channel.clone(),
        device: occurrence.device.id(),
        kind: occurrence.kind,
        platform: asked.platform,
        binary_version: None,
        release: Some(release.id.clone()),
        bundle,
        received_at: now,
        detail: detail.cloned(),
    })
}
