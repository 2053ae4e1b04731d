//! This file's job is to define a release: what is offered, to whom, and in which state.

use crate::hash::Sha256;
use crate::id::ReleaseId;
use crate::name::Platform;
use crate::ppm::Ppm;
use crate::target::Target;
use crate::text_enum::text_enum;

/// Takes centuries to reach; a release with a larger number would leave its channel without further ones.
pub const SEQ_MAX: u64 = 1_000_000_000;
/// Release notes are shown on phones; this is several screens of them.
pub const NOTES_MAX_BYTES: usize = 16 * 1024;

text_enum! {
    /// Whether a rollout takes in devices.
    pub enum RolloutState {
        /// Devices below the share get the release.
        Active => "active",
        /// No further device gets the release; those that run it keep it.
        Paused => "paused",
    }
}

text_enum! {
    /// What happens to devices that run a release which is no longer offered to them.
    pub enum Retreat {
        /// They keep it until something newer is offered (stop new).
        Stay => "stay",
        /// They go back to what is offered to them at the next cold start.
        NextColdStart => "next-cold-start",
        /// They go back at once.
        Now => "now",
    }
}

/// Who gets a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Whether devices are taken in.
    pub state: RolloutState,
    /// The share of devices, in parts per million.
    pub share: Ppm,
    /// Stays the same while one rollout grows, so that growing only adds devices.
    pub salt: String,
    /// What happens to devices that fall out of the share.
    pub retreat: Retreat,
}

/// What a release brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The bundle with this content hash.
    Bundle(Sha256),
    /// The bundle that came with the binary: devices drop what they downloaded.
    Embedded,
}

/// A release as a decision sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Grows by one with each release of the channel; the label is `v{seq}`.
    pub seq: u64,
    /// What it runs on.
    pub platform: Platform,
    /// Which binaries may run it.
    pub target: Target,
    /// What it brings.
    pub content: Content,
    /// Devices install it at once instead of at their next restart.
    pub mandatory: bool,
    /// A disabled release is offered to nobody.
    pub enabled: bool,
    /// Who gets it.
    pub rollout: Rollout,
    /// Shown to people on the device; at most [`NOTES_MAX_BYTES`].
    pub notes: String,
}

impl Release {
    /// Returns the label, for instance `v12`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("v{}", self.seq)
    }

    /// Says whether every device with a fitting binary gets this release.
    #[must_use]
    pub fn is_for_everyone(&self) -> bool {
        self.enabled && self.rollout.state == RolloutState::Active && self.rollout.share == Ppm::ALL
    }
}
