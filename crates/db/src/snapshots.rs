//! This file's job is to build all that an edge may know of a channel.

use crate::column::{Column as _, IN_LIST_MAX, page};
use crate::deltas::Delta as StoredDelta;
use crate::dialect::db;
use crate::releases::{Release as StoredRelease, list_newest};
use crate::schema::{app, bundle, bundle_file, channel, device_pin};
use crate::{
    DbConn, Error, Result, Scope, apps, blobs, deltas, device_counts, device_revocations, expo_updates, meta,
    organizations, packages, variants,
};
use diesel::prelude::*;
use domain::bundle::{BundleFile, Engine, FileRole};
use domain::device::DeviceKey;
use domain::id::{AppId, BundleId, ChannelId, OrganizationId, ReleaseId};
use domain::release::{Content, Release};
use domain::snapshot::{
    Bundles, ChannelKey, ChannelSnapshot, Delta, OfferedBundle, PINS_MAX, RELEASES_MAX, SnapshotVersion, Variant,
    offerable,
};
use domain::{ChannelName, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A channel and the version that its snapshot has now.
pub type Versioned = (ChannelKey, SnapshotVersion);

/// What of a bundle a snapshot needs.
struct BundleHead {
    hash: Sha256,
    engine: Engine,
}

type Heads = BTreeMap<BundleId, BundleHead>;

/// Builds the snapshot of a channel; none when there is no such channel. To be called in [`crate::Db::read`], which makes it
/// consistent. Not scoped: it is for edges, which name a channel as devices do.
pub fn load(conn: &mut DbConn, key: &ChannelKey) -> Result<Option<ChannelSnapshot>> {
    let found: Option<(String, i64, bool, String)> = db!(conn, |c| {
        channel::table
            .inner_join(app::table)
            .filter(channel::app.eq(key.app.as_str()))
            .filter(channel::name.eq(key.channel.as_str()))
            .select((channel::id, channel::snapshot_version, channel::blocked, app::organization))
            .first(c)
            .optional()
    })?;
    let Some((id, version, blocked, organization)) = found else { return Ok(None) };
    let channel_id = ChannelId::from_sql(id)?;
    // The channel's own app says whose blobs these are.
    let owner = Scope::authorized(OrganizationId::from_sql(organization)?);
    let blocked = blocked || organizations::get(conn, &owner)?.devices_blocked;
    let registration_closed = device_counts::is_full(conn, owner.organization())?;
    let version = SnapshotVersion { epoch: meta::epoch(conn)?, version: u64::from_sql(version)? };
    let (releases, mut heads) = newest_releases(conn, &channel_id)?;
    let pins = pins(conn, &channel_id)?;
    let offered = offerable(&releases, pins.values());
    let codepush = packages::of_channel(conn, &owner, &channel_id, &contents(&heads))?;
    heads.retain(|_, head| offered.contains(&head.hash));
    let bundles = offered_bundles(conn, &owner, &heads)?;
    let deltas = offered_deltas(conn, &owner, &heads)?;
    let expo = expo_updates::of_channel(conn, (&key.app, &channel_id), &releases, pins.values())?;
    Ok(Some(ChannelSnapshot {
        key: key.clone(),
        channel_id,
        version,
        blocked,
        releases,
        bundles,
        deltas,
        pins,
        token_keys: apps::token_keys(conn, &key.app)?,
        revoked_devices: device_revocations::devices(conn, &key.app)?,
        registration_closed,
        codepush,
        expo,
    }))
}

/// Returns the releases of a channel that decisions can offer, and the one before each.
pub(crate) fn offered_releases(conn: &mut DbConn, channel: &ChannelId) -> Result<BTreeSet<ReleaseId>> {
    let (releases, _) = newest_releases(conn, channel)?;
    let pins = pins(conn, channel)?;
    Ok(domain::snapshot::offered_releases(&releases, pins.values()).map(|release| release.id.clone()).collect())
}

/// Returns the versions of those channels that exist. Cheap; what a poller asks for the channels that edges follow.
pub fn versions(conn: &mut DbConn, keys: &[ChannelKey]) -> Result<BTreeMap<ChannelKey, SnapshotVersion>> {
    let epoch = meta::epoch(conn)?;
    let wanted: BTreeSet<&ChannelKey> = keys.iter().collect();
    let apps: Vec<&str> = wanted.iter().map(|key| key.app.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let names: Vec<&str> = wanted.iter().map(|key| key.channel.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut found = BTreeMap::new();
    for apps in apps.chunks(IN_LIST_MAX) {
        for names in names.chunks(IN_LIST_MAX) {
            let rows: Vec<(String, String, i64)> = db!(conn, |c| {
                channel::table
                    .filter(channel::app.eq_any(apps))
                    .filter(channel::name.eq_any(names))
                    .select((channel::app, channel::name, channel::snapshot_version))
                    .load(c)
            })?;
            for row in rows {
                let (key, version) = versioned(row, epoch)?;
                if wanted.contains(&key) {
                    found.insert(key, version);
                }
            }
        }
    }
    Ok(found)
}

/// Lists every channel with its version, in pages by channel id. Returns the id to go on after, none when the page is empty.
pub fn list(conn: &mut DbConn, after: Option<&ChannelId>, limit: u32) -> Result<(Vec<Versioned>, Option<ChannelId>)> {
    let epoch = meta::epoch(conn)?;
    let rows: Vec<(String, (String, String, i64))> = db!(conn, |c| {
        channel::table
            .filter(channel::id.gt(after.map_or("", ChannelId::as_str)))
            .order(channel::id)
            .limit(page(limit))
            .select((channel::id, (channel::app, channel::name, channel::snapshot_version)))
            .load(c)
    })?;
    let last = rows.last().map(|(id, _)| ChannelId::from_sql(id.clone())).transpose()?;
    let page = rows.into_iter().map(|(_, row)| versioned(row, epoch)).collect::<Result<_>>()?;
    Ok((page, last))
}

/// Lists the channels of an app, which is what an edge needs to tell an unknown channel from an unknown app.
pub fn keys(conn: &mut DbConn, app: &AppId) -> Result<Vec<ChannelKey>> {
    let names: Vec<String> = db!(conn, |c| {
        channel::table.filter(channel::app.eq(app.as_str())).order(channel::name).select(channel::name).load(c)
    })?;
    names.into_iter().map(|name| Ok(ChannelKey { app: app.clone(), channel: ChannelName::from_sql(name)? })).collect()
}

fn versioned((app, name, version): (String, String, i64), epoch: u64) -> Result<Versioned> {
    let key = ChannelKey { app: AppId::from_sql(app)?, channel: ChannelName::from_sql(name)? };
    Ok((key, SnapshotVersion { epoch, version: u64::from_sql(version)? }))
}

/// Returns those of a channel's releases that its snapshot holds, newest first, and what it needs of their bundles.
fn newest_releases(conn: &mut DbConn, channel: &ChannelId) -> Result<(Vec<Release>, Heads)> {
    let limit = i64::try_from(RELEASES_MAX).map_err(Error::internal)?;
    let stored = list_newest(conn, channel, None, limit)?;
    let heads = bundle_heads(conn, stored.iter().filter_map(|release| release.bundle.clone()))?;
    let releases = stored.into_iter().map(|row| release(row, &heads)).collect::<Result<Vec<_>>>()?;
    Ok((releases, heads))
}

fn bundle_heads(conn: &mut DbConn, ids: impl Iterator<Item = BundleId>) -> Result<Heads> {
    let ids: BTreeSet<BundleId> = ids.collect();
    let ids: Vec<&str> = ids.iter().map(BundleId::as_str).collect();
    let mut heads = Heads::new();
    for ids in ids.chunks(IN_LIST_MAX) {
        let rows: Vec<(String, Vec<u8>, String)> = db!(conn, |c| {
            bundle::table
                .filter(bundle::id.eq_any(ids))
                .select((bundle::id, bundle::content_hash, bundle::engine))
                .load(c)
        })?;
        for (id, hash, engine) in rows {
            let hash = Sha256::from_sql(hash)?;
            let engine = Engine::from_sql(engine)?;
            heads.insert(BundleId::from_sql(id)?, BundleHead { hash, engine });
        }
    }
    Ok(heads)
}

fn contents(heads: &Heads) -> BTreeMap<BundleId, Sha256> {
    heads.iter().map(|(id, head)| (id.clone(), head.hash)).collect()
}

fn release(row: StoredRelease, heads: &Heads) -> Result<Release> {
    let content = match &row.bundle {
        Some(id) => Content::Bundle(heads.get(id).ok_or(Error::not_found("bundle"))?.hash),
        None => Content::Embedded,
    };
    let (target, rollout) = (row.target()?, row.rollout());
    Ok(Release {
        id: row.id,
        seq: row.seq,
        platform: row.platform,
        target,
        content,
        mandatory: row.mandatory,
        enabled: row.enabled,
        rollout,
        notes: row.notes,
    })
}

fn pins(conn: &mut DbConn, channel: &ChannelId) -> Result<BTreeMap<DeviceKey, ReleaseId>> {
    let limit = i64::try_from(PINS_MAX).map_err(Error::internal)?;
    let rows: Vec<(String, String)> = db!(conn, |c| {
        device_pin::table
            .filter(device_pin::channel.eq(channel.as_str()))
            .order(device_pin::device_key)
            .limit(limit)
            .select((device_pin::device_key, device_pin::release))
            .load(c)
    })?;
    rows.into_iter()
        .map(|(device, release)| Ok((DeviceKey::from_sql(device)?, ReleaseId::from_sql(release)?)))
        .collect()
}

type FileColumns = (String, String, Vec<u8>, i64, String);

fn offered_bundles(conn: &mut DbConn, owner: &Scope, heads: &Heads) -> Result<Bundles> {
    let ids: Vec<&str> = heads.keys().map(BundleId::as_str).collect();
    let mut files: BTreeMap<BundleId, Vec<BundleFile>> = BTreeMap::new();
    for ids in ids.chunks(IN_LIST_MAX) {
        let rows: Vec<FileColumns> = db!(conn, |c| {
            bundle_file::table
                .filter(bundle_file::bundle.eq_any(ids))
                .order((bundle_file::bundle, bundle_file::path))
                .select((
                    bundle_file::bundle,
                    bundle_file::path,
                    bundle_file::sha256,
                    bundle_file::size_bytes,
                    bundle_file::role,
                ))
                .load(c)
        })?;
        for (bundle, path, sha256, size_bytes, role) in rows {
            let (sha256, size_bytes) = (Sha256::from_sql(sha256)?, u64::from_sql(size_bytes)?);
            let file = BundleFile { path, sha256, size_bytes, role: FileRole::from_sql(role)? };
            files.entry(BundleId::from_sql(bundle)?).or_default().push(file);
        }
    }
    let wanted: Vec<Sha256> = files.values().flatten().map(|file| file.sha256).collect();
    let blobs = blobs::by_hash(conn, owner, &wanted)?;
    let variants = variants_by_hash(conn, owner, &wanted)?;
    let mut bundles = Bundles::default();
    for (id, head) in heads {
        let files = files.remove(id).unwrap_or_default();
        let hashes: BTreeSet<Sha256> = files.iter().map(|file| file.sha256).collect();
        let blobs = hashes
            .iter()
            .map(|hash| blobs.get(hash).cloned().ok_or(Error::not_found("blob")))
            .collect::<Result<Vec<_>>>()?;
        let variants = hashes.iter().filter_map(|hash| variants.get(hash)).flatten().cloned().collect();
        bundles.insert(head.hash, Box::new(OfferedBundle { engine: head.engine, files, blobs, variants }));
    }
    Ok(bundles)
}

fn variants_by_hash(conn: &mut DbConn, owner: &Scope, hashes: &[Sha256]) -> Result<BTreeMap<Sha256, Vec<Variant>>> {
    let stored = variants::list_for(conn, owner, hashes)?;
    let compressed: Vec<Sha256> = stored.iter().map(|variant| variant.blob_sha256).collect();
    let blobs = blobs::by_hash(conn, owner, &compressed)?;
    let mut found: BTreeMap<Sha256, Vec<Variant>> = BTreeMap::new();
    for variant in stored {
        if let Some(blob) = blobs.get(&variant.blob_sha256) {
            let (of, coding, blob) = (variant.sha256, variant.coding, blob.clone());
            found.entry(of).or_default().push(Variant { of, coding, blob });
        }
    }
    Ok(found)
}

fn offered_deltas(conn: &mut DbConn, owner: &Scope, heads: &Heads) -> Result<Vec<Delta>> {
    let targets: Vec<BundleId> = heads.keys().cloned().collect();
    let stored: Vec<StoredDelta> = deltas::list_for(conn, &targets)?;
    let bases = bundle_heads(conn, stored.iter().map(|delta| delta.from_bundle.clone()))?;
    let wanted: Vec<Sha256> = stored.iter().map(|delta| delta.blob_sha256).collect();
    let blobs = blobs::by_hash(conn, owner, &wanted)?;
    // By content, because that is what a device names; sorted, so that one state has one snapshot.
    let mut found = BTreeMap::new();
    for delta in stored {
        let (Some(from), Some(to), Some(blob)) =
            (bases.get(&delta.from_bundle), heads.get(&delta.to_bundle), blobs.get(&delta.blob_sha256))
        else {
            continue;
        };
        found.insert(
            (to.hash, from.hash, delta.format.clone()),
            Delta { from: from.hash, to: to.hash, base: delta.base_sha256, format: delta.format, blob: blob.clone() },
        );
    }
    Ok(found.into_values().collect())
}
