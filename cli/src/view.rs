//! This file's job is to fix the JSON shapes and the text of what commands show.
//!
//! Field names are stable. Times are microseconds since 1970 in UTC, shares parts per million, hashes hexadecimal.

use crate::platform;
use crate::{moment, percent, table};
use domain::warning::{BundlePolicy, WarningKind};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Result};

/// An app.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.App")]
pub struct App {
    pub name: String,
    pub app_id: String,
    pub slug: String,
    pub display_name: String,
    pub etag: String,
    pub created_at_us: i64,
    pub updated_at_us: i64,
}

impl From<v1::App> for App {
    fn from(app: v1::App) -> Self {
        let v1::App { name, app_id, slug, display_name, etag, created_at_us, updated_at_us } = app;
        Self { name, app_id, slug, display_name, etag, created_at_us, updated_at_us }
    }
}

impl Display for App {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&table::pairs(&[
            ("app", self.slug.clone()),
            ("id", self.app_id.clone()),
            ("display name", self.display_name.clone()),
            ("created", moment::text(self.created_at_us)),
        ]))
    }
}

/// A channel.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Channel")]
pub struct Channel {
    pub name: String,
    pub channel_id: String,
    pub channel_name: String,
    pub blocked: bool,
    /// "warn" or "refuse".
    pub bundle_policy: &'static str,
    /// Absent when clients are told nothing; empty when they are to forget what they were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expo_server_defined_headers: Option<String>,
    pub expo_asset_request_headers: String,
    pub snapshot_version: u64,
    pub etag: String,
    pub created_at_us: i64,
    pub updated_at_us: i64,
}

impl From<v1::Channel> for Channel {
    fn from(channel: v1::Channel) -> Self {
        Self {
            bundle_policy: policy_text(channel.bundle_policy()),
            expo_server_defined_headers: channel.expo_server_defined_headers,
            expo_asset_request_headers: channel.expo_asset_request_headers,
            name: channel.name,
            channel_id: channel.channel_id,
            channel_name: channel.channel_name,
            blocked: channel.blocked,
            snapshot_version: channel.snapshot_version,
            etag: channel.etag,
            created_at_us: channel.created_at_us,
            updated_at_us: channel.updated_at_us,
        }
    }
}

impl Display for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&table::pairs(&[
            ("channel", self.channel_name.clone()),
            ("id", self.channel_id.clone()),
            ("blocked", yes(self.blocked)),
            ("bundle policy", self.bundle_policy.to_owned()),
            ("snapshot version", self.snapshot_version.to_string()),
            ("server-defined headers", self.expo_server_defined_headers.clone().unwrap_or_default()),
            ("asset request headers", self.expo_asset_request_headers.clone()),
            ("created", moment::text(self.created_at_us)),
        ]))
    }
}

/// A binary.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Binary")]
pub struct Binary {
    pub name: String,
    pub platform: &'static str,
    pub version: String,
    pub build_number: String,
    pub runtime_version: String,
    pub embedded_bundle: String,
    /// 0 when it is not known.
    pub hermes_version: u32,
    pub embedded_update_id: String,
    pub etag: String,
    pub created_at_us: i64,
}

impl From<v1::Binary> for Binary {
    fn from(binary: v1::Binary) -> Self {
        Self {
            platform: platform::text(binary.platform()),
            name: binary.name,
            version: binary.version,
            build_number: binary.build_number,
            runtime_version: binary.runtime_version,
            embedded_bundle: hex::encode(&binary.embedded_bundle),
            hermes_version: binary.hermes_version,
            embedded_update_id: binary.embedded_update_id,
            etag: binary.etag,
            created_at_us: binary.created_at_us,
        }
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&table::pairs(&[
            ("binary", crate::names::short(&self.name).to_owned()),
            ("platform", self.platform.to_owned()),
            ("version", self.version.clone()),
            ("build number", self.build_number.clone()),
            ("runtime version", self.runtime_version.clone()),
            ("embedded bundle", self.embedded_bundle.clone()),
            (
                "hermes version",
                Some(self.hermes_version).filter(|known| *known > 0).map_or_else(String::new, |v| v.to_string()),
            ),
            ("embedded update", self.embedded_update_id.clone()),
            ("created", moment::text(self.created_at_us)),
        ]))
    }
}

