//! This file's job is to compare what a live edge answers to random devices with what the decision says, over random channels.

use crate::harness::{RunningEdge, World, until};
use crate::samples;
use domain::decide::{Decision, UpdateCheck, decide};
use domain::release::{Content, Release, Retreat, RolloutState};
use domain::snapshot::ChannelSnapshot;
use domain::{Platform, Ppm, Sha256};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Enough to meet every kind of decision many times; more with `ALOFT_FAULTS_ROUNDS`.
const REQUESTS_PER_ROUND: u64 = 1_000;
const CHANNELS: u64 = 10;
const DEVICES: usize = 20;
/// Requests on their way at the same time.
const AT_ONCE: usize = 8;
const BUNDLES: u64 = 4;
const VERSIONS: [&str; 4] = ["0.9.0", "1.0.0", "1.4.0-beta.1", "2.1"];
const RANGES: [&str; 5] = ["1.x", "*", ">=1.2.0", "<1.0.0", "1.0.0 || 2.x"];

/// A random choice that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn is(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

struct Device {
    id: String,
    token: String,
}

fn number(variable: &str) -> u64 {
    std::env::var(variable).map_or(1, |text| text.parse().unwrap())
}

fn bundle_hash(number: u64) -> Sha256 {
    samples::bundle(format!("launch {number}").as_bytes(), b"logo").0
}

fn random_release(dice: &mut Dice, seq: u64) -> Release {
    let content = if dice.is(6) { Content::Embedded } else { Content::Bundle(bundle_hash(dice.below(BUNDLES))) };
    let mut release = samples::release(seq, content);
    release.platform = dice.pick(Platform::ALL);
    release.target = if dice.is(4) {
        domain::target::Target::RuntimeVersion("fingerprint".parse().unwrap())
    } else {
        domain::target::Target::BinaryRange(dice.pick(&RANGES).parse().unwrap())
    };
    release.mandatory = dice.is(4);
    release.enabled = !dice.is(5);
    release.rollout.state = if dice.is(5) { RolloutState::Paused } else { RolloutState::Active };
    release.rollout.share = Ppm::new(dice.pick(&[0, 100_000, 500_000, 900_000, 1_000_000])).unwrap();
    release.rollout.retreat = dice.pick(&[Retreat::Stay, Retreat::NextColdStart, Retreat::Now]);
    release
}

fn random_channel(dice: &mut Dice, version: u64, devices: &[Device]) -> ChannelSnapshot {
    let mut snapshot = samples::empty(1, version);
    snapshot.blocked = dice.is(20);
    snapshot.releases = (1..=dice.below(8)).rev().map(|seq| random_release(dice, seq)).collect();
    snapshot.bundles =
        (0..BUNDLES).map(|number| samples::bundle(format!("launch {number}").as_bytes(), b"logo")).collect();
    for device in devices {
        if dice.is(5) && !snapshot.releases.is_empty() {
            let release = &snapshot.releases[dice.below(snapshot.releases.len() as u64) as usize];
            snapshot.pins.insert(device.id.parse().unwrap(), release.id.clone());
        }
    }
    snapshot
}

/// What the answer must say, of what depends on the decision.
fn expected(snapshot: &ChannelSnapshot, decision: Decision) -> Value {
    match decision {
        Decision::Nothing(reason) => json!({"action": "none", "reason": reason.as_str()}),
        Decision::Embedded { install } => json!({"action": "embedded", "install": install.as_str()}),
        Decision::Update { release, install, mandatory } => {
            let release = &snapshot.releases[release];
            let Content::Bundle(bundle) = release.content else { panic!("an update without a bundle") };
            json!({
                "action": "update", "release_id": release.id, "seq": release.seq, "mandatory": mandatory,
                "install": install.as_str(), "bundle": bundle,
            })
        }
    }
}

/// The same of an answer.
fn said(answer: &Value) -> Value {
    match answer["action"].as_str() {
        Some("none") => json!({"action": "none", "reason": answer["reason"]}),
        Some("embedded") => json!({"action": "embedded", "install": answer["install"]}),
        _ => {
            let update = &answer["update"];
            json!({
                "action": answer["action"], "release_id": update["release_id"], "seq": update["seq"],
                "mandatory": update["mandatory"], "install": update["install"], "bundle": update["bundle"]["sha256"],
            })
        }
    }
}

