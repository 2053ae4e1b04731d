//! This file's job is to decide what a device gets. It is the only place where that is decided.
//!
//! Releases are looked at newest first; the first one that fits the device's binary and takes the device in is the candidate. A
//! device is never dragged from a newer release to an older one unless the operator chose so for the newer one (see [`Retreat`]).

use crate::bucket;
use crate::codepush::Package;
use crate::device::DeviceKey;
use crate::hash::Sha256;
use crate::id::ReleaseId;
use crate::name::Platform;
use crate::ppm::Ppm;
use crate::release::{Content, Release, Retreat, RolloutState};
use crate::snapshot::ChannelSnapshot;
use crate::target::{BinaryVersion, RuntimeVersion, Target};
use crate::text_enum::text_enum;
use std::collections::BTreeMap;

/// What a device says when it asks for an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateCheck {
    /// The name under which the device is bucketed and pinned.
    pub device: DeviceKey,
    /// What it runs on.
    pub platform: Platform,
    /// The version of its native binary.
    pub binary_version: Option<BinaryVersion>,
    /// The runtime version of its native binary.
    pub runtime_version: Option<RuntimeVersion>,
    /// Content hash of the downloaded bundle that it runs; none while it runs the embedded one.
    pub current: Option<Sha256>,
}

/// What the clients of other protocols say otherwise. The default is our own protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect<'a> {
    /// The `seq` of the release that the device says it runs, which need not exist. Then the hash says only what it has, not where in the
    /// channel's history it stands: one bundle may have been released twice.
    pub running_seq: Option<u64>,
    /// The device takes what is for other versions of its binary, too.
    pub any_binary: bool,
    /// The device has no name, so it is in no share but the whole.
    pub nameless: bool,
    /// The device takes packages: a release without one is not there for it yet. What it runs stays what it is to get.
    pub packages: Option<&'a BTreeMap<Sha256, Package>>,
}

impl Dialect<'_> {
    /// Says whether the device could download the release now.
    fn has(self, release: &Release) -> bool {
        match (self.packages, release.content) {
            (Some(packages), Content::Bundle(content)) => packages.contains_key(&content),
            (Some(_), Content::Embedded) | (None, _) => true,
        }
    }
}

text_enum! {
    /// When the device makes the change.
    pub enum Install {
        /// When the app is next brought up.
        NextRestart => "next-restart",
        /// When the app is next started from nothing.
        NextColdStart => "next-cold-start",
        /// As soon as the bytes are there.
        Now => "now",
    }
}

text_enum! {
    /// Why a device gets nothing.
    pub enum NothingReason {
        /// The channel is blocked.
        Blocked => "blocked",
        /// It runs what it would get.
        UpToDate => "up-to-date",
        /// It runs a release that is no longer offered to it and may keep it.
        Stays => "stays",
        /// No release is for its platform and binary.
        NoMatch => "no-match",
        /// Releases match, but none takes it in.
        NotOffered => "not-offered",
    }
}

/// What a device gets. `release` is an index into the snapshot's releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A bundle.
    Update {
        /// Index of the release in the snapshot.
        release: usize,
        /// When to change over.
        install: Install,
        /// Whether this release, or one that the device skips, is mandatory.
        mandatory: bool,
    },
    /// Back to the bundle that came with the binary.
    Embedded {
        /// When to change over.
        install: Install,
    },
    /// Nothing.
    Nothing(NothingReason),
}

text_enum! {
    /// Why one release was taken or passed over.
    pub enum Verdict {
        /// The device is pinned to it.
        Pinned => "pinned",
        /// The device's bucket lies in its share.
        InRollout => "in-rollout",
        /// It is for another platform.
        OtherPlatform => "other-platform",
        /// It is for other binaries.
        OtherBinary => "other-binary",
        /// It is disabled.
        Disabled => "disabled",
        /// Its rollout is paused.
        Paused => "paused",
        /// The device's bucket lies outside its share.
        OutsideShare => "outside-share",
    }
}

