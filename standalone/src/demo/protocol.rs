//! This file's job is to define the documents of the device protocol, as `docs/protocols/aloft-v1.md` specifies them.

use domain::Sha256;
use serde::Deserialize;

/// The formats of patches that the device applies.
pub const FORMATS: &str = "hbc2,hbc1,bsdiff40,dcb,dcz";

/// Answers a registration.
#[derive(Debug, Deserialize)]
pub struct Registered {
    /// "dev_…".
    pub device_id: String,
    /// Goes with every further request.
    pub token: String,
}

/// Answers a report.
#[derive(Debug, Deserialize)]
pub struct Taken {
    /// How many events the edge took.
    pub accepted: usize,
}

/// Answers an update check.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// What to do.
    pub action: Action,
    /// What to get, when the action says so.
    pub update: Option<Update>,
    /// When to go back to the embedded bundle, when the action says so.
    pub install: Option<String>,
    /// Why there is nothing to do.
    pub reason: Option<String>,
    /// When to ask again, in seconds.
    pub next_check_s: u32,
    /// The state of the channel that this was decided from.
    pub snapshot: SnapshotVersion,
}

/// What the device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing.
    None,
    /// Get a bundle.
    Update,
    /// Go back to the bundle that came with the binary.
    Embedded,
}

/// Which state of a channel is newer; compared epoch first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct SnapshotVersion {
    /// Grows when the database is restored.
    pub epoch: u64,
    /// Grows with every change.
    pub version: u64,
}

/// A release that is offered to the device.
#[derive(Debug, Clone, Deserialize)]
pub struct Update {
    /// "rel_…".
    pub release_id: String,
    /// For people, for instance "v3".
    pub label: String,
    /// Whether to install it at once.
    pub mandatory: bool,
    /// "next-restart", "next-cold-start" or "now".
    pub install: String,
    /// What to get.
    pub bundle: Bundle,
    /// How to get the launch file from the one that the device has.
    pub delta: Option<Delta>,
}

/// The content of a release.
#[derive(Debug, Clone, Deserialize)]
pub struct Bundle {
    /// The content hash over all files.
    pub sha256: Sha256,
    /// "javascript" or "hermes".
    pub engine: String,
    /// Size of all files in bytes.
    pub size_bytes: u64,
    /// All files, sorted by path.
    pub files: Vec<File>,
    /// The file that is run.
    pub launch: Launch,
}

/// A file of a bundle.
#[derive(Debug, Clone, Deserialize)]
pub struct File {
    /// Where it lies in the bundle.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where its bytes are, relative to the server.
    pub url: String,
}

/// The file that is run.
#[derive(Debug, Clone, Deserialize)]
pub struct Launch {
    /// Its path.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Size in bytes of the pieces that `chunks` are the hashes of.
    pub chunk_size_bytes: u64,
    /// SHA-256 of each piece.
    pub chunks: Vec<Sha256>,
}

/// A patch.
#[derive(Debug, Clone, Deserialize)]
pub struct Delta {
    /// Its format.
    pub format: String,
    /// SHA-256 of the file that it applies to.
    pub base_sha256: Sha256,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of each piece of 1 MiB.
    pub chunks: Vec<Sha256>,
    /// Where its bytes are, relative to the server.
    pub url: String,
}
