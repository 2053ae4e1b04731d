//! This file's job is to compare answers with those that a CodePush server gave to the same histories and requests.

use super::*;
use crate::protocols::codepush::Spelling;
use crate::protocols::codepush::answer::Answer;
use crate::snapshot::interned::Interned;
use domain::bundle::{BundleFile, Engine, FileRole, content_hash};
use domain::codepush::{CodePush, Package, PackageDiff};
use domain::id::{AppId, ChannelId, ReleaseId};
use domain::release::{Retreat, Rollout, RolloutState};
use domain::snapshot::{Bundles, ChannelKey, ChannelSnapshot, OfferedBundle, SnapshotVersion, TokenKey};
use domain::{Ppm, Timestamp, bucket};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Histories, requests and the raw answers of Microsoft's server.
const VECTORS: &str = include_str!("../../../../tests/vectors/codepush/decisions.json");
const BASE: &str = "https://updates.example.com";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn blob(name: &str, size_bytes: u64) -> Arc<Blob> {
    let sha256 = Sha256::of(name.as_bytes());
    Blob { sha256, size_bytes, chunks: vec![sha256] }.into()
}

fn bundle(name: &str) -> (Sha256, Box<OfferedBundle>) {
    let launch = Blob::of(name.as_bytes());
    let (sha256, size_bytes) = (launch.sha256, launch.size_bytes);
    let files = vec![BundleFile { path: "main.jsbundle".into(), sha256, size_bytes, role: FileRole::Launch }];
    let hash = content_hash(&files);
    let bundle = OfferedBundle { engine: Engine::JavaScript, files, blobs: vec![launch.into()], variants: vec![] };
    (hash, bundle.into())
}

fn release(entry: &Value, content: Sha256) -> Release {
    let seq = seq_of(text(&entry["label"]));
    let disabled = entry["isDisabled"].as_bool().unwrap();
    let percent = entry["rollout"].as_u64().unwrap_or(100);
    Release {
        id: ReleaseId::from_parts(Timestamp::from_us(seq as i64 * 1_000), [0; 10]),
        seq,
        platform: Platform::Ios,
        target: Target::BinaryRange(text(&entry["appVersion"]).parse().unwrap()),
        content: Content::Bundle(content),
        mandatory: entry["isMandatory"].as_bool().unwrap(),
        enabled: !disabled,
        rollout: Rollout {
            state: RolloutState::Active,
            share: Ppm::new(percent as u32 * 10_000).unwrap(),
            salt: format!("salt-{seq}"),
            // There a disabled release is taken back, and one with a smaller share is not.
            retreat: if disabled { Retreat::NextColdStart } else { Retreat::Stay },
        },
        notes: text(&entry["description"]).into(),
    }
}

fn channel(history: &[Value]) -> Channel {
    let (mut releases, mut bundles, mut codepush) = (Vec::new(), Bundles::default(), CodePush::default());
    for entry in history {
        let hash = text(&entry["packageHash"]);
        let (content, bundle) = bundle(hash);
        releases.insert(0, release(entry, content));
        bundles.insert(content, bundle);
        let whole = blob(text(&entry["blobUrl"]), entry["size"].as_u64().unwrap());
        codepush.packages.entry(content).or_insert(Package { hash: Sha256::of(hash.as_bytes()), blob: whole });
        for (from, diff) in entry["diffPackageMap"].as_object().into_iter().flatten() {
            let blob = blob(text(&diff["url"]), diff["size"].as_u64().unwrap());
            codepush.diffs.push(PackageDiff { from: Sha256::of(from.as_bytes()), to: content, blob });
        }
    }
    let snapshot = ChannelSnapshot {
        key: ChannelKey {
            app: AppId::from_parts(Timestamp::from_us(1), [1; 10]),
            channel: "production".parse().unwrap(),
        },
        channel_id: ChannelId::from_parts(Timestamp::from_us(1), [1; 10]),
        version: SnapshotVersion { epoch: 1, version: 1 },
        blocked: false,
        releases,
        bundles,
        deltas: vec![],
        pins: BTreeMap::new(),
        token_keys: vec![TokenKey { generation: 1, secret: [1; 32] }],
        revoked_devices: [].into(),
        registration_closed: false,
        expo: Default::default(),
        codepush,
    };
    let encoded = proto::convert::encode_snapshot(&snapshot);
    Channel::compile(&encoded, Sha256::of(&encoded), &Interned::default()).unwrap()
}

/// Asks as a client does; `undefined` is what that server made of parameters that were missing.
fn query(request: &Value, client: Option<&str>) -> Query {
    let mut text = format!("deploymentKey=deployment-key&appVersion={}", request["appVersion"].as_str().unwrap());
    for name in ["label", "packageHash"] {
        let value = request[name].as_str().unwrap();
        if value != "undefined" {
            text += &format!("&{name}={value}");
        }
    }
    text += &format!("&isCompanion={}&clientUniqueId={}", request["isCompanion"], client.unwrap_or_default());
    Query::parse(&text).unwrap()
}

fn ask(channel: &Channel, query: &Query, spelling: Spelling) -> Value {
    let outcome = Outcome::decide(channel, Platform::Ios, query);
    serde_json::to_value(Answer { query, outcome, base: BASE, spelling }).unwrap()
}

