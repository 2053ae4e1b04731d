//! This file's job is to state what a snapshot from the wire must and must not be.

use super::*;
use domain::bundle::{Blob, BundleFile, Engine};
use domain::codepush::{CodePush, Package, PackageDiff};
use domain::expo::{BODY_MAX_BYTES, ExpoChannel, ExpoUpdate};
use domain::release::{Retreat, Rollout, RolloutState};
use domain::target::Target;
use domain::{Platform, Ppm, Timestamp};

mod encodings;

fn sample() -> ChannelSnapshot {
    let launch = Blob::of(b"launch");
    let variant = |coding, bytes| Variant { of: launch.sha256, coding, blob: Blob::of(bytes).into() };
    let variants = vec![variant(Coding::Brotli, b"l".as_slice()), variant(Coding::Gzip, b"la")];
    let files = vec![BundleFile {
        path: "index.android.bundle".into(),
        sha256: launch.sha256,
        size_bytes: launch.size_bytes,
        role: FileRole::Launch,
    }];
    let hash = content_hash(&files);
    let offered = OfferedBundle { engine: Engine::Hermes, files, blobs: vec![launch.into()], variants };
    let release = Release {
        id: domain::id::ReleaseId::from_parts(Timestamp::from_us(1), [1; 10]),
        seq: 1,
        platform: Platform::Android,
        target: Target::BinaryRange("1.x".parse().unwrap()),
        content: Content::Bundle(hash),
        mandatory: true,
        enabled: true,
        rollout: Rollout { state: RolloutState::Active, share: Ppm::ALL, salt: "s".into(), retreat: Retreat::Now },
        notes: "notes".into(),
    };
    ChannelSnapshot {
        key: ChannelKey {
            app: domain::id::AppId::from_parts(Timestamp::from_us(1), [2; 10]),
            channel: "production".parse().unwrap(),
        },
        channel_id: domain::id::ChannelId::from_parts(Timestamp::from_us(1), [3; 10]),
        version: SnapshotVersion { epoch: 1, version: 7 },
        blocked: false,
        pins: BTreeMap::from([("device".parse().unwrap(), release.id.clone())]),
        expo: expo_of(&release),
        releases: vec![release],
        bundles: std::iter::once((hash, offered.into())).collect(),
        deltas: vec![Delta {
            from: Sha256::of(b"f"),
            to: hash,
            base: Sha256::of(b"b"),
            format: "dcz".into(),
            blob: Blob::of(b"p").into(),
        }],
        token_keys: vec![TokenKey { generation: 1, secret: [9; 32] }],
        revoked_devices: [domain::id::DeviceId::from_parts(domain::Timestamp::from_us(1), [3; 10])].into(),
        registration_closed: true,
        codepush: CodePush {
            keys: BTreeMap::from([("deployment-key".parse().unwrap(), Platform::Android)]),
            packages: BTreeMap::from([(hash, Package { hash: Sha256::of(b"package"), blob: Blob::of(b"zip").into() })]),
            diffs: vec![PackageDiff { from: Sha256::of(b"old"), to: hash, blob: Blob::of(b"diff").into() }],
        },
    }
}

fn expo_of(release: &Release) -> ExpoChannel {
    let update = ExpoUpdate {
        committed_at_ms: 1_790_000_000_123,
        body: r#"{"id":"ü"}"#.into(),
        signature: r#"sig="AA==", keyid="main", alg="rsa-v1_5-sha256""#.into(),
        certificate_chain: "-----BEGIN CERTIFICATE-----".into(),
    };
    let embedded = "0192f0a1-b2c3-d4e5-f607-18293a4b5c6d".parse().unwrap();
    ExpoChannel {
        updates: BTreeMap::from([(release.id.clone(), update)]),
        embedded: BTreeMap::from([(embedded, Sha256::of(b"embedded"))]),
        server_defined_headers: Some(r#"x-ring="early""#.parse().unwrap()),
        asset_request_headers: r#"authorization="Bearer 1""#.parse().unwrap(),
    }
}

fn refused(change: impl FnOnce(&mut ChannelSnapshot)) -> &'static str {
    let mut snapshot = sample();
    change(&mut snapshot);
    decode_snapshot(&encode_snapshot(&snapshot)).unwrap_err().field
}

