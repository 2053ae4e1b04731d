//! This file's job is to store what edges report from devices, each event once.

use crate::column::{Column as _, INSERT_ROWS_MAX, row};
use crate::dialect::db;
use crate::schema::{app, device, event, event_batch, organization};
use crate::{DbConn, Result, Tx, apps, device_counts, tallies};
use diesel::prelude::*;
use diesel::upsert::excluded;
use domain::id::{AppId, DeviceId, EdgeId, EventId, ReleaseId};
use domain::plan::PlanName;
use domain::tally::{Amount, TallyKey};
use domain::telemetry::{Event, EventKind};
use domain::{ChannelName, Platform, Sha256, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

row! {
    /// A stored event.
    pub(crate) struct StoredEvent as StoredEventRow in event {
        pub app: AppId,
        pub id: EventId,
        pub channel: ChannelName,
        pub device: DeviceId,
        pub kind: EventKind,
        pub platform: Platform,
        pub binary_version: Option<String>,
        pub release: Option<ReleaseId>,
        pub bundle: Option<Sha256>,
        pub detail: Option<String>,
        pub edge: EdgeId,
        pub received_at: Timestamp,
    }
}

row! {
    /// A device that registered itself.
    pub struct Device as DeviceRow in device {
        /// The app; ids of different apps never meet.
        pub app: AppId,
        /// Its id.
        pub id: DeviceId,
        /// What it runs on.
        pub platform: Platform,
        /// What it said of itself when it last registered; opaque text.
        pub facts: String,
        /// The edge that it registered at.
        pub edge: EdgeId,
        /// When it first registered.
        pub registered_at: Timestamp,
    }
}

/// Some events of an edge's spool. The edge sends a batch again until it is acknowledged, always with the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The edge.
    pub edge: EdgeId,
    /// The spool file.
    pub segment: String,
    /// Where in the file the batch starts.
    pub offset: u64,
    /// What happened.
    pub events: Vec<Event>,
}

/// So many launches show which bundles are frequent, and are read in some milliseconds.
const LAUNCHES_SAMPLED: i64 = 10_000;

/// So many launches tell who runs what in a fleet of thousands, and are read in a part of a second.
const LAUNCHES_COUNTED: i64 = 50_000;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// Events that were not known before.
    pub new: usize,
    /// Events that were stored earlier.
    pub repeated: usize,
    /// Events of apps that do not exist; an edge's word is not trusted. They are dropped.
    pub unknown_app: usize,
}

/// Events that one transaction forgets, so that it stays short.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

/// Forgets some events of a plan's organizations that came before the time; returns how many.
pub fn trim_events(tx: &mut Tx<'_>, plan: PlanName, before: Timestamp) -> Result<usize> {
    let old: Vec<(String, String)> = db!(tx, |c| {
        event::table
            .filter(event::received_at.lt(before.as_us()))
            .filter(event::app.eq_any(
                app::table.inner_join(organization::table).filter(organization::plan.eq(plan.as_str())).select(app::id),
            ))
            .order(event::received_at)
            .limit(FORGOTTEN_AT_ONCE)
            .select((event::app, event::id))
            .load(c)
    })?;
    for (app, id) in &old {
        db!(tx, |c| diesel::delete(event::table.find((app, id))).execute(c))?;
    }
    Ok(old.len())
}

/// Stores a batch once: neither the same batch nor the same event counts twice. [`EventKind::Registered`] also adds the device,
/// whose facts are the event's detail.
pub fn store_batch(tx: &mut Tx<'_>, batch: &Batch, now: Timestamp) -> Result<Stored> {
    let first_time = db!(tx, |c| {
        diesel::insert_into(event_batch::table)
            .values((
                event_batch::edge.eq(batch.edge.as_str()),
                event_batch::segment.eq(&batch.segment),
                event_batch::batch_offset.eq(batch.offset.to_sql()),
                event_batch::stored_at.eq(now.as_us()),
            ))
            .on_conflict_do_nothing()
            .execute(c)
    })? == 1;
    if !first_time {
        return Ok(Stored { repeated: batch.events.len(), ..Stored::default() });
    }
    let known_apps = apps::known(tx, &batch.events.iter().map(|event| event.app.clone()).collect())?;
    // In one order and each once, so that two transactions cannot wait for each other.
    let events: BTreeMap<(&AppId, &EventId), &Event> = batch
        .events
        .iter()
        .filter(|event| known_apps.contains(&event.app))
        .map(|event| ((&event.app, &event.id), event))
        .collect();
    let events: Vec<&Event> = events.into_values().collect();
    let new = insert(tx, &batch.edge, &events)?;
    count(tx, events.iter().filter(|event| new.contains(event.id.as_str())))?;
    let new = new.len();
    register(tx, &batch.edge, &events)?;
    let unknown_app = batch.events.iter().filter(|event| !known_apps.contains(&event.app)).count();
    Ok(Stored { new, repeated: batch.events.len() - unknown_app - new, unknown_app })
}

/// Stores events that are not known yet; returns their ids.
fn insert(tx: &mut Tx<'_>, edge: &EdgeId, events: &[&Event]) -> Result<BTreeSet<String>> {
    let mut new = BTreeSet::new();
    for part in events.chunks(INSERT_ROWS_MAX) {
        let rows: Vec<StoredEventRow> = part.iter().map(|event| stored(edge, event)).collect();
        let ids: Vec<String> = db!(tx, |c| {
            diesel::insert_into(event::table)
                .values(rows)
                .on_conflict((event::app, event::id))
                .do_nothing()
                .returning(event::id)
                .get_results(c)
        })?;
        new.extend(ids);
    }
    Ok(new)
}