/// One line of the reasons behind a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The release that was looked at.
    pub release: ReleaseId,
    /// Why it was taken or passed over.
    pub verdict: Verdict,
    /// The device's bucket under the release's salt.
    pub bucket: u32,
}

/// Decides what the device gets. Pure and total.
#[must_use]
pub fn decide(snapshot: &ChannelSnapshot, check: &UpdateCheck) -> Decision {
    decide_in(snapshot, check, Dialect::default())
}

/// Decides what a device gets that speaks another protocol. Pure and total.
#[must_use]
pub fn decide_in(snapshot: &ChannelSnapshot, check: &UpdateCheck, dialect: Dialect<'_>) -> Decision {
    evaluate(snapshot, check, dialect, |_, _| ())
}

/// Returns the newest release that the device would get if its binary had another version.
#[must_use]
pub fn newest_for_any_binary<'a>(
    snapshot: &'a ChannelSnapshot,
    check: &UpdateCheck,
    dialect: Dialect<'_>,
) -> Option<&'a Release> {
    let dialect = Dialect { any_binary: true, ..dialect };
    let offers = |release: &&Release| judge(release, check, dialect) == Verdict::InRollout && dialect.has(release);
    snapshot.releases.iter().find(offers).filter(|_| !snapshot.blocked)
}

/// Decides what the device gets and says why, one step for each release that was looked at.
#[must_use]
pub fn explain(snapshot: &ChannelSnapshot, check: &UpdateCheck) -> (Decision, Vec<Step>) {
    let mut steps = Vec::new();
    let decision = evaluate(snapshot, check, Dialect::default(), |release, verdict| {
        let bucket = bucket::bucket(&release.rollout.salt, check.device.as_str());
        steps.push(Step { release: release.id.clone(), verdict, bucket });
    });
    (decision, steps)
}

fn evaluate(
    snapshot: &ChannelSnapshot,
    check: &UpdateCheck,
    dialect: Dialect<'_>,
    mut note: impl FnMut(&Release, Verdict),
) -> Decision {
    if snapshot.blocked {
        return Decision::Nothing(NothingReason::Blocked);
    }
    let releases = &snapshot.releases;
    let running =
        releases.iter().find(|release| release.platform == check.platform && is_running(release, check, dialect));
    let mut matched = false;
    if let Some(index) = pinned(snapshot, check, dialect, &mut note) {
        return change_to(releases, Candidate { index, pinned: true }, running, (check, dialect));
    }
    let candidate = releases.iter().position(|release| {
        let verdict = judge(release, check, dialect);
        note(release, verdict);
        matched |= !matches!(verdict, Verdict::OtherPlatform | Verdict::OtherBinary);
        let is_running = running.is_some_and(|running| running.seq == release.seq);
        verdict == Verdict::InRollout && (dialect.has(release) || is_running)
    });
    match candidate {
        Some(index) if !dialect.has(&releases[index]) => Decision::Nothing(NothingReason::UpToDate),
        Some(index) => change_to(releases, Candidate { index, pinned: false }, running, (check, dialect)),
        None => leave(running, matched),
    }
}

fn is_running(release: &Release, check: &UpdateCheck, dialect: Dialect<'_>) -> bool {
    if let Some(seq) = dialect.running_seq {
        return release.seq == seq;
    }
    match release.content {
        Content::Bundle(hash) => check.current == Some(hash),
        Content::Embedded => false,
    }
}

/// Returns the release that the device is pinned to, when that one may run on it.
fn pinned(
    snapshot: &ChannelSnapshot,
    check: &UpdateCheck,
    dialect: Dialect<'_>,
    note: &mut impl FnMut(&Release, Verdict),
) -> Option<usize> {
    let wanted = snapshot.pins.get(&check.device).filter(|_| !dialect.nameless)?;
    let is_wanted = |release: &Release| release.id == *wanted && dialect.has(release);
    let index = snapshot.releases.iter().position(is_wanted)?;
    let release = &snapshot.releases[index];
    let verdict = match judge(release, check, dialect) {
        Verdict::InRollout | Verdict::Paused | Verdict::OutsideShare | Verdict::Pinned => Verdict::Pinned,
        verdict @ (Verdict::OtherPlatform | Verdict::OtherBinary | Verdict::Disabled) => verdict,
    };
    note(release, verdict);
    (verdict == Verdict::Pinned).then_some(index)
}

