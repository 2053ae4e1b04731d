//! This file's job is to convert snapshots, checking every rule that an edge relies on.

use super::codepush::{codepush_from_wire, codepush_to_wire};
use super::{
    InField as _, InvalidMessage, blob_from_wire, blob_to_wire, engine_from_wire, engine_to_wire, file_from_wire,
    file_to_wire, optional_sha256_from_wire, platform_from_wire, platform_to_wire, rollout_from_wire, rollout_to_wire,
    sha256_from_wire, sha256_to_wire, target_from_wire, target_to_wire,
};
use crate::v1;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::{BUNDLE_FILES_MAX, Blob, Coding, FileRole, content_hash};
use domain::expo::ExpoChannel;
use domain::release::{Content, NOTES_MAX_BYTES, Release};
use domain::snapshot::{
    Bundles, ChannelKey, ChannelSnapshot, Delta, OfferedBundle, PINS_MAX, RELEASES_MAX, REVOKED_DEVICES_MAX,
    SnapshotVersion, TOKEN_KEYS_MAX, TokenKey, Variant, is_delta_format, offerable,
};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

mod expo;

use expo::{expo_embedded_to_wire, expo_from_wire, expo_updates_to_wire};

/// Some codings for each file, with room for later ones.
const VARIANTS_MAX: usize = 8 * BUNDLE_FILES_MAX;

/// Serializes a snapshot. The digest is the SHA-256 of the result.
#[must_use]
pub fn encode_snapshot(snapshot: &ChannelSnapshot) -> Bytes {
    v1::ChannelSnapshot {
        key: Some(channel_key_to_wire(&snapshot.key)),
        channel_id: snapshot.channel_id.to_string(),
        version: Some(version_to_wire(snapshot.version)),
        blocked: snapshot.blocked,
        releases: snapshot.releases.iter().map(release_to_wire).collect(),
        bundles: snapshot.bundles.iter().map(|(hash, bundle)| bundle_to_wire(hash, bundle)).collect(),
        deltas: snapshot.deltas.iter().map(delta_to_wire).collect(),
        pins: (snapshot.pins.iter())
            .map(|(device, release)| v1::SnapshotPin { device: device.to_string(), release_id: release.to_string() })
            .collect(),
        token_keys: (snapshot.token_keys.iter())
            .map(|key| v1::SnapshotTokenKey { generation: key.generation, secret: Bytes::copy_from_slice(&key.secret) })
            .collect(),
        revoked_device_ids: snapshot.revoked_devices.iter().map(ToString::to_string).collect(),
        registration_closed: snapshot.registration_closed,
        codepush: codepush_to_wire(&snapshot.codepush),
        expo_updates: expo_updates_to_wire(&snapshot.expo),
        expo_embedded: expo_embedded_to_wire(&snapshot.expo),
        expo_server_defined_headers: snapshot.expo.server_defined_headers.as_ref().map(ToString::to_string),
        expo_asset_request_headers: snapshot.expo.asset_request_headers.to_string(),
    }
    .encode_to_vec()
    .into()
}

