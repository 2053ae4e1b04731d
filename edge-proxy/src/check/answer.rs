//! This file's job is to write the answer to an update check, once for all devices that get the same.

use super::query::Codings;
use crate::snapshot::Channel;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::{Blob, BundleFile, FileRole};
use domain::decide::Decision;
use domain::release::{Content, Release};
use domain::snapshot::{Delta, OfferedBundle, Variant};
use http::HeaderValue;
use serde::Serialize;
use std::hash::{Hash, Hasher};

/// What the answers of two devices have in common when they are the same. Never a device id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerKey {
    /// The snapshot's digest, which stands for channel and version.
    pub(crate) snapshot: Sha256,
    pub(crate) decision: Decision,
    /// Index of the patch in the snapshot.
    pub(crate) delta: Option<usize>,
    /// How whole files may be compressed.
    pub(crate) codings: Codings,
    pub(crate) check_class: u32,
}

impl Hash for AnswerKey {
    /// A part of the digest is as good as all of it; the answers of one snapshot that differ only in when and how to install are few.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let digest = self.snapshot.as_bytes();
        state.write_u64(u64::from_le_bytes(std::array::from_fn(|index| digest[index])));
        let release = match self.decision {
            Decision::Update { release, .. } => release as u64,
            Decision::Embedded { .. } | Decision::Nothing(_) => u64::MAX,
        };
        state.write_u64(release ^ (u64::from(self.check_class) << 32));
    }
}

/// A serialized answer.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
}

#[derive(Serialize)]
struct Page<'a> {
    action: &'static str,
    update: Option<Update<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    next_check_s: u32,
    snapshot: Version,
}

#[derive(Serialize)]
struct Version {
    epoch: u64,
    version: u64,
}

#[derive(Serialize)]
struct Update<'a> {
    release_id: &'a str,
    label: String,
    seq: u64,
    mandatory: bool,
    install: &'static str,
    notes: &'a str,
    bundle: Bundle<'a>,
    delta: Option<Patch<'a>>,
}

#[derive(Serialize)]
struct Bundle<'a> {
    sha256: Sha256,
    engine: &'static str,
    size_bytes: u64,
    files: Vec<File<'a>>,
    launch: Launch<'a>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    sha256: Sha256,
    size_bytes: u64,
    role: &'static str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoded: Option<Encoded<'a>>,
}

#[derive(Serialize)]
struct Encoded<'a> {
    coding: &'static str,
    sha256: Sha256,
    size_bytes: u64,
    chunks: &'a [Sha256],
    url: String,
}

#[derive(Serialize)]
struct Launch<'a> {
    path: &'a str,
    sha256: Sha256,
    size_bytes: u64,
    chunk_size_bytes: u64,
    chunks: &'a [Sha256],
}

#[derive(Serialize)]
struct Patch<'a> {
    format: &'a str,
    base_bundle_sha256: Sha256,
    base_sha256: Sha256,
    sha256: Sha256,
    size_bytes: u64,
    chunks: &'a [Sha256],
    url: String,
}

impl Answer {
    /// Writes the answer. `None` when the snapshot lacks the bundle that the decision offers.
    pub(crate) fn make(channel: &Channel, key: &AnswerKey, next_check_s: u32) -> Option<Self> {
        let version = channel.snapshot.version;
        let mut page = Page {
            action: "none",
            update: None,
            install: None,
            reason: None,
            next_check_s,
            snapshot: Version { epoch: version.epoch, version: version.version },
        };
        match key.decision {
            Decision::Nothing(reason) => page.reason = Some(reason.as_str()),
            Decision::Embedded { install } => {
                page.action = "embedded";
                page.install = Some(install.as_str());
            }
            Decision::Update { release, install, mandatory } => {
                page.action = "update";
                let release = channel.snapshot.releases.get(release)?;
                let delta = key.delta.and_then(|index| channel.snapshot.deltas.get(index));
                page.update = Some(update(channel, release, delta, key.codings, (install.as_str(), mandatory))?);
            }
        }
        let body = Bytes::from(serde_json::to_vec(&page).ok()?);
        let tag = format!("\"{}\"", &Sha256::of(&body).to_hex()[..32]);
        Some(Self { etag: HeaderValue::from_str(&tag).ok()?, body })
    }
}

fn update<'a>(
    channel: &'a Channel,
    release: &'a Release,
    delta: Option<&'a Delta>,
    codings: Codings,
    (install, mandatory): (&'static str, bool),
) -> Option<Update<'a>> {
    let Content::Bundle(hash) = release.content else { return None };
    Some(Update {
        release_id: release.id.as_str(),
        label: release.label(),
        seq: release.seq,
        mandatory,
        install,
        notes: &release.notes,
        bundle: bundle(hash, channel.snapshot.bundles.get(&hash)?, codings)?,
        delta: delta.map(patch),
    })
}

fn bundle(sha256: Sha256, bundle: &OfferedBundle, codings: Codings) -> Option<Bundle<'_>> {
    let launch = bundle.files.iter().find(|file| file.role == FileRole::Launch)?;
    let chunks = &bundle.blobs.iter().find(|blob| blob.sha256 == launch.sha256)?.chunks;
    Some(Bundle {
        sha256,
        engine: bundle.engine.as_str(),
        size_bytes: bundle.files.iter().map(|file| file.size_bytes).sum(),
        files: bundle.files.iter().map(|each| file(each, bundle, codings)).collect(),
        launch: Launch {
            path: &launch.path,
            sha256: launch.sha256,
            size_bytes: launch.size_bytes,
            chunk_size_bytes: domain::bundle::CHUNK_SIZE_BYTES,
            chunks,
        },
    })
}

fn file<'a>(file: &'a BundleFile, bundle: &'a OfferedBundle, codings: Codings) -> File<'a> {
    File {
        path: &file.path,
        sha256: file.sha256,
        size_bytes: file.size_bytes,
        role: file.role.as_str(),
        url: url(&file.sha256),
        encoded: bundle.smallest_variant(&file.sha256, |coding| codings.has(coding)).map(encoded),
    }
}

fn encoded(variant: &Variant) -> Encoded<'_> {
    let Blob { sha256, size_bytes, ref chunks } = *variant.blob;
    Encoded { coding: variant.coding.as_str(), sha256, size_bytes, chunks, url: url(&sha256) }
}

fn patch(delta: &Delta) -> Patch<'_> {
    let Blob { sha256, size_bytes, ref chunks } = *delta.blob;
    Patch {
        format: &delta.format,
        base_bundle_sha256: delta.from,
        base_sha256: delta.base,
        sha256,
        size_bytes,
        chunks,
        url: url(&sha256),
    }
}

/// Relative, so that it works behind any proxy.
fn url(sha256: &Sha256) -> String {
    format!("/v1/blobs/{sha256}")
}
