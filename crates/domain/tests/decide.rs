//! This file's job is to compare decisions with those of an oracle that somebody else could have written.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use domain::Sha256;
use domain::decide::{Decision, UpdateCheck, decide};
use domain::id::{AppId, ChannelId, ReleaseId};
use domain::ppm::Ppm;
use domain::release::{Content, Release, Rollout};
use domain::snapshot::{ChannelKey, ChannelSnapshot, SnapshotVersion};
use domain::target::Target;
use domain::time::Timestamp;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/oracle.py");
/// The oracle's decisions on `make 1 300 8`. They never change: edges and control planes of different versions must agree.
const VECTORS: &str = include_str!("vectors/decide.jsonl");

fn oracle(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("python3");
    command.arg(ORACLE).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A broken pipe shows in the oracle's own words.
    let _ = writer.join().unwrap();
    output
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn content(value: &Value) -> Content {
    value.as_u64().map_or(Content::Embedded, |number| Content::Bundle(hash(number)))
}

fn hash(number: u64) -> Sha256 {
    Sha256::of(&number.to_be_bytes())
}

fn release_id(seq: u64) -> ReleaseId {
    ReleaseId::from_parts(Timestamp::from_us(seq.cast_signed() * 1_000), [0; 10])
}

fn release(value: &Value) -> Release {
    let seq = value[0].as_u64().unwrap();
    let target = match text(&value[2]) {
        "binary" => Target::BinaryRange(text(&value[3]).parse().unwrap()),
        "runtime" => Target::RuntimeVersion(text(&value[3]).parse().unwrap()),
        other => panic!("{other} is no kind of target"),
    };
    Release {
        id: release_id(seq),
        seq,
        platform: text(&value[1]).parse().unwrap(),
        target,
        content: content(&value[4]),
        mandatory: value[5].as_bool().unwrap(),
        enabled: value[6].as_bool().unwrap(),
        rollout: Rollout {
            state: text(&value[7]).parse().unwrap(),
            share: Ppm::new(value[8].as_u64().unwrap().try_into().unwrap()).unwrap(),
            salt: text(&value[9]).to_owned(),
            retreat: text(&value[10]).parse().unwrap(),
        },
        notes: String::new(),
    }
}

fn snapshot(value: &Value) -> ChannelSnapshot {
    let pins = value["pins"].as_object().unwrap().iter();
    ChannelSnapshot {
        key: ChannelKey {
            app: AppId::from_parts(Timestamp::from_us(1), [1; 10]),
            channel: "production".parse().unwrap(),
        },
        channel_id: ChannelId::from_parts(Timestamp::from_us(1), [2; 10]),
        version: SnapshotVersion { epoch: 1, version: 1 },
        blocked: value["blocked"].as_bool().unwrap(),
        releases: value["releases"].as_array().unwrap().iter().map(release).collect(),
        bundles: Default::default(),
        deltas: Vec::new(),
        pins: pins.map(|(device, seq)| (device.parse().unwrap(), release_id(seq.as_u64().unwrap()))).collect(),
        token_keys: Vec::new(),
        revoked_devices: [].into(),
        registration_closed: false,
        codepush: Default::default(),
        expo: Default::default(),
    }
}

fn check(value: &Value) -> UpdateCheck {
    UpdateCheck {
        device: text(&value[0]).parse().unwrap(),
        platform: text(&value[1]).parse().unwrap(),
        binary_version: value[2].as_str().map(|version| version.parse().unwrap()),
        runtime_version: value[3].as_str().map(|version| version.parse().unwrap()),
        current: value[4].as_u64().map(hash),
    }
}

fn decided(snapshot: &ChannelSnapshot, check: &UpdateCheck) -> String {
    match decide(snapshot, check) {
        Decision::Update { release, install, mandatory } => {
            let weight = if mandatory { "mandatory" } else { "optional" };
            format!("update {} {install} {weight}", snapshot.releases[release].seq)
        }
        Decision::Embedded { install } => format!("embedded {install}"),
        Decision::Nothing(reason) => format!("nothing {reason}"),
    }
}

/// Returns how many decisions agree; panics at the first that does not.
fn compare(vectors: &str, origin: &str) -> usize {
    let mut compared = 0;
    for line in vectors.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let snapshot = snapshot(&value);
        for expected in value["checks"].as_array().unwrap() {
            assert_eq!(decided(&snapshot, &check(expected)), text(&expected[5]), "{origin}: {expected} of {line}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn recorded_decisions_never_change() {
    assert_eq!(compare(VECTORS, "recorded"), 2_400);
}

#[test]
fn the_oracle_still_says_what_was_recorded() {
    let output = oracle(&["check"], VECTORS);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2400 agreed, 0 different\n");
    assert!(output.status.success());
}

#[test]
fn the_oracle_notices_one_wrong_decision() {
    let wrong = VECTORS.replacen("nothing no-match", "nothing stays", 1);
    let output = oracle(&["check"], &wrong);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2399 agreed, 1 different\n");
    assert!(!output.status.success());
}

#[test]
fn fresh_random_channels_are_decided_as_the_oracle_does() {
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let output = oracle(&["make", &seed.to_string(), "500", "20"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(compare(std::str::from_utf8(&output.stdout).unwrap(), &format!("seed {seed}")), 10_000);
}