/// Reads a serialized snapshot and checks every rule: bounds, hashes, order, and that whatever can be offered is there.
///
/// # Errors
/// The first field that breaks a rule.
pub fn decode_snapshot(encoded: &[u8]) -> Result<ChannelSnapshot, InvalidMessage> {
    let wire = v1::ChannelSnapshot::decode(encoded).map_err(|_| InvalidMessage::new("snapshot", "is not a message"))?;
    at_most(wire.releases.len(), RELEASES_MAX, "releases")?;
    at_most(wire.pins.len(), PINS_MAX, "pins")?;
    at_most(wire.token_keys.len(), TOKEN_KEYS_MAX, "token_keys")?;
    at_most(wire.revoked_device_ids.len(), REVOKED_DEVICES_MAX, "revoked_device_ids")?;
    let mut blobs = Blobs::default();
    let snapshot = ChannelSnapshot {
        key: channel_key_from_wire(wire.key)?,
        channel_id: wire.channel_id.parse().in_field("channel_id")?,
        version: version_from_wire(wire.version)?,
        blocked: wire.blocked,
        releases: exactly(wire.releases.into_iter().map(release_from_wire))?,
        bundles: bundles_from_wire(wire.bundles, &mut blobs)?,
        deltas: exactly(wire.deltas.into_iter().map(|delta| delta_from_wire(delta, &mut blobs)))?,
        pins: wire.pins.into_iter().map(pin_from_wire).collect::<Result<_, _>>()?,
        token_keys: exactly(wire.token_keys.into_iter().map(token_key_from_wire))?,
        revoked_devices: (wire.revoked_device_ids.iter())
            .map(|device| device.parse().in_field("revoked_device_ids"))
            .collect::<Result<_, _>>()?,
        registration_closed: wire.registration_closed,
        codepush: codepush_from_wire(wire.codepush)?,
        expo: ExpoChannel {
            server_defined_headers: (wire.expo_server_defined_headers.as_deref())
                .map(|text| text.parse().in_field("expo_server_defined_headers"))
                .transpose()?,
            asset_request_headers: wire.expo_asset_request_headers.parse().in_field("expo_asset_request_headers")?,
            ..expo_from_wire(wire.expo_updates, wire.expo_embedded)?
        },
    };
    check_whole(&snapshot)?;
    Ok(snapshot)
}

/// Writes a channel's name.
#[must_use]
pub fn channel_key_to_wire(key: &ChannelKey) -> v1::ChannelKey {
    v1::ChannelKey { app_id: key.app.to_string(), channel_name: key.channel.to_string() }
}

/// Reads a channel's name.
///
/// # Errors
/// When it is unset or malformed.
pub fn channel_key_from_wire(key: Option<v1::ChannelKey>) -> Result<ChannelKey, InvalidMessage> {
    let key = key.ok_or_else(|| InvalidMessage::new("key", "must be set"))?;
    Ok(ChannelKey {
        app: key.app_id.parse().in_field("key.app_id")?,
        channel: key.channel_name.parse().in_field("key.channel_name")?,
    })
}

/// Writes a version.
#[must_use]
pub const fn version_to_wire(version: SnapshotVersion) -> v1::SnapshotVersion {
    v1::SnapshotVersion { epoch: version.epoch, version: version.version }
}

/// Reads a version.
///
/// # Errors
/// When it is unset.
pub fn version_from_wire(version: Option<v1::SnapshotVersion>) -> Result<SnapshotVersion, InvalidMessage> {
    let version = version.ok_or_else(|| InvalidMessage::new("version", "must be set"))?;
    Ok(SnapshotVersion { epoch: version.epoch, version: version.version })
}

/// Collects without room for more, which may be several times as much: edges keep many snapshots.
fn exactly<T>(items: impl Iterator<Item = Result<T, InvalidMessage>>) -> Result<Vec<T>, InvalidMessage> {
    let mut all = items.collect::<Result<Vec<T>, _>>()?;
    all.shrink_to_fit();
    Ok(all)
}

fn at_most(count: usize, max: usize, field: &'static str) -> Result<(), InvalidMessage> {
    if count <= max { Ok(()) } else { Err(InvalidMessage::new(field, format!("must be at most {max}"))) }
}

/// Checks what concerns several fields.
fn check_whole(snapshot: &ChannelSnapshot) -> Result<(), InvalidMessage> {
    if !snapshot.releases.is_sorted_by(|newer, older| newer.seq > older.seq) {
        return Err(InvalidMessage::new("releases", "must be sorted, newest first"));
    }
    let missing = offerable(&snapshot.releases, snapshot.pins.values())
        .into_iter()
        .find(|hash| !snapshot.bundles.contains_key(hash));
    match missing {
        Some(hash) => Err(InvalidMessage::new("bundles", format!("must have {hash}, which can be offered"))),
        None => Ok(()),
    }
}

