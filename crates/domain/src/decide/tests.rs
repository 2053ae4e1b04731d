//! This file's job is to state the rules of decisions as tests.

use super::*;
use crate::release::Rollout;
use crate::snapshot::{ChannelKey, SnapshotVersion};
use crate::time::Timestamp;
use proptest::prelude::*;

fn hash(seq: u64) -> Sha256 {
    Sha256::of(&seq.to_be_bytes())
}

fn release(seq: u64) -> Release {
    Release {
        id: ReleaseId::from_parts(Timestamp::from_us(seq as i64 * 1_000), [0; 10]),
        seq,
        platform: Platform::Android,
        target: Target::BinaryRange("1.x".parse().unwrap()),
        content: Content::Bundle(hash(seq)),
        mandatory: false,
        enabled: true,
        rollout: Rollout {
            state: RolloutState::Active,
            share: Ppm::ALL,
            salt: format!("salt{seq}"),
            retreat: Retreat::Stay,
        },
        notes: String::new(),
    }
}

/// A snapshot of the releases, given oldest first.
fn snapshot(mut releases: Vec<Release>) -> ChannelSnapshot {
    releases.reverse();
    ChannelSnapshot {
        key: ChannelKey {
            app: crate::id::AppId::from_parts(Timestamp::from_us(1), [1; 10]),
            channel: "production".parse().unwrap(),
        },
        channel_id: crate::id::ChannelId::from_parts(Timestamp::from_us(1), [2; 10]),
        version: SnapshotVersion { epoch: 1, version: 1 },
        blocked: false,
        releases,
        bundles: Default::default(),
        deltas: Vec::new(),
        pins: Default::default(),
        token_keys: Vec::new(),
        revoked_devices: [].into(),
        registration_closed: false,
        codepush: Default::default(),
        expo: Default::default(),
    }
}

fn check(current: Option<u64>) -> UpdateCheck {
    UpdateCheck {
        device: "device-1".parse().unwrap(),
        platform: Platform::Android,
        binary_version: Some("1.4.0".parse().unwrap()),
        runtime_version: None,
        current: current.map(hash),
    }
}

fn offered(snapshot: &ChannelSnapshot, decision: Decision) -> Option<u64> {
    match decision {
        Decision::Update { release, .. } => Some(snapshot.releases[release].seq),
        Decision::Embedded { .. } | Decision::Nothing(_) => None,
    }
}

fn with(mut release: Release, change: impl FnOnce(&mut Release)) -> Release {
    change(&mut release);
    release
}

#[test]
fn the_newest_matching_release_is_offered() {
    let snapshot = snapshot(vec![release(1), release(2), with(release(3), |r| r.platform = Platform::Ios)]);
    assert_eq!(offered(&snapshot, decide(&snapshot, &check(None))), Some(2));
    assert_eq!(decide(&snapshot, &check(Some(2))), Decision::Nothing(NothingReason::UpToDate));
}

#[test]
fn a_release_without_a_package_is_passed_over_and_kept_by_who_runs_it() {
    let first = with(release(1), |r| r.mandatory = true);
    let snapshot = snapshot(vec![first, with(release(2), |r| r.rollout.retreat = Retreat::Now)]);
    let package = Package { hash: hash(1), blob: crate::bundle::Blob::of(b"package").into() };
    let packages = BTreeMap::from([(hash(1), package)]);
    let ask = |running: Option<u64>, packages| {
        decide_in(&snapshot, &check(running), Dialect { running_seq: running, packages, ..Dialect::default() })
    };
    assert_eq!(offered(&snapshot, ask(None, None)), Some(2), "other clients need no package");
    assert_eq!(offered(&snapshot, ask(None, Some(&packages))), Some(1));
    assert_eq!(ask(Some(2), Some(&packages)), Decision::Nothing(NothingReason::UpToDate));
    assert_eq!(ask(None, Some(&BTreeMap::new())), Decision::Nothing(NothingReason::NotOffered));
}

#[test]
fn other_binaries_get_nothing() {
    let snapshot = snapshot(vec![release(1)]);
    let mut other = check(None);
    other.binary_version = Some("2.0.0".parse().unwrap());
    assert_eq!(decide(&snapshot, &other), Decision::Nothing(NothingReason::NoMatch));
    other.binary_version = None;
    assert_eq!(decide(&snapshot, &other), Decision::Nothing(NothingReason::NoMatch));
}

