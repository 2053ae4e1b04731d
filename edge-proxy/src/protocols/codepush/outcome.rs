//! This file's job is to say in CodePush's terms what was decided.
//!
//! The decision is [`decide_in`]'s. Here it is only asked and put into words: a device says hashes of packages and labels of releases where
//! decisions are about contents, and is told when its binary is too old or too new.

use super::query::Query;
use super::seq_of;
use crate::snapshot::Channel;
use domain::bundle::Blob;
use domain::decide::{Decision, Dialect, Install, NothingReason, UpdateCheck, decide_in, newest_for_any_binary};
use domain::release::{Content, Release};
use domain::target::Target;
use domain::{Platform, Sha256};

/// Devices without a name are decided on under this one, which is in no share but the whole.
const NAMELESS: &str = "nameless";

/// What a device is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    /// Take this package.
    Update {
        release: &'a Release,
        package_hash: Sha256,
        /// The whole package, or what differs from the one that the device has.
        blob: &'a Blob,
        is_mandatory: bool,
        /// The package that the device has and the content that it is offered, when no diff leads from the one to the other.
        missing: Option<(Sha256, Sha256)>,
    },
    /// There is nothing.
    Nothing {
        /// The range of the newest release, when that is for other binaries.
        range: Option<&'a str>,
        /// The newest release is for a newer binary.
        needs_newer_binary: bool,
        /// Nothing at all is for the device's binary.
        runs_binary: bool,
    },
}

impl<'a> Outcome<'a> {
    /// Asks for a decision and puts it into words.
    pub(crate) fn decide(channel: &'a Channel, platform: Platform, query: &Query) -> Self {
        let snapshot = &channel.snapshot;
        let dialect = Dialect {
            running_seq: query.label.as_deref().map(seq_of),
            any_binary: query.is_companion,
            nameless: query.client.is_none(),
            packages: Some(&snapshot.codepush.packages),
        };
        let nameless = || NAMELESS.parse().expect("a word is a device's name");
        let check = UpdateCheck {
            device: query.client.clone().unwrap_or_else(nameless),
            platform,
            binary_version: Some(query.version.clone()),
            runtime_version: None,
            current: query.package_hash.map(|hash| content_of(channel, platform, dialect.running_seq, hash)),
        };
        let decision = decide_in(snapshot, &check, dialect);
        if let Decision::Update { release, install, mandatory } = decision
            && let Some(update) =
                update(channel, &snapshot.releases[release], query, mandatory || install == Install::Now)
        {
            return update;
        }
        let newest = newest_for_any_binary(snapshot, &check, dialect);
        let (range, needs_newer_binary) = newest.map_or((None, false), |newest| compare(newest, query));
        Self::Nothing { range, needs_newer_binary, runs_binary: runs_binary(decision) }
    }
}

/// Returns the content that the device runs. Two contents may have the same package: the label tells which. A hash that no package has
/// stands for itself: it is no content's.
fn content_of(channel: &Channel, platform: Platform, running_seq: Option<u64>, hash: Sha256) -> Sha256 {
    let has_hash = |release: &&Release| release.platform == platform && package_hash_of(channel, release) == Some(hash);
    let mut fitting = channel.snapshot.releases.iter().filter(has_hash).peekable();
    let newest = fitting.peek().copied();
    let running = fitting.find(|release| Some(release.seq) == running_seq).or(newest);
    match running.map(|release| release.content) {
        Some(Content::Bundle(content)) => content,
        Some(Content::Embedded) | None => hash,
    }
}

fn package_hash_of(channel: &Channel, release: &Release) -> Option<Sha256> {
    let Content::Bundle(content) = release.content else { return None };
    channel.snapshot.codepush.packages.get(&content).map(|package| package.hash)
}

/// Offers the release. None when its package is what the device has.
fn update<'a>(channel: &'a Channel, release: &'a Release, query: &Query, is_urgent: bool) -> Option<Outcome<'a>> {
    let has = query.package_hash;
    let Content::Bundle(content) = release.content else { return None };
    let codepush = &channel.snapshot.codepush;
    let package = codepush.packages.get(&content).filter(|package| Some(package.hash) != has)?;
    let leads_here = |diff: &&domain::codepush::PackageDiff| Some(diff.from) == has && diff.to == content;
    let diff = codepush.diffs.iter().find(leads_here).map(|diff| &diff.blob);
    let missing = has.filter(|_| diff.is_none()).map(|has| (has, content));
    let blob = diff.filter(|blob| blob.size_bytes < package.blob.size_bytes).unwrap_or(&package.blob);
    // These clients have no other word for "at once". CodePush's server does not look for mandatory releases that are skipped when an
    // older client starts from nothing.
    let is_mandatory = release.mandatory || (is_urgent && !query.has_nothing);
    Some(Outcome::Update { release, package_hash: package.hash, blob, is_mandatory, missing })
}

/// Returns the range of the release when it is not for the device's binary, and whether it is for a newer one.
fn compare<'a>(newest: &'a Release, query: &Query) -> (Option<&'a str>, bool) {
    let Target::BinaryRange(range) = &newest.target else { return (None, false) };
    if range.is_below(&query.version) {
        (Some(range.as_str()), false)
    } else if range.contains(&query.version) {
        (None, false)
    } else {
        (Some(range.as_str()), true)
    }
}

const fn runs_binary(decision: Decision) -> bool {
    match decision {
        Decision::Embedded { .. } | Decision::Nothing(NothingReason::NoMatch | NothingReason::NotOffered) => true,
        Decision::Update { .. }
        | Decision::Nothing(NothingReason::Blocked | NothingReason::UpToDate | NothingReason::Stays) => false,
    }
}

#[cfg(test)]
mod tests;