/// A release.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Release, its target and its rollout")]
pub struct Release {
    pub name: String,
    pub release_id: String,
    pub seq: u64,
    pub label: String,
    pub platform: &'static str,
    pub binary_range: Option<String>,
    pub runtime_version: Option<String>,
    /// Absent when the release sends devices back to their embedded bundle.
    pub bundle: Option<String>,
    pub bundle_sha256: Option<String>,
    pub mandatory: bool,
    pub enabled: bool,
    pub share_ppm: u32,
    pub rollout_state: &'static str,
    pub retreat: &'static str,
    pub notes: String,
    pub warnings: Vec<Warning>,
    pub origin: &'static str,
    pub origin_release: Option<String>,
    /// What devices downloaded of its bundle, in any channel; absent when that is nothing or was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_bytes: Option<u64>,
    pub etag: String,
    pub created_at_us: i64,
    pub updated_at_us: i64,
}

impl From<v1::Release> for Release {
    fn from(release: v1::Release) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let (platform, origin) = (platform::text(release.platform()), origin_text(release.origin()));
        let rollout = release.rollout.unwrap_or_default();
        let (binary_range, runtime_version) = match release.target.and_then(|target| target.rule) {
            Some(v1::target::Rule::BinaryRange(range)) => (Some(range), None),
            Some(v1::target::Rule::RuntimeVersion(version)) => (None, Some(version)),
            None => (None, None),
        };
        Self {
            name: release.name,
            release_id: release.release_id,
            seq: release.seq,
            label: release.label,
            platform,
            binary_range,
            runtime_version,
            bundle: some(release.bundle),
            bundle_sha256: some(hex::encode(&release.bundle_sha256)),
            mandatory: release.mandatory,
            enabled: release.enabled,
            share_ppm: rollout.share_ppm,
            rollout_state: rollout_text(rollout.state()),
            retreat: retreat_text(rollout.retreat()),
            notes: release.notes,
            warnings: release.warnings.into_iter().map(Into::into).collect(),
            origin,
            origin_release: some(release.origin_release),
            served_bytes: Some(release.served_bytes).filter(|bytes| *bytes > 0),
            etag: release.etag,
            created_at_us: release.created_at_us,
            updated_at_us: release.updated_at_us,
        }
    }
}

