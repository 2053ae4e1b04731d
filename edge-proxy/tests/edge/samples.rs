//! This file's job is to make bundles and snapshots from bytes that tests choose.

use bytes::Bytes;
use domain::bundle::{Blob, BundleFile, Coding, Engine, FileRole, content_hash};
use domain::id::{AppId, ChannelId, ReleaseId};
use domain::release::{Content, Release, Retreat, Rollout, RolloutState};
use domain::snapshot::{ChannelKey, ChannelSnapshot, Delta, OfferedBundle, SnapshotVersion, TokenKey, Variant};
use domain::{Platform, Ppm, Sha256, Timestamp};
use std::iter;

/// Bytes that no two seeds share and that do not repeat.
pub fn noise(size_bytes: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    while bytes.len() < size_bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes.into()
}

pub fn app(number: u8) -> AppId {
    AppId::from_parts(Timestamp::from_us(1_790_000_000_000_000), [number; 10])
}

pub fn release_id(number: u64) -> ReleaseId {
    let mut random = [7; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    ReleaseId::from_parts(Timestamp::from_us(1_790_000_000_000_000), random)
}

pub fn bundle(launch: &[u8], asset: &[u8]) -> (Sha256, Box<OfferedBundle>) {
    let file = |path: &str, bytes: &[u8], role| BundleFile {
        path: path.into(),
        sha256: Sha256::of(bytes),
        size_bytes: bytes.len() as u64,
        role,
    };
    let files = vec![file("assets/logo.png", asset, FileRole::Asset), file("index.bundle", launch, FileRole::Launch)];
    let blobs = vec![Blob::of(asset).into(), Blob::of(launch).into()];
    (content_hash(&files), OfferedBundle { engine: Engine::Hermes, files, blobs, variants: vec![] }.into())
}

pub fn release(seq: u64, content: Content) -> Release {
    Release {
        id: release_id(seq),
        seq,
        platform: Platform::Ios,
        target: domain::target::Target::BinaryRange("1.x".parse().unwrap()),
        content,
        mandatory: false,
        enabled: true,
        rollout: Rollout {
            state: RolloutState::Active,
            share: Ppm::ALL,
            salt: format!("salt-{seq}"),
            retreat: Retreat::Stay,
        },
        notes: format!("Release {seq}"),
    }
}

pub fn key(app_number: u8) -> ChannelKey {
    ChannelKey { app: app(app_number), channel: "production".parse().unwrap() }
}

pub fn empty(app_number: u8, version: u64) -> ChannelSnapshot {
    ChannelSnapshot {
        key: key(app_number),
        channel_id: ChannelId::from_parts(Timestamp::from_us(1_790_000_000_000_000), [app_number; 10]),
        version: SnapshotVersion { epoch: 1, version },
        blocked: false,
        releases: vec![],
        bundles: Default::default(),
        deltas: vec![],
        pins: [].into(),
        token_keys: vec![TokenKey { generation: 1, secret: [app_number; 32] }],
        revoked_devices: [].into(),
        registration_closed: false,
        codepush: Default::default(),
        expo: Default::default(),
    }
}

/// A channel whose newest release brings these files to everybody; the last one is launched.
pub fn channel_of(app_number: u8, version: u64, contents: &[Bytes]) -> ChannelSnapshot {
    let file = |(number, bytes): (usize, &Bytes)| BundleFile {
        path: format!("{number:04}"),
        sha256: Sha256::of(bytes),
        size_bytes: bytes.len() as u64,
        role: if number + 1 == contents.len() { FileRole::Launch } else { FileRole::Asset },
    };
    let files: Vec<BundleFile> = contents.iter().enumerate().map(file).collect();
    let hash = content_hash(&files);
    let blobs = contents.iter().map(|bytes| Blob::of(bytes).into()).collect();
    let mut snapshot = empty(app_number, version);
    snapshot.releases = vec![release(version, Content::Bundle(hash))];
    let bundle = OfferedBundle { engine: Engine::Hermes, files, blobs, variants: vec![] };
    snapshot.bundles = iter::once((hash, bundle.into())).collect();
    snapshot
}

/// A channel whose newest release brings this launch file and this asset to everybody.
pub fn channel(app_number: u8, version: u64, launch: &[u8], asset: &[u8]) -> ChannelSnapshot {
    let mut snapshot = empty(app_number, version);
    let (hash, bundle) = bundle(launch, asset);
    snapshot.releases = vec![release(version, Content::Bundle(hash))];
    snapshot.bundles = iter::once((hash, bundle)).collect();
    snapshot
}

pub fn launch_hash(snapshot: &ChannelSnapshot) -> Sha256 {
    let bundle = snapshot.bundles.values().next().unwrap();
    bundle.files.iter().find(|file| file.role == FileRole::Launch).unwrap().sha256
}

/// Says that this is the compressed form of the file.
pub fn add_variant(snapshot: &mut ChannelSnapshot, of: Sha256, coding: Coding, bytes: &[u8]) {
    for (_, bundle) in &mut snapshot.bundles {
        bundle.variants.push(Variant { of, coding, blob: Blob::of(bytes).into() });
        bundle.variants.sort_by_key(|variant| (variant.of, variant.coding.as_str()));
    }
}

/// A patch that claims to make the first bundle of the snapshot from `from`.
pub fn delta(snapshot: &ChannelSnapshot, from: Sha256, format: &str, bytes: &[u8]) -> Delta {
    let to = *snapshot.bundles.keys().next().unwrap();
    Delta { from, to, base: Sha256::of(b"base"), format: format.into(), blob: Blob::of(bytes).into() }
}