fn judge(release: &Release, check: &UpdateCheck, dialect: Dialect<'_>) -> Verdict {
    let fits = release.target.accepts(check.binary_version.as_ref(), check.runtime_version.as_ref())
        || (dialect.any_binary && matches!(release.target, Target::BinaryRange(_)));
    let share = if dialect.nameless && release.rollout.share != Ppm::ALL { Ppm::NONE } else { release.rollout.share };
    if release.platform != check.platform {
        Verdict::OtherPlatform
    } else if !fits {
        Verdict::OtherBinary
    } else if !release.enabled {
        Verdict::Disabled
    } else if release.rollout.state == RolloutState::Paused {
        Verdict::Paused
    } else if bucket::is_in(&release.rollout.salt, check.device.as_str(), share) {
        Verdict::InRollout
    } else {
        Verdict::OutsideShare
    }
}

struct Candidate {
    index: usize,
    pinned: bool,
}

/// The device is offered the candidate: says whether it changes, and how.
fn change_to(
    releases: &[Release],
    offer: Candidate,
    running: Option<&Release>,
    (check, dialect): (&UpdateCheck, Dialect<'_>),
) -> Decision {
    let candidate = &releases[offer.index];
    let unchanged = match candidate.content {
        Content::Bundle(hash) => check.current == Some(hash),
        Content::Embedded => check.current.is_none(),
    };
    if unchanged {
        return Decision::Nothing(NothingReason::UpToDate);
    }
    let retreat = running.filter(|running| running.seq > candidate.seq).map(|running| running.rollout.retreat);
    let mandatory = retreat.is_none() && skips_mandatory(releases, candidate, running, (check, dialect));
    let install = match retreat {
        // A pin is an operator's explicit word, so it takes a device back even where the rollout would not.
        Some(Retreat::Stay) if !offer.pinned => return Decision::Nothing(NothingReason::Stays),
        Some(Retreat::Stay) => Install::NextRestart,
        Some(Retreat::NextColdStart) => Install::NextColdStart,
        Some(Retreat::Now) => Install::Now,
        None if mandatory => Install::Now,
        None => Install::NextRestart,
    };
    match candidate.content {
        Content::Bundle(_) => Decision::Update { release: offer.index, install, mandatory },
        Content::Embedded => Decision::Embedded { install },
    }
}

/// Says whether a mandatory release lies between what the device runs and the candidate, which counts too.
fn skips_mandatory(
    releases: &[Release],
    candidate: &Release,
    running: Option<&Release>,
    (check, dialect): (&UpdateCheck, Dialect<'_>),
) -> bool {
    let after = running.map_or(0, |running| running.seq);
    releases.iter().filter(|release| release.mandatory && release.seq > after && release.seq <= candidate.seq).any(
        |release| match judge(release, check, dialect) {
            Verdict::InRollout | Verdict::Pinned => true,
            Verdict::Paused | Verdict::OutsideShare => release.seq == candidate.seq,
            Verdict::OtherPlatform | Verdict::OtherBinary | Verdict::Disabled => false,
        },
    )
}

/// Nothing is offered to the device: says whether it must leave what it runs.
fn leave(running: Option<&Release>, matched: bool) -> Decision {
    match running.map(|running| running.rollout.retreat) {
        Some(Retreat::Now) => Decision::Embedded { install: Install::Now },
        Some(Retreat::NextColdStart) => Decision::Embedded { install: Install::NextColdStart },
        Some(Retreat::Stay) => Decision::Nothing(NothingReason::Stays),
        None if matched => Decision::Nothing(NothingReason::NotOffered),
        None => Decision::Nothing(NothingReason::NoMatch),
    }
}

#[cfg(test)]
mod tests;