#[test]
fn a_device_outside_the_share_gets_the_release_before() {
    let narrow = with(release(2), |r| r.rollout.share = Ppm::NONE);
    let snapshot = snapshot(vec![release(1), narrow]);
    assert_eq!(offered(&snapshot, decide(&snapshot, &check(None))), Some(1));
    assert_eq!(decide(&snapshot, &check(Some(1))), Decision::Nothing(NothingReason::UpToDate));
}

#[test]
fn lowering_a_share_leaves_devices_where_they_are_unless_asked() {
    for (retreat, expected) in [
        (Retreat::Stay, Decision::Nothing(NothingReason::Stays)),
        (Retreat::NextColdStart, Decision::Update { release: 1, install: Install::NextColdStart, mandatory: false }),
        (Retreat::Now, Decision::Update { release: 1, install: Install::Now, mandatory: false }),
    ] {
        let lowered = with(release(2), |r| {
            r.rollout.share = Ppm::NONE;
            r.rollout.retreat = retreat;
        });
        let snapshot = snapshot(vec![release(1), lowered]);
        assert_eq!(decide(&snapshot, &check(Some(2))), expected, "{retreat}");
    }
}

#[test]
fn with_nothing_older_to_offer_a_retreat_leads_to_the_embedded_bundle() {
    let pulled = with(release(1), |r| {
        r.enabled = false;
        r.rollout.retreat = Retreat::Now;
    });
    let snapshot = snapshot(vec![pulled]);
    assert_eq!(decide(&snapshot, &check(Some(1))), Decision::Embedded { install: Install::Now });
    assert_eq!(decide(&snapshot, &check(None)), Decision::Nothing(NothingReason::NotOffered));
}

#[test]
fn a_paused_rollout_takes_nobody_in_and_throws_nobody_out() {
    let paused = with(release(2), |r| r.rollout.state = RolloutState::Paused);
    let snapshot = snapshot(vec![release(1), paused]);
    assert_eq!(offered(&snapshot, decide(&snapshot, &check(Some(1)))), None);
    assert_eq!(offered(&snapshot, decide(&snapshot, &check(None))), Some(1));
    assert_eq!(decide(&snapshot, &check(Some(2))), Decision::Nothing(NothingReason::Stays));
}

#[test]
fn a_rollback_offers_old_content_under_a_new_number() {
    let back = with(release(3), |r| r.content = Content::Bundle(hash(1)));
    let snapshot = snapshot(vec![release(1), release(2), back]);
    assert_eq!(offered(&snapshot, decide(&snapshot, &check(Some(2)))), Some(3));
    assert_eq!(decide(&snapshot, &check(Some(1))), Decision::Nothing(NothingReason::UpToDate));
}

#[test]
fn a_rollback_to_embedded_only_concerns_devices_with_a_download() {
    let back = with(release(2), |r| r.content = Content::Embedded);
    let snapshot = snapshot(vec![release(1), back]);
    assert_eq!(decide(&snapshot, &check(Some(1))), Decision::Embedded { install: Install::NextRestart });
    assert_eq!(decide(&snapshot, &check(None)), Decision::Nothing(NothingReason::UpToDate));
}

#[test]
fn a_skipped_mandatory_release_makes_the_update_mandatory() {
    let mandatory = with(release(2), |r| r.mandatory = true);
    let snapshot = snapshot(vec![release(1), mandatory, release(3)]);
    assert_eq!(
        decide(&snapshot, &check(Some(1))),
        Decision::Update { release: 0, install: Install::Now, mandatory: true }
    );
    assert_eq!(
        decide(&snapshot, &check(Some(2))),
        Decision::Update { release: 0, install: Install::NextRestart, mandatory: false }
    );
}