/// Says the recorded answer in our names for packages and files.
fn expected(peer: &Value) -> Value {
    let mut peer = peer.clone();
    let url = text(&peer["downloadURL"]).to_owned();
    if !url.is_empty() {
        peer["downloadURL"] = json!(format!("{BASE}/v1/blobs/{}", Sha256::of(url.as_bytes())));
        peer["packageHash"] = json!(Sha256::of(text(&peer["packageHash"]).as_bytes()).to_hex());
    }
    peer["target_binary_range"] = peer["appVersion"].clone();
    peer
}

/// A client that is in the share of the channel's newest release, or outside of it.
fn client(channel: &Channel, is_in: bool) -> String {
    let rollout = &channel.snapshot.releases[0].rollout;
    let share = Ppm::new(rollout.share.get().clamp(1, 999_999)).unwrap();
    let mut names = (0..1_000).map(|number| format!("client-{number}"));
    names.find(|name| bucket::is_in(&rollout.salt, name, share) == is_in || rollout.share == Ppm::ALL).unwrap()
}

#[test]
fn every_recorded_request_is_answered_as_it_was() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let history = vectors["histories"][text(&case["history"])].as_array().unwrap();
        let (channel, peer) = (channel(history), &case["peer"]);
        let outside = &peer["originalPackage"];
        let inside = peer.get("rolloutPackage").unwrap_or(outside);
        let newest = channel.snapshot.releases.first();
        let shares: &[bool] = if newest.is_some() { &[true, false] } else { &[] };
        let clients = shares.iter().map(|&is_in| (Some(client(&channel, is_in)), if is_in { inside } else { outside }));
        for (client, wanted) in clients.chain([(None, outside)]) {
            let query = query(&case["request"], client.as_deref());
            let answer = ask(&channel, &query, Spelling::Camel);
            assert_eq!(answer["updateInfo"], expected(wanted), "{case} for {client:?}");
            assert_eq!(answer["updateInfo"].as_object().unwrap().len(), 11);
        }
    }
}

#[test]
fn both_spellings_say_the_same() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let channel = channel(vectors["histories"]["basic"].as_array().unwrap());
    let query = query(&vectors["cases"][0]["request"], None);
    let snake = ask(&channel, &query, Spelling::Snake);
    let info = snake["update_info"].as_object().unwrap();
    let camel = ask(&channel, &query, Spelling::Camel);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&snake["update_info"]),
        "app_version description download_url is_available is_mandatory label package_hash package_size \
         should_run_binary_version target_binary_range update_app_version"
    );
    assert_eq!(
        keys(&camel["updateInfo"]),
        "appVersion description downloadURL isAvailable isMandatory label packageHash packageSize \
         shouldRunBinaryVersion target_binary_range updateAppVersion"
    );
    let camel = &camel["updateInfo"];
    assert_eq!((&info["download_url"], &info["package_size"]), (&camel["downloadURL"], &camel["packageSize"]));
}

#[test]
fn the_version_comes_back_as_it_was_written() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let channel = channel(vectors["histories"]["basic"].as_array().unwrap());
    for version in ["1.0", "v1.0.0", "1", "1.0.0"] {
        let query = Query::parse(&format!("deployment_key=deployment-key&app_version={version}")).unwrap();
        let info = &ask(&channel, &query, Spelling::Snake)["update_info"];
        assert_eq!((&info["is_available"], &info["app_version"]), (&json!(true), &json!(version)));
        assert_eq!(info["target_binary_range"], version);
    }
}

#[test]
fn where_a_bundle_was_released_twice_the_label_says_what_was_skipped() {
    let entry = |seq: u64, hash: &str, mandatory: bool| {
        json!({"label": format!("v{seq}"), "packageHash": hash, "appVersion": "1.0.0", "blobUrl": format!("B{hash}"),
            "size": 10, "description": "", "isDisabled": false, "isMandatory": mandatory, "rollout": null})
    };
    let channel = channel(&[entry(1, "h1", false), entry(2, "h2", true), entry(3, "h1", false), entry(4, "h4", false)]);
    let mandatory = |label: &str| {
        let text = format!("deployment_key=deployment-key&app_version=1.0.0&package_hash=h1&label={label}");
        ask(&channel, &Query::parse(&text).unwrap(), Spelling::Snake)["update_info"]["is_mandatory"].as_bool().unwrap()
    };
    assert!(mandatory("v1") && mandatory("v9"));
    assert!(!mandatory("v3") && !mandatory(""));
}

#[test]
fn while_a_release_is_packed_devices_hear_what_they_heard_before() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for history in vectors["histories"].as_object().unwrap().values() {
        let history = history.as_array().unwrap();
        let Some(((newest, before), hash)) = history.split_last().map(|split| (split, text(&split.0["packageHash"])))
        else {
            continue;
        };
        if before.iter().any(|entry| text(&entry["packageHash"]) == hash) {
            continue;
        }
        let mut packing = channel(history);
        let content = packing.snapshot.releases[0].content;
        packing.snapshot.codepush.packages.retain(|packed, _| Content::Bundle(*packed) != content);
        let before = channel(before);
        for label in ["undefined", "v1", "v2", "v9"] {
            if label == text(&newest["label"]) {
                continue;
            }
            let request =
                json!({"appVersion": "1.0.0", "label": label, "packageHash": "undefined", "isCompanion": false});
            let query = query(&request, Some("client-1"));
            let answers = [&packing, &before].map(|channel| ask(channel, &query, Spelling::Snake));
            assert_eq!(answers[0], answers[1], "{label} of {history:?}");
        }
    }
}
