//! This file's job is to keep what older and newer versions write readable: snapshots, and the messages of an edge's stream.
//!
//! `proto/vectors` holds what released versions wrote. Files there stay for ever. Whoever adds a field to [`sample`] adds a file with the next
//! number: `ALOFT_BLESS=1` writes the one that is missing.

use super::*;
use crate::v1::sync_request::Message as Said;
use crate::v1::sync_response::Message as Heard;
use std::fs;
use std::path::PathBuf;

/// What wrote the newest snapshot.
const NEWEST: u32 = 3;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

/// Returns what was written once; writes it when it is missing and that was asked for.
fn kept(name: &str, written: &[u8]) -> Vec<u8> {
    let path = path(name);
    if !path.exists() && std::env::var_os("ALOFT_BLESS").is_some() {
        fs::write(&path, written).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; write it with ALOFT_BLESS=1", path.display()))
}

/// The sample as the first version would have had it: before plans, revocations, compressed forms, CodePush and Expo.
fn first_sample() -> ChannelSnapshot {
    let mut snapshot = sample();
    snapshot.bundles.iter_mut().for_each(|(_, bundle)| bundle.variants.clear());
    ChannelSnapshot {
        revoked_devices: Default::default(),
        registration_closed: false,
        codepush: Default::default(),
        expo: Default::default(),
        ..snapshot
    }
}

/// The sample as the second version would have had it: before headers that owners define.
fn second_sample() -> ChannelSnapshot {
    let snapshot = sample();
    let (updates, embedded) = (snapshot.expo.updates, snapshot.expo.embedded);
    ChannelSnapshot { expo: ExpoChannel { updates, embedded, ..ExpoChannel::default() }, ..snapshot }
}

fn snapshots() -> [(u32, ChannelSnapshot); 3] {
    [(1, first_sample()), (2, second_sample()), (NEWEST, sample())]
}

#[test]
fn snapshots_of_every_version_are_read_and_written_as_they_were() {
    for (number, snapshot) in snapshots() {
        let encoded = encode_snapshot(&snapshot);
        let kept = kept(&format!("snapshot-{number}.bin"), &encoded);
        assert_eq!(decode_snapshot(&kept).unwrap(), snapshot, "what version {number} wrote means something else now");
        assert!(kept == encoded, "edges of version {number} would read something else: never move or reuse a field");
    }
}

#[test]
fn what_only_a_newer_control_plane_says_is_passed_over() {
    // Field 1,000, length-delimited, three bytes.
    const LATER: [u8; 6] = [0xc2, 0x3e, 3, b'n', b'e', b'w'];
    let newer = [encode_snapshot(&sample()).as_ref(), &LATER].concat();
    assert_eq!(decode_snapshot(&newer), Ok(sample()));
    for bytes in [&LATER[..], &[]] {
        assert_eq!(v1::SyncResponse::decode(bytes).unwrap().message, None, "a kind of message that is not known");
        assert_eq!(v1::SyncRequest::decode(bytes).unwrap().message, None);
    }
}

#[test]
fn a_field_that_moves_is_noticed() {
    let mut wire = v1::ChannelSnapshot::decode(encode_snapshot(&sample())).unwrap();
    let delta = &mut wire.deltas[0];
    std::mem::swap(&mut delta.from_sha256, &mut delta.to_sha256);
    let kept = fs::read(path(&format!("snapshot-{NEWEST}.bin"))).unwrap();
    assert_ne!(decode_snapshot(&wire.encode_to_vec()).ok(), decode_snapshot(&kept).ok());
}

fn requests() -> Vec<(&'static str, Said)> {
    let (key, version) = (Some(channel_key_to_wire(&sample().key)), Some(version_to_wire(sample().version)));
    let digest = sha256_to_wire(&Sha256::of(b"digest"));
    let have = v1::SyncHave { key: key.clone(), version, digest: digest.clone(), blobs_ready: false };
    let hello =
        v1::SyncHello { edge_id: "edg_1".into(), software_version: "0.1.0".into(), schema_max: 1, have: vec![have] };
    let wish =
        v1::SyncDeltaWish { key: key.clone(), from_bundle_sha256: digest.clone(), to_bundle_sha256: digest.clone() };
    let package_diff_wish = v1::SyncPackageDiffWish {
        key: key.clone(),
        from_package_sha256: digest.clone(),
        to_bundle_sha256: digest.clone(),
    };
    vec![
        ("hello", Said::Hello(hello)),
        ("interest", Said::Interest(v1::SyncInterest { key: key.clone() })),
        ("ack", Said::Ack(v1::SyncAck { key: key.clone(), version, digest })),
        ("ready", Said::Ready(v1::SyncReady { key: key.clone(), version })),
        ("nack", Said::Nack(v1::SyncNack { key, version, reason: "why".into() })),
        ("heartbeat", Said::Heartbeat(v1::SyncHeartbeat { now_us: 1_790_000_000_000_000 })),
        ("delta-wish", Said::DeltaWish(wish)),
        ("package-diff-wish", Said::PackageDiffWish(package_diff_wish)),
        ("key-interest", Said::KeyInterest(v1::SyncKeyInterest { deployment_key: "deployment-key".into() })),
    ]
}

fn responses() -> Vec<(&'static str, Heard)> {
    let (key, version) = (Some(channel_key_to_wire(&sample().key)), Some(version_to_wire(sample().version)));
    let digest = sha256_to_wire(&Sha256::of(b"encoded"));
    let snapshot = v1::SyncSnapshot { key: key.clone(), version, digest, encoded: Bytes::from_static(b"encoded") };
    vec![
        ("key-absent", Heard::KeyAbsent(v1::SyncKeyAbsent { deployment_key: "deployment-key".into() })),
        ("welcome", Heard::Welcome(v1::SyncWelcome { software_version: "0.1.0".into() })),
        ("snapshot", Heard::Snapshot(snapshot)),
        ("absent", Heard::Absent(v1::SyncAbsent { key })),
        ("caught-up", Heard::CaughtUp(v1::SyncCaughtUp {})),
        ("heartbeat", Heard::Heartbeat(v1::SyncHeartbeat { now_us: 1_790_000_000_000_000 })),
    ]
}

#[test]
fn what_edges_and_control_planes_say_to_each_other_stays_the_same() {
    for (name, message) in requests() {
        let request = v1::SyncRequest { message: Some(message) };
        let kept = kept(&format!("request-{name}.bin"), &request.encode_to_vec());
        assert_eq!(v1::SyncRequest::decode(kept.as_slice()).unwrap(), request, "{name}");
        assert!(kept == request.encode_to_vec(), "older control planes would read something else: {name}");
    }
    for (name, message) in responses() {
        let response = v1::SyncResponse { message: Some(message) };
        let kept = kept(&format!("response-{name}.bin"), &response.encode_to_vec());
        assert_eq!(v1::SyncResponse::decode(kept.as_slice()).unwrap(), response, "{name}");
        assert!(kept == response.encode_to_vec(), "older edges would read something else: {name}");
    }
}
