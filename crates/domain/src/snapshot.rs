//! This file's job is to define all that an edge may know of a channel.

use crate::bundle::{Blob, BundleFile, Coding, Engine};
use crate::codepush::CodePush;
use crate::device::DeviceKey;
use crate::expo::ExpoChannel;
use crate::hash::Sha256;
use crate::id::{AppId, ChannelId, DeviceId, ReleaseId};
use crate::name::{ChannelName, Platform};
use crate::release::{Content, Release};
use litemap::LiteMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Older releases neither change a decision nor name what a device may still run.
pub const RELEASES_MAX: usize = 500;
/// Pins are for testers and support cases, not for fleets.
pub const PINS_MAX: usize = 1_000;
/// Revocations are for single devices; when a secret got lost, it is renewed.
pub const REVOKED_DEVICES_MAX: usize = 1_000;
/// Secrets that device tokens may be made with at once.
pub const TOKEN_KEYS_MAX: usize = 8;

/// Which of two states of one channel is newer; compared epoch first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SnapshotVersion {
    /// Grows when the database is restored from a backup.
    pub epoch: u64,
    /// Grows with every change of the channel.
    pub version: u64,
}

/// A channel as devices name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelKey {
    /// The app.
    pub app: AppId,
    /// The channel's name in it.
    pub channel: ChannelName,
}

/// Bundles by content hash. Most channels have a few, and edges hold many channels: a map that keeps no room for more.
pub type Bundles = LiteMap<Sha256, Box<OfferedBundle>>;

/// Everything that decisions and answers about one channel are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSnapshot {
    /// The channel as devices name it.
    pub key: ChannelKey,
    /// The channel's id.
    pub channel_id: ChannelId,
    /// Which state of the channel this is.
    pub version: SnapshotVersion,
    /// A blocked channel offers nothing to anybody.
    pub blocked: bool,
    /// Newest first, at most [`RELEASES_MAX`].
    pub releases: Vec<Release>,
    /// The bundles that can be offered.
    pub bundles: Bundles,
    /// Patches between the launch files of two bundles.
    pub deltas: Vec<Delta>,
    /// The release that a device gets whatever its bucket, at most [`PINS_MAX`].
    pub pins: BTreeMap<DeviceKey, ReleaseId>,
    /// Secrets that device tokens of the app are made with, newest first; the first one signs.
    pub token_keys: Vec<TokenKey>,
    /// Devices whose tokens are refused, at most [`REVOKED_DEVICES_MAX`].
    pub revoked_devices: BTreeSet<DeviceId>,
    /// Whether no further device may register: the organization has as many as its plan allows.
    pub registration_closed: bool,
    /// What it has for the clients of CodePush.
    pub codepush: CodePush,
    /// What Expo clients are told of the releases.
    pub expo: ExpoChannel,
}

/// A bundle with all that a device needs to fetch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedBundle {
    /// What the launch file holds.
    pub engine: Engine,
    /// Its files, sorted by path, exactly one of them the launch file.
    pub files: Vec<BundleFile>,
    /// The blobs of the files, one for each different hash.
    pub blobs: Vec<Arc<Blob>>,
    /// Compressed forms of some of these blobs, each smaller than its blob; sorted by hash and coding.
    pub variants: Vec<Variant>,
}

impl OfferedBundle {
    /// Returns the smallest compressed form of a file in one of these codings.
    #[must_use]
    pub fn smallest_variant(&self, of: &Sha256, is_wanted: impl Fn(Coding) -> bool) -> Option<&Variant> {
        let begin = self.variants.partition_point(|variant| variant.of < *of);
        let same = self.variants.get(begin..)?.iter().take_while(|variant| variant.of == *of);
        same.filter(|variant| is_wanted(variant.coding)).min_by_key(|variant| variant.blob.size_bytes)
    }
}

/// The bytes of a file, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// SHA-256 of the file.
    pub of: Sha256,
    /// How it is compressed.
    pub coding: Coding,
    /// The compressed bytes.
    pub blob: Arc<Blob>,
}

/// A patch that makes the launch file of one bundle from that of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Content hash of the bundle that the device has.
    pub from: Sha256,
    /// Content hash of the bundle that it gets.
    pub to: Sha256,
    /// SHA-256 of the launch file that the patch applies to.
    pub base: Sha256,
    /// The patch's format, for instance `dcz`.
    pub format: String,
    /// The patch's bytes.
    pub blob: Arc<Blob>,
}

/// The longest name of a patch format; those that there are have four to eight letters.
const DELTA_FORMAT_MAX_BYTES: usize = 32;

/// Says whether the text can be the name of a patch format: 1 to 32 letters, digits and `-`.
#[must_use]
pub fn is_delta_format(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=DELTA_FORMAT_MAX_BYTES).contains(&text.len()) && text.bytes().all(is_part)
}

/// A secret that device tokens are made with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    /// Grows with each rotation; tokens name it.
    pub generation: u32,
    /// 32 secret bytes.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.generation)
    }
}

/// Returns the content hashes that decisions over these releases (newest first) and pins can offer, and the one before each, so
/// that edges keep its bytes at hand for a rollback.
#[must_use]
pub fn offerable<'a>(releases: &'a [Release], pinned: impl IntoIterator<Item = &'a ReleaseId>) -> BTreeSet<Sha256> {
    let contents = offered_releases(releases, pinned).map(|release| release.content);
    contents
        .filter_map(|content| match content {
            Content::Bundle(hash) => Some(hash),
            Content::Embedded => None,
        })
        .collect()
}

/// Returns the releases that decisions over these (newest first) and pins can offer, and the one before each.
pub fn offered_releases<'a>(
    releases: &'a [Release],
    pinned: impl IntoIterator<Item = &'a ReleaseId>,
) -> impl Iterator<Item = &'a Release> {
    let pinned: BTreeSet<&ReleaseId> = pinned.into_iter().collect();
    // For each audience: how many releases below the newest one that everybody gets have been kept.
    let mut below_full: BTreeMap<(Platform, String), u32> = BTreeMap::new();
    releases.iter().filter(move |release| {
        let keep = release.enabled
            && match release.content {
                Content::Embedded => true,
                Content::Bundle(_) => {
                    let kept = below_full.entry((release.platform, release.target.to_string())).or_default();
                    let keep = *kept < 2;
                    if keep && (*kept > 0 || release.is_for_everyone()) {
                        *kept += 1;
                    }
                    keep
                }
            };
        keep || pinned.contains(&release.id)
    })
}