#[test]
fn a_pin_wins_over_buckets_and_pauses_but_not_over_binaries_or_disabling() {
    let narrow = with(release(2), |r| r.rollout.share = Ppm::NONE);
    let mut pinned = snapshot(vec![release(1), narrow, release(3)]);
    pinned.pins.insert("device-1".parse().unwrap(), pinned.releases[1].id.clone());
    assert_eq!(offered(&pinned, decide(&pinned, &check(None))), Some(2));
    assert_eq!(offered(&pinned, decide(&pinned, &check(Some(3)))), Some(2));
    pinned.releases[1].enabled = false;
    assert_eq!(offered(&pinned, decide(&pinned, &check(None))), Some(3));
}

#[test]
fn a_blocked_channel_offers_nothing() {
    let mut blocked = snapshot(vec![release(1)]);
    blocked.blocked = true;
    assert_eq!(decide(&blocked, &check(None)), Decision::Nothing(NothingReason::Blocked));
}

#[test]
fn explain_decides_alike_and_names_each_release_it_looked_at() {
    let snapshot = snapshot(vec![release(1), with(release(2), |r| r.enabled = false)]);
    let (decision, steps) = explain(&snapshot, &check(None));
    assert_eq!(decision, decide(&snapshot, &check(None)));
    let verdicts: Vec<Verdict> = steps.iter().map(|step| step.verdict).collect();
    assert_eq!(verdicts, [Verdict::Disabled, Verdict::InRollout]);
}

prop_compose! {
    fn any_release(seq: u64)(
        ios in any::<bool>(), range in 0..3, embedded in 0..8, same_as in 1..=seq, mandatory in any::<bool>(), enabled in any::<bool>(),
        paused in 0..4, share in prop_oneof![Just(0_u32), Just(1_000_000), 0..=1_000_000_u32], retreat in 0..3_usize,
    ) -> Release {
        with(release(seq), |r| {
            r.platform = if ios { Platform::Ios } else { Platform::Android };
            r.target = Target::BinaryRange(["1.x", "2.x", "*"][range as usize].parse().unwrap());
            r.content = if embedded == 0 { Content::Embedded } else { Content::Bundle(hash(same_as)) };
            r.mandatory = mandatory;
            r.enabled = enabled;
            r.rollout.state = if paused == 0 { RolloutState::Paused } else { RolloutState::Active };
            r.rollout.share = Ppm::new(share).unwrap();
            r.rollout.retreat = Retreat::ALL[retreat];
        })
    }
}

fn any_snapshot() -> impl Strategy<Value = ChannelSnapshot> {
    (1..8_u64).prop_flat_map(|count| (1..=count).map(any_release).collect::<Vec<_>>()).prop_map(snapshot)
}

proptest! {
    #[test]
    fn a_device_never_gets_what_it_cannot_run_and_settles_after_one_change(snapshot in any_snapshot(), current in proptest::option::of(1..9_u64)) {
        let mut check = check(current);
        if let Decision::Update { release, .. } = decide(&snapshot, &check) {
            let given = &snapshot.releases[release];
            prop_assert!(given.enabled && given.platform == Platform::Android);
            prop_assert!(given.target.accepts(check.binary_version.as_ref(), None));
            let Content::Bundle(hash) = given.content else { return Err(TestCaseError::fail("an update without a bundle")) };
            prop_assert_ne!(check.current, Some(hash));
            check.current = Some(hash);
            prop_assert_eq!(decide(&snapshot, &check), Decision::Nothing(NothingReason::UpToDate));
        }
    }

    #[test]
    fn what_is_offered_is_always_in_the_offerable_set(snapshot in any_snapshot(), current in proptest::option::of(1..9_u64), pin in 0..8_usize) {
        let mut snapshot = snapshot;
        if let Some(release) = snapshot.releases.get(pin) {
            snapshot.pins.insert("device-1".parse().unwrap(), release.id.clone());
        }
        let offerable = crate::snapshot::offerable(&snapshot.releases, snapshot.pins.values());
        if let Decision::Update { release, .. } = decide(&snapshot, &check(current)) {
            let Content::Bundle(hash) = snapshot.releases[release].content else { return Err(TestCaseError::fail("an update without a bundle")) };
            prop_assert!(offerable.contains(&hash));
        }
    }

    #[test]
    fn explain_and_decide_agree(snapshot in any_snapshot(), current in proptest::option::of(1..9_u64)) {
        prop_assert_eq!(explain(&snapshot, &check(current)).0, decide(&snapshot, &check(current)));
    }
}
