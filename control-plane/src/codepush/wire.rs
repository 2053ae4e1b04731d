//! This file's job is to write releases as CodePush's packages, and to read what requests say of one.

use super::PREFIX;
use super::provenance::Provenance;
use super::refusal::Refusal;
use crate::auth::site::Site;
use domain::Ppm;
use proto::v1;
use serde::Deserialize;
use serde_json::{Value, json};

/// Parts per million in a percent.
const PPM_PER_PERCENT: u32 = Ppm::ALL.get() / 100;

/// What a request says of a release; what it leaves out, or empty, stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PackageInfo {
    /// Which release; the newest when not set.
    pub(super) label: Option<String>,
    /// For which binaries it is.
    pub(super) app_version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) is_disabled: Option<bool>,
    pub(super) is_mandatory: Option<bool>,
    /// Percent of the devices.
    pub(super) rollout: Option<u32>,
}

/// The body of a request about a release.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    #[serde(default)]
    pub(super) package_info: PackageInfo,
}

impl PackageInfo {
    /// Returns the share of devices, when the request says one.
    pub(super) fn share_ppm(&self) -> Result<Option<u32>, Refusal> {
        match self.rollout {
            Some(percent) if !(1..=100).contains(&percent) => {
                Err(Refusal::field("rollout", "must be an integer from 1 to 100"))
            }
            percent => Ok(percent.map(|percent| percent * PPM_PER_PERCENT)),
        }
    }

    /// Returns for which binaries the release is to be.
    pub(super) fn target(&self) -> Option<v1::Target> {
        let range = self.app_version.as_ref().filter(|range| !range.is_empty())?;
        Some(v1::Target { rule: Some(v1::target::Rule::BinaryRange(range.clone())) })
    }

    /// Returns the text for people.
    pub(super) fn notes(&self) -> Option<String> {
        self.description.clone().filter(|text| !text.is_empty())
    }
}

/// How a finished rollout is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollout {
    /// As servers keep it: not at all.
    Stored,
    /// As they answer to a change: 100.
    Told,
}

/// Where packages are had.
#[derive(Debug, Clone)]
pub(super) struct Links(String);

impl Links {
    /// Links to this server.
    pub(super) fn new(site: &Site) -> Self {
        Self(site.page(PREFIX))
    }

    fn to_package(&self, release: &v1::Release) -> String {
        let place = release.name.replace("/channels/", "/deployments/").replace("/releases/", "/packages/");
        format!("{}/{place}", self.0)
    }
}

/// Writes a release.
pub(super) fn package(release: &v1::Release, links: &Links, written: Rollout, provenance: &Provenance) -> Value {
    let origin = provenance.origin(release);
    let share_ppm = share_ppm(release);
    let rollout = (written == Rollout::Told || share_ppm < Ppm::ALL.get()).then_some(share_ppm / PPM_PER_PERCENT);
    let packed = release.codepush_package.as_ref();
    json!({
        "label": release.label,
        "appVersion": range(release),
        "description": release.notes,
        "isDisabled": !release.enabled,
        "isMandatory": release.mandatory,
        "rollout": rollout,
        "packageHash": packed.map_or_else(String::new, |package| hex::encode(&package.hash)),
        "size": packed.map_or(0, |package| package.size_bytes),
        "blobUrl": packed.map_or_else(String::new, |_| links.to_package(release)),
        "diffPackageMap": Value::Null,
        "releaseMethod": method(release.origin()),
        "originalLabel": origin.map(|origin| &origin.label),
        "originalDeployment": origin.and_then(|origin| origin.deployment.as_ref()),
        "releasedBy": provenance.author(release),
        "uploadTime": release.created_at_us / 1_000,
    })
}

/// Returns the share of devices that get a release.
pub(super) fn share_ppm(release: &v1::Release) -> u32 {
    release.rollout.as_ref().map_or(Ppm::ALL.get(), |rollout| rollout.share_ppm)
}

/// Releases for a runtime version are no business of CodePush's clients, but are shown.
fn range(release: &v1::Release) -> &str {
    match release.target.as_ref().and_then(|target| target.rule.as_ref()) {
        Some(v1::target::Rule::BinaryRange(text) | v1::target::Rule::RuntimeVersion(text)) => text,
        None => "",
    }
}

fn method(origin: v1::ReleaseOrigin) -> &'static str {
    match origin {
        v1::ReleaseOrigin::Promote => "Promote",
        v1::ReleaseOrigin::Rollback => "Rollback",
        v1::ReleaseOrigin::Publish | v1::ReleaseOrigin::Unspecified => "Upload",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_written_as_clients_know_packages() {
        let release = v1::Release {
            name: "apps/app_1/channels/chn_1/releases/rel_1".into(),
            label: "v7".into(),
            enabled: true,
            rollout: Some(v1::Rollout { share_ppm: 250_000, ..Default::default() }),
            target: PackageInfo { app_version: Some("1.x".into()), ..Default::default() }.target(),
            codepush_package: Some(v1::CodePushPackage {
                hash: vec![0xab].into(),
                size_bytes: 9,
                ..Default::default()
            }),
            created_at_us: 5_000,
            ..Default::default()
        };
        let links = Links::new(&Site::new("https://aloft.example.com"));
        let written = package(&release, &links, Rollout::Stored, &Provenance::default());
        assert_eq!(
            written["blobUrl"],
            "https://aloft.example.com/codepush/apps/app_1/deployments/chn_1/packages/rel_1"
        );
        assert_eq!((&written["rollout"], &written["appVersion"]), (&json!(25), &json!("1.x")));
        assert_eq!((&written["packageHash"], &written["uploadTime"]), (&json!("ab"), &json!(5)));
        let finished = v1::Release { rollout: None, ..release };
        assert_eq!(package(&finished, &links, Rollout::Stored, &Provenance::default())["rollout"], Value::Null);
        assert_eq!(package(&finished, &links, Rollout::Told, &Provenance::default())["rollout"], 100);
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        let about: About =
            serde_json::from_str(r#"{"packageInfo":{"label":null,"description":"","rollout":null}}"#).unwrap();
        let info = about.package_info;
        assert_eq!((info.notes(), info.target(), info.share_ppm().unwrap()), (None, None, None));
        for wrong in [0, 101] {
            assert!(PackageInfo { rollout: Some(wrong), ..Default::default() }.share_ppm().is_err());
        }
    }
}
