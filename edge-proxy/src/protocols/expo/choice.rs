//! This file's job is to choose what an Expo client gets: [`domain::decide`] decides, and what its protocol cannot say is left out.

use super::asked::{Asked, Version};
use super::frozen::Frozen;
use crate::snapshot::Channel;
use crate::snapshot::told::Word;
use domain::Sha256;
use domain::decide::{Decision, NothingReason, UpdateCheck, Verdict, decide, explain};
use domain::device::DeviceKey;
use domain::expo::UpdateId;
use domain::release::{Content, Release};
use std::sync::Arc;

/// What a client gets.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// A manifest: the client takes it if it is newer than what it has.
    Manifest(Arc<Frozen>),
    /// A directive: back to what came with the binary.
    Directive(Arc<Frozen>),
    /// Nothing new.
    Nothing,
}

/// Chooses what the client gets; also returns the same in the words of all protocols.
pub(super) fn choose(channel: &Channel, asked: &Asked) -> (Told, Word) {
    let running = running(channel, asked);
    let check = UpdateCheck {
        device: asked.device.and_then(|device| device.key().ok()).unwrap_or_else(DeviceKey::nameless),
        platform: asked.platform,
        binary_version: None,
        runtime_version: Some(asked.runtime.clone()),
        current: current(asked, running),
    };
    let release = match decide(&channel.snapshot, &check) {
        Decision::Update { release, .. } => channel.snapshot.releases.get(release),
        Decision::Embedded { .. } => candidate(channel, &check),
        // The older protocol cannot say that there is nothing new.
        Decision::Nothing(NothingReason::UpToDate) if asked.version == Version::Zero => candidate(channel, &check),
        // The same files may come with another configuration. Most devices run the newest release: they need no second look.
        Decision::Nothing(NothingReason::UpToDate) => {
            let behind = running
                .filter(|running| channel.snapshot.releases.first().is_some_and(|newest| newest.seq > running.seq));
            behind.and_then(|running| candidate(channel, &check).filter(|other| is_new(channel, running, other)))
        }
        Decision::Nothing(_) => None,
    };
    let told = release.and_then(|release| Some((told(channel, asked, running, release)?, release)));
    match told {
        Some((told @ Told::Manifest(_), release)) => (told, Word::take(&channel.snapshot, release)),
        Some((told @ Told::Directive(_), _)) => (told, Word::GoBack),
        Some((Told::Nothing, _)) | None => (Told::Nothing, Word::Nothing),
    }
}

/// Returns the release that the device runs, if the channel has it.
fn running<'a>(channel: &'a Channel, asked: &Asked) -> Option<&'a Release> {
    release_of(channel, asked.current.filter(|current| asked.embedded != Some(*current))?)
}

/// Returns the release that an update was made of.
pub(super) fn release_of(channel: &Channel, update: UpdateId) -> Option<&Release> {
    channel.expo.release_of(update, &channel.snapshot.releases)
}

/// What the device downloaded. A foreign update is something, too: other than what came with the binary, and than everything here.
fn current(asked: &Asked, running: Option<&Release>) -> Option<Sha256> {
    let current = asked.current.filter(|current| asked.embedded != Some(*current))?;
    match running.map(|release| release.content) {
        Some(Content::Bundle(hash)) => Some(hash),
        Some(Content::Embedded) | None => Some(Sha256::of(current.to_string().as_bytes())),
    }
}

/// Returns the release that a decision is about which names none.
fn candidate<'a>(channel: &'a Channel, check: &UpdateCheck) -> Option<&'a Release> {
    let (_decision, steps) = explain(&channel.snapshot, check);
    let taken = steps.into_iter().find(|step| matches!(step.verdict, Verdict::Pinned | Verdict::InRollout))?;
    channel.snapshot.releases.iter().find(|release| release.id == taken.release)
}

/// Says whether a later release with the same files differs in what else clients are told of it.
fn is_new(channel: &Channel, running: &Release, candidate: &Release) -> bool {
    let substance = |release: &Release| channel.expo.get(&release.id).map(|frozen| frozen.substance);
    candidate.seq > running.seq && substance(candidate) != substance(running)
}

fn told(channel: &Channel, asked: &Asked, running: Option<&Release>, release: &Release) -> Option<Told> {
    let frozen = channel.expo.get(&release.id)?;
    let update = UpdateId::from(&release.id);
    // Clients take only what is newer than what they run, and never again what failed.
    let is_older = running.is_some_and(|running| running.seq > release.seq);
    let is_usable = frozen.is_signed() || !asked.expects_signature;
    if !is_usable || asked.failed.contains(&update) {
        return None;
    }
    match (release.content, asked.version) {
        (Content::Bundle(_), Version::Zero) => Some(Told::Manifest(frozen.clone())),
        (Content::Bundle(_), Version::One) => (!is_older).then(|| Told::Manifest(frozen.clone())),
        (Content::Embedded, Version::One) => {
            let can_go_back = asked.embedded.is_some() && asked.embedded != asked.current;
            (can_go_back && !is_older).then(|| Told::Directive(frozen.clone()))
        }
        (Content::Embedded, Version::Zero) => None,
    }
}