#[test]
fn a_snapshot_survives_the_wire() {
    assert_eq!(decode_snapshot(&encode_snapshot(&sample())), Ok(sample()));
}

#[test]
fn a_coding_that_only_a_newer_control_plane_knows_is_left_out() {
    let mut wire = v1::ChannelSnapshot::decode(encode_snapshot(&sample())).unwrap();
    wire.bundles[0].variants[0].coding = "later".to_owned();
    let decoded = decode_snapshot(&wire.encode_to_vec()).unwrap();
    let codings = decoded.bundles.values().flat_map(|bundle| &bundle.variants).map(|variant| variant.coding);
    assert_eq!(codings.collect::<Vec<_>>(), [Coding::Gzip]);
}

#[test]
fn broken_rules_are_named() {
    assert_eq!(refused(|s| s.bundles.clear()), "bundles");
    assert_eq!(refused(|s| s.releases.push(s.releases[0].clone())), "releases");
    assert_eq!(refused(|s| Arc::make_mut(&mut s.codepush.diffs[0].blob).chunks.clear()), "chunks");
    assert_eq!(refused(|s| s.deltas[0].format = String::new()), "format");
    assert_eq!(refused(|s| Arc::make_mut(&mut s.deltas[0].blob).chunks.clear()), "chunks");
    assert_eq!(refused(|s| s.releases[0].notes = "x".repeat(NOTES_MAX_BYTES + 1)), "notes");
    let change_expo =
        |change: fn(&mut ExpoUpdate)| move |s: &mut ChannelSnapshot| s.expo.updates.values_mut().for_each(change);
    assert_eq!(refused(change_expo(|update| update.body = "x".repeat(BODY_MAX_BYTES + 1))), "body");
    assert_eq!(refused(change_expo(|update| update.signature = "sig\r\nx: y".into())), "signature");
    let change_bundle = |change: fn(&mut OfferedBundle)| {
        move |s: &mut ChannelSnapshot| s.bundles.iter_mut().for_each(|(_, b)| change(b))
    };
    assert_eq!(refused(change_bundle(|b| b.files[0].size_bytes += 1)), "content_sha256");
    assert_eq!(refused(change_bundle(|b| b.blobs.clear())), "blobs");
    assert_eq!(refused(change_bundle(|b| b.files[0].path = "../x".into())), "path");
    assert_eq!(refused(change_bundle(|b| b.variants.reverse())), "variants");
    assert_eq!(refused(change_bundle(|b| b.variants[0].of = Sha256::of(b"x"))), "variants");
    assert_eq!(refused(change_bundle(|b| b.variants[0].blob = Blob::of(b"launch").into())), "variants");
    assert_eq!(refused(change_bundle(|b| b.variants.push(b.variants[1].clone()))), "variants");
    let without_launch = |s: &mut ChannelSnapshot| {
        let (_, mut bundle) = s.bundles.clone().into_iter().next().unwrap();
        bundle.files[0].role = FileRole::Asset;
        s.bundles = [(content_hash(&bundle.files), bundle)].into_iter().collect();
    };
    assert_eq!(refused(without_launch), "files");
}

#[test]
fn no_cut_or_flipped_byte_makes_decoding_panic() {
    let encoded = encode_snapshot(&sample());
    for cut in 0..encoded.len() {
        let _ = decode_snapshot(&encoded[..cut]);
        for bit in 0..8 {
            let mut flipped = encoded.to_vec();
            flipped[cut] ^= 1 << bit;
            if let Ok(snapshot) = decode_snapshot(&flipped) {
                assert!(snapshot.bundles.iter().all(|(hash, bundle)| content_hash(&bundle.files) == *hash));
            }
        }
    }
}