/// Adds events to what is counted, which outlives them.
fn count<'a>(tx: &mut Tx<'_>, events: impl Iterator<Item = &'a &'a Event>) -> Result<()> {
    let mut counted: BTreeMap<TallyKey, Amount> = BTreeMap::new();
    for event in events {
        *counted.entry(TallyKey::of_event(event)).or_default() += Amount { times: 1, bytes: 0 };
    }
    tallies::add_rows(tx, counted.iter())
}

fn stored(edge: &EdgeId, event: &Event) -> StoredEventRow {
    StoredEventRow::from(&StoredEvent {
        app: event.app.clone(),
        id: event.id.clone(),
        channel: event.channel.clone(),
        device: event.device.clone(),
        kind: event.kind,
        platform: event.platform,
        binary_version: event.binary_version.clone(),
        release: event.release.clone(),
        bundle: event.bundle,
        detail: event.detail.clone(),
        edge: edge.clone(),
        received_at: event.received_at,
    })
}

fn register(tx: &mut Tx<'_>, edge: &EdgeId, events: &[&Event]) -> Result<()> {
    let mut devices = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::Registered) {
        let row = Device {
            app: event.app.clone(),
            id: event.device.clone(),
            platform: event.platform,
            facts: event.detail.clone().unwrap_or_default(),
            edge: edge.clone(),
            registered_at: event.received_at,
        };
        devices.insert((row.app.clone(), row.id.clone()), row);
    }
    let devices: Vec<Device> = devices.into_values().collect();
    // One app after the other, in one order, because an app's count is locked until the end.
    for part in devices.chunk_by(|a, b| a.app == b.app).flat_map(|of_app| of_app.chunks(INSERT_ROWS_MAX)) {
        let rows = || part.iter().map(DeviceRow::from).collect::<Vec<_>>();
        let new = db!(tx, |c| {
            diesel::insert_into(device::table)
                .values(rows())
                .on_conflict((device::app, device::id))
                .do_nothing()
                .execute(c)
        })?;
        if new > 0 {
            device_counts::add(tx, &part[0].app, new)?;
        }
        if new == part.len() {
            continue;
        }
        db!(tx, |c| {
            diesel::insert_into(device::table)
                .values(rows())
                .on_conflict((device::app, device::id))
                .do_update()
                .set((
                    device::platform.eq(excluded(device::platform)),
                    device::facts.eq(excluded(device::facts)),
                    device::edge.eq(excluded(device::edge)),
                ))
                .execute(c)
        })?;
    }
    Ok(())
}

/// Returns a device. Not scoped: the caller has the app from a scoped verb.
pub fn find_device(conn: &mut DbConn, app: &AppId, id: &DeviceId) -> Result<Option<Device>> {
    let found = db!(conn, |c| {
        device::table.find((app.as_str(), id.as_str())).select(DeviceRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Counts for each release the devices of a channel that launched it last. Not scoped: the caller has the channel from a scoped verb.
pub fn count_active(
    conn: &mut DbConn,
    app: &AppId,
    channel: &ChannelName,
    platform: Platform,
) -> Result<BTreeMap<ReleaseId, u64>> {
    let launches: Vec<(String, String, Option<String>)> = db!(conn, |c| {
        event::table
            .filter(event::app.eq(app.as_str()))
            .filter(event::platform.eq(platform.as_str()))
            .filter(event::kind.eq(EventKind::Launched.as_str()))
            .order(event::received_at.desc())
            .limit(LAUNCHES_COUNTED)
            .select((event::channel, event::device, event::release))
            .load(c)
    })?;
    let (mut seen, mut counts) = (BTreeSet::new(), BTreeMap::new());
    for (_, device, release) in launches.into_iter().filter(|(of, _, _)| of == channel.as_str()) {
        if seen.insert(device)
            && let Some(release) = release
        {
            *counts.entry(ReleaseId::from_sql(release)?).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Returns the bundles that devices started for the first time most often of late, the most frequent first. Not scoped: the caller has the
/// app from a scoped verb.
pub fn most_launched_bundles(conn: &mut DbConn, app: &AppId, platform: Platform, limit: usize) -> Result<Vec<Sha256>> {
    let sample: Vec<Option<Vec<u8>>> = db!(conn, |c| {
        event::table
            .filter(event::app.eq(app.as_str()))
            .filter(event::platform.eq(platform.as_str()))
            .filter(event::kind.eq(EventKind::Launched.as_str()))
            .order(event::received_at.desc())
            .limit(LAUNCHES_SAMPLED)
            .select(event::bundle)
            .load(c)
    })?;
    let mut counts: BTreeMap<Sha256, u64> = BTreeMap::new();
    for bundle in sample.into_iter().flatten() {
        *counts.entry(Sha256::from_sql(bundle)?).or_default() += 1;
    }
    let mut frequent: Vec<(Sha256, u64)> = counts.into_iter().collect();
    frequent.sort_by_key(|&(bundle, count)| (std::cmp::Reverse(count), bundle));
    Ok(frequent.into_iter().take(limit).map(|(bundle, _)| bundle).collect())
}

/// Forgets which batches were stored before the time. Edges send a batch again for hours, not for weeks.
pub fn trim_batches(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| {
        diesel::delete(event_batch::table).filter(event_batch::stored_at.lt(before.as_us())).execute(c)
    })?)
}