impl Release {
    /// Says in a word whether devices get the release.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.enabled { self.rollout_state } else { "disabled" }
    }

    /// Says which binaries may run it.
    #[must_use]
    pub fn target(&self) -> String {
        match (&self.binary_range, &self.runtime_version) {
            (Some(range), _) => format!("binary {range}"),
            (None, Some(version)) => format!("runtime {version}"),
            (None, None) => String::new(),
        }
    }

    /// Returns the cells of one line of a list, under [`RELEASE_HEADINGS`].
    #[must_use]
    pub fn row(&self) -> Vec<String> {
        let content = self.bundle_sha256.as_deref().map_or("embedded", |hash| hash.get(..12).unwrap_or(hash));
        let served = self.served_bytes.map(table::size).unwrap_or_default();
        let created = moment::text(self.created_at_us);
        let mandatory = if self.mandatory { "mandatory" } else { "" };
        [
            &self.label,
            self.platform,
            &self.target(),
            &percent::text(self.share_ppm),
            self.state(),
            content,
            &served,
            &created,
            mandatory,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// The headings of a list of releases.
pub const RELEASE_HEADINGS: [&str; 9] =
    ["label", "platform", "for", "share", "state", "content", "served", "created", ""];

impl Display for Release {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let origin = self.origin_release.as_deref().map_or_else(
            || self.origin.to_owned(),
            |release| format!("{} of {}", self.origin, crate::names::short(release)),
        );
        f.write_str(&table::pairs(&[
            ("release", self.label.clone()),
            ("id", self.release_id.clone()),
            ("platform", self.platform.to_owned()),
            ("for", self.target()),
            ("content", self.bundle_sha256.clone().unwrap_or_else(|| "the bundle in the binary".to_owned())),
            ("share", percent::text(self.share_ppm)),
            ("state", self.state().to_owned()),
            ("mandatory", yes(self.mandatory)),
            ("notes", self.notes.clone()),
            ("warning", Warning::texts(&self.warnings)),
            ("origin", origin),
            ("created", moment::text(self.created_at_us)),
        ]))
    }
}

/// Something that is allowed, but perhaps not meant.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    /// "debug-bundle", "wrong-platform" or "hermes-version".
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

impl Warning {
    /// Writes warnings on one line.
    #[must_use]
    pub fn texts(warnings: &[Self]) -> String {
        warnings.iter().map(|warning| warning.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}

impl From<v1::BundleWarning> for Warning {
    fn from(warning: v1::BundleWarning) -> Self {
        let kind = match warning.kind() {
            v1::WarningKind::Unspecified => "unknown",
            v1::WarningKind::DebugBundle => WarningKind::DebugBundle.as_str(),
            v1::WarningKind::WrongPlatform => WarningKind::WrongPlatform.as_str(),
            v1::WarningKind::HermesVersion => WarningKind::HermesVersion.as_str(),
        };
        Self { kind, message: warning.message }
    }
}

impl From<&domain::warning::Warning> for Warning {
    fn from(warning: &domain::warning::Warning) -> Self {
        Self { kind: warning.kind.as_str(), message: warning.message.clone() }
    }
}

/// Several releases.
#[derive(Debug, Serialize)]
pub struct Releases {
    /// The releases.
    pub releases: Vec<Release>,
}

impl From<Vec<v1::Release>> for Releases {
    fn from(releases: Vec<v1::Release>) -> Self {
        Self { releases: releases.into_iter().map(Into::into).collect() }
    }
}

impl Display for Releases {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let rows: Vec<_> = self.releases.iter().map(Release::row).collect();
        f.write_str(&table::text(&RELEASE_HEADINGS, &rows))
    }
}

/// That something is gone.
#[derive(Debug, Serialize)]
pub struct Deleted {
    /// The full name of what is gone.
    pub deleted: String,
}

impl Display for Deleted {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "deleted {}", self.deleted)
    }
}

/// Writes a truth value.
#[must_use]
pub fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

const fn policy_text(policy: v1::BundlePolicy) -> &'static str {
    match policy {
        v1::BundlePolicy::Unspecified | v1::BundlePolicy::Warn => BundlePolicy::Warn.as_str(),
        v1::BundlePolicy::Refuse => BundlePolicy::Refuse.as_str(),
    }
}

const fn rollout_text(state: v1::RolloutState) -> &'static str {
    match state {
        v1::RolloutState::Unspecified => "unknown",
        v1::RolloutState::Active => "active",
        v1::RolloutState::Paused => "paused",
    }
}

const fn retreat_text(retreat: v1::Retreat) -> &'static str {
    match retreat {
        v1::Retreat::Unspecified | v1::Retreat::Stay => "stay",
        v1::Retreat::NextColdStart => "next-cold-start",
        v1::Retreat::Now => "now",
    }
}

const fn origin_text(origin: v1::ReleaseOrigin) -> &'static str {
    match origin {
        v1::ReleaseOrigin::Unspecified => "unknown",
        v1::ReleaseOrigin::Publish => "published",
        v1::ReleaseOrigin::Promote => "promotion",
        v1::ReleaseOrigin::Rollback => "rollback",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_stable_json_names() {
        let release = v1::Release {
            label: "v3".into(),
            seq: 3,
            bundle_sha256: vec![0xab; 32].into(),
            target: Some(v1::Target { rule: Some(v1::target::Rule::BinaryRange("1.x".into())) }),
            rollout: Some(v1::Rollout {
                share_ppm: 100_000,
                state: v1::RolloutState::Active.into(),
                ..Default::default()
            }),
            enabled: true,
            ..Default::default()
        };
        let json = serde_json::to_value(Release::from(release)).unwrap();
        assert_eq!(json["label"], "v3");
        assert_eq!(json["share_ppm"], 100_000);
        assert_eq!(json["binary_range"], "1.x");
        assert_eq!(json["runtime_version"], serde_json::Value::Null);
        assert_eq!(json["bundle_sha256"], "ab".repeat(32));
        assert_eq!(json["rollout_state"], "active");
        assert_eq!(json["retreat"], "stay");
    }
}