fn release_to_wire(release: &Release) -> v1::SnapshotRelease {
    v1::SnapshotRelease {
        release_id: release.id.to_string(),
        seq: release.seq,
        platform: platform_to_wire(release.platform).into(),
        target: Some(target_to_wire(&release.target)),
        bundle_sha256: match &release.content {
            Content::Bundle(hash) => sha256_to_wire(hash),
            Content::Embedded => Bytes::new(),
        },
        mandatory: release.mandatory,
        enabled: release.enabled,
        rollout: Some(rollout_to_wire(&release.rollout)),
        notes: release.notes.clone(),
    }
}

/// The blobs of one snapshot: most of a bundle's assets are in the bundle before it too.
#[derive(Default)]
struct Blobs(HashMap<Sha256, Arc<Blob>>);

impl Blobs {
    fn read(&mut self, blob: &v1::Blob) -> Result<Arc<Blob>, InvalidMessage> {
        let blob = blob_from_wire(blob)?;
        let known = self.0.entry(blob.sha256).or_insert_with(|| Arc::new(blob.clone()));
        Ok(if **known == blob { known.clone() } else { Arc::new(blob) })
    }
}

fn release_from_wire(release: v1::SnapshotRelease) -> Result<Release, InvalidMessage> {
    if release.notes.len() > NOTES_MAX_BYTES {
        return Err(InvalidMessage::new("notes", format!("must be at most {NOTES_MAX_BYTES} bytes")));
    }
    Ok(Release {
        id: release.release_id.parse().in_field("release_id")?,
        seq: release.seq,
        platform: platform_from_wire(release.platform, "platform")?,
        target: target_from_wire(release.target)?,
        content: optional_sha256_from_wire(&release.bundle_sha256, "bundle_sha256")?
            .map_or(Content::Embedded, Content::Bundle),
        mandatory: release.mandatory,
        enabled: release.enabled,
        rollout: rollout_from_wire(release.rollout)?,
        notes: release.notes,
    })
}

fn bundle_to_wire(hash: &Sha256, bundle: &OfferedBundle) -> v1::SnapshotBundle {
    v1::SnapshotBundle {
        content_sha256: sha256_to_wire(hash),
        engine: engine_to_wire(bundle.engine).into(),
        files: bundle.files.iter().map(file_to_wire).collect(),
        blobs: bundle.blobs.iter().map(|blob| blob_to_wire(blob)).collect(),
        variants: bundle.variants.iter().map(variant_to_wire).collect(),
    }
}

fn bundles_from_wire(bundles: Vec<v1::SnapshotBundle>, blobs: &mut Blobs) -> Result<Bundles, InvalidMessage> {
    // Room for all of them, and no more.
    let mut read = Bundles::with_capacity(bundles.len());
    for bundle in bundles {
        let (hash, bundle) = bundle_from_wire(bundle, blobs)?;
        read.insert(hash, bundle);
    }
    Ok(read)
}