/// A random request of the device: its query, and the same for the decision.
fn random_request(dice: &mut Dice, snapshot: &ChannelSnapshot, device: &Device) -> (String, UpdateCheck) {
    let current = match dice.below(BUNDLES + 2) {
        none if none == BUNDLES => None,
        foreign if foreign > BUNDLES => Some(Sha256::of(b"of another channel")),
        known => Some(bundle_hash(known)),
    };
    let (platform, version) = (dice.pick(Platform::ALL), dice.pick(&VERSIONS));
    let runtime = dice.is(2).then_some("fingerprint");
    let key = &snapshot.key;
    let mut path =
        format!("/v1/updates?app={}&channel={}&platform={}&binary={version}", key.app, key.channel, platform.as_str());
    path += &runtime.map_or_else(String::new, |runtime| format!("&runtime={runtime}"));
    path += &current.map_or_else(String::new, |current| format!("&current={current}"));
    let check = UpdateCheck {
        device: device.id.parse().unwrap(),
        platform,
        binary_version: Some(version.parse().unwrap()),
        runtime_version: runtime.map(|runtime| runtime.parse().unwrap()),
        current,
    };
    (path, check)
}

/// What was compared.
#[derive(Default)]
struct Tally {
    requests: u64,
    wrong: u64,
    kinds: BTreeMap<String, u64>,
    /// Answers that differ from what is decided from the snapshot before: the control, which must be noticed.
    noticed: u64,
}

impl Tally {
    fn add(&mut self, [before, snapshot]: [&ChannelSnapshot; 2], check: &UpdateCheck, answer: &Value, path: &str) {
        let wanted = expected(snapshot, decide(snapshot, check));
        let version = snapshot.version.version;
        self.requests += 1;
        if said(answer) != wanted || answer["snapshot"]["version"] != version {
            println!("version {version}, {path}: {answer} is not {wanted}");
            self.wrong += 1;
        }
        *self.kinds.entry(format!("{} {}", wanted["action"], wanted["reason"])).or_default() += 1;
        self.noticed += u64::from(said(answer) != expected(before, decide(before, check)));
    }

    /// Writes down what `./x faults` reads.
    fn write(&self, seconds: f64) {
        let Some(folder) = std::env::var_os("ALOFT_FAULTS_FOLDER") else { return };
        let line = json!({
            "fault": "random devices at a live edge", "injected": self.requests, "lost": 0, "wrong": self.wrong,
            "seconds": seconds, "control": "deciding from the newest snapshot", "control_seen": self.noticed > 0,
        });
        std::fs::write(PathBuf::from(folder).join("random-devices.json"), line.to_string()).unwrap();
    }
}

async fn register(edge: &RunningEdge, number: usize) -> Device {
    let json = edge.register(&samples::empty(1, 1), &format!("nonce-of-the-device-no-{number:04}")).await.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    Device { id: text("device_id"), token: text("token") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_edge_answers_random_devices_as_it_is_decided() {
    let (rounds, seed) = (number("ALOFT_FAULTS_ROUNDS"), number("ALOFT_FAULTS_SEED"));
    println!("{rounds} rounds of {REQUESTS_PER_ROUND} requests, seed {seed}");
    let (mut dice, mut tally, begun) = (Dice(seed), Tally::default(), Instant::now());
    let mut before = samples::empty(1, 1);
    let (world, _server, edge) = World::serving(&before).await;
    let devices: Vec<Device> = futures::stream::iter(0..DEVICES).then(|number| register(&edge, number)).collect().await;
    for version in 2..2 + rounds * CHANNELS {
        let snapshot = random_channel(&mut dice, version, &devices);
        world.control_plane.publish(&snapshot).await;
        let is_acked = |ack: &proto::v1::SyncAck| ack.version.is_some_and(|it| it.version == version);
        until("the edge uses it", || world.control_plane.acks().last().is_some_and(is_acked)).await;
        let requests = (0..REQUESTS_PER_ROUND / CHANNELS).map(|_| {
            let device = &devices[dice.below(DEVICES as u64) as usize];
            let ((path, check), bearer) =
                (random_request(&mut dice, &snapshot, device), format!("Bearer {}", device.token));
            let edge = &edge;
            async move { (edge.client.get(&path, &[("authorization", &bearer)]).await.json(), check, path) }
        });
        let requests: Vec<_> = requests.collect();
        let answers: Vec<_> = futures::stream::iter(requests).buffer_unordered(AT_ONCE).collect().await;
        for (answer, check, path) in answers {
            tally.add([&before, &snapshot], &check, &answer, &path);
        }
        before = snapshot;
    }
    println!("{} compared, {} different, {:?}", tally.requests, tally.wrong, tally.kinds);
    tally.write(begun.elapsed().as_secs_f64());
    assert_eq!(tally.wrong, 0, "seed {seed}");
    assert!(tally.kinds.len() >= 6, "not every kind of decision was met: {:?}", tally.kinds);
    assert!(tally.noticed > 0, "answers from the snapshot before would not be noticed");
    edge.stop().await;
}
