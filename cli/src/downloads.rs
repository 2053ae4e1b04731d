//! This file's job is to show a release with all that is known of it.

use crate::activity::Activity;
use crate::reach::Reach;
use crate::served::Served;
use crate::{table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Result};

/// A release with what devices download for it and do with it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.GetReleaseResponse")]
pub struct ReleaseWithDownloads {
    #[serde(flatten)]
    pub release: view::Release,
    pub full_size_bytes: u64,
    pub deltas: Vec<ReleaseDelta>,
    /// Absent when nobody said how the bundle was compiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Absent when the server is too old to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// Absent when the server is too old to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    pub served: Served,
}

/// How a release's bundle was compiled.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleBuild")]
pub struct Build {
    pub compiler: String,
    pub flags: Vec<String>,
    /// Absent without a base.
    pub base_sha256: Option<String>,
}

impl From<v1::BundleBuild> for Build {
    fn from(build: v1::BundleBuild) -> Self {
        let v1::BundleBuild { compiler, flags, base_sha256 } = build;
        let base_sha256 = Some(hex::encode(base_sha256)).filter(|hash| !hash.is_empty());
        Self { compiler, flags, base_sha256 }
    }
}

/// A patch that makes a release's launch file.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ReleaseDelta")]
pub struct ReleaseDelta {
    pub from_bundle: String,
    /// Absent when none of the newest releases before brought that bundle.
    pub from_label: Option<String>,
    pub format: String,
    pub size_bytes: u64,
    pub launch_size_bytes: u64,
}

impl From<v1::ReleaseDelta> for ReleaseDelta {
    fn from(delta: v1::ReleaseDelta) -> Self {
        let v1::ReleaseDelta { from_bundle, from_label, format, size_bytes, launch_size_bytes } = delta;
        let from_label = Some(from_label).filter(|label| !label.is_empty());
        Self { from_bundle, from_label, format, size_bytes, launch_size_bytes }
    }
}

impl From<v1::GetReleaseResponse> for ReleaseWithDownloads {
    fn from(answer: v1::GetReleaseResponse) -> Self {
        Self {
            release: answer.release.unwrap_or_default().into(),
            full_size_bytes: answer.full_size_bytes,
            deltas: answer.deltas.into_iter().map(Into::into).collect(),
            build: answer.build.map(Into::into),
            reach: answer.reach.map(Into::into),
            activity: answer.activity.map(Into::into),
            served: answer.served.into(),
        }
    }
}

impl Display for ReleaseWithDownloads {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.release.fmt(f)?;
        if let Some(reach) = &self.reach {
            write!(f, "\n{reach}")?;
        }
        if let Some(activity) = &self.activity {
            write!(f, "{activity}")?;
        }
        if self.full_size_bytes > 0 {
            writeln!(f, "\nAll files have {}.", table::size(self.full_size_bytes))?;
        }
        if let Some(Build { compiler, flags, base_sha256 }) = &self.build {
            let base = base_sha256.as_deref().unwrap_or("none");
            writeln!(f, "Compiled by {compiler} with {}; base: {base}.", flags.join(" "))?;
        }
        let row = |delta: &ReleaseDelta| {
            let from = delta.from_label.as_ref().unwrap_or(&delta.from_bundle).clone();
            let share = (delta.size_bytes * 100).checked_div(delta.launch_size_bytes).unwrap_or(0);
            vec![from, delta.format.clone(), table::size(delta.size_bytes), format!("{share} %")]
        };
        let rows: Vec<_> = self.deltas.iter().map(row).collect();
        if !rows.is_empty() {
            f.write_str(&table::text(&["from", "delta", "size", "of launch file"], &rows))?;
        }
        write!(f, "{}", self.served)
    }
}