fn bundle_from_wire(
    bundle: v1::SnapshotBundle,
    blobs: &mut Blobs,
) -> Result<(Sha256, Box<OfferedBundle>), InvalidMessage> {
    at_most(bundle.files.len(), BUNDLE_FILES_MAX, "files")?;
    at_most(bundle.blobs.len(), BUNDLE_FILES_MAX, "blobs")?;
    at_most(bundle.variants.len(), VARIANTS_MAX, "variants")?;
    let hash = sha256_from_wire(&bundle.content_sha256, "content_sha256")?;
    let offered = OfferedBundle {
        engine: engine_from_wire(bundle.engine, "engine")?,
        files: exactly(bundle.files.into_iter().map(file_from_wire))?,
        blobs: exactly(bundle.blobs.iter().map(|blob| blobs.read(blob)))?,
        variants: exactly(bundle.variants.into_iter().filter_map(|variant| variant_from_wire(variant, blobs)))?,
    };
    if content_hash(&offered.files) != hash {
        return Err(InvalidMessage::new("content_sha256", "must be the hash of the files"));
    }
    if offered.files.iter().filter(|file| file.role == FileRole::Launch).count() != 1 {
        return Err(InvalidMessage::new("files", "must have exactly one launch file"));
    }
    let sizes: BTreeMap<Sha256, u64> = offered.blobs.iter().map(|blob| (blob.sha256, blob.size_bytes)).collect();
    let described: BTreeSet<(Sha256, u64)> = offered.files.iter().map(|file| (file.sha256, file.size_bytes)).collect();
    if described.iter().any(|(hash, size)| sizes.get(hash) != Some(size)) {
        return Err(InvalidMessage::new("blobs", "must describe every file with its size"));
    }
    if !offered.variants.is_sorted_by(|one, next| (one.of, one.coding.as_str()) < (next.of, next.coding.as_str())) {
        return Err(InvalidMessage::new("variants", "must be sorted by file and coding"));
    }
    if offered.variants.iter().any(|variant| sizes.get(&variant.of).is_none_or(|size| variant.blob.size_bytes >= *size))
    {
        return Err(InvalidMessage::new("variants", "must be smaller than a blob of the bundle"));
    }
    Ok((hash, Box::new(offered)))
}

fn variant_to_wire(variant: &Variant) -> v1::SnapshotVariant {
    v1::SnapshotVariant {
        of_sha256: sha256_to_wire(&variant.of),
        coding: variant.coding.as_str().to_owned(),
        blob: Some(blob_to_wire(&variant.blob)),
    }
}

/// None when the coding is unknown: the control plane may be newer than this edge.
fn variant_from_wire(variant: v1::SnapshotVariant, blobs: &mut Blobs) -> Option<Result<Variant, InvalidMessage>> {
    let coding: Coding = variant.coding.parse().ok()?;
    let blob = variant.blob.ok_or_else(|| InvalidMessage::new("variant.blob", "must be set"));
    let of = sha256_from_wire(&variant.of_sha256, "of_sha256");
    Some(of.and_then(|of| Ok(Variant { of, coding, blob: blobs.read(&blob?)? })))
}

fn delta_to_wire(delta: &Delta) -> v1::SnapshotDelta {
    v1::SnapshotDelta {
        from_sha256: sha256_to_wire(&delta.from),
        to_sha256: sha256_to_wire(&delta.to),
        base_sha256: sha256_to_wire(&delta.base),
        format: delta.format.clone(),
        blob: Some(blob_to_wire(&delta.blob)),
    }
}

fn delta_from_wire(delta: v1::SnapshotDelta, blobs: &mut Blobs) -> Result<Delta, InvalidMessage> {
    if !is_delta_format(&delta.format) {
        return Err(InvalidMessage::new("format", "must be 1 to 32 letters, digits and '-'"));
    }
    Ok(Delta {
        from: sha256_from_wire(&delta.from_sha256, "from_sha256")?,
        to: sha256_from_wire(&delta.to_sha256, "to_sha256")?,
        base: sha256_from_wire(&delta.base_sha256, "base_sha256")?,
        blob: blobs.read(&delta.blob.ok_or_else(|| InvalidMessage::new("blob", "must be set"))?)?,
        format: delta.format,
    })
}

fn pin_from_wire(pin: v1::SnapshotPin) -> Result<(domain::device::DeviceKey, domain::id::ReleaseId), InvalidMessage> {
    Ok((pin.device.parse().in_field("device")?, pin.release_id.parse().in_field("release_id")?))
}

fn token_key_from_wire(key: v1::SnapshotTokenKey) -> Result<TokenKey, InvalidMessage> {
    let secret = key.secret.as_ref().try_into().map_err(|_| InvalidMessage::new("secret", "must be 32 bytes"))?;
    Ok(TokenKey { generation: key.generation, secret })
}

#[cfg(test)]
mod tests;
