//! This file's job is to write answers as CodePush's clients read them.

use super::Spelling;
use super::outcome::Outcome;
use super::query::Query;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// An answer. Every field is always there.
pub(crate) struct Answer<'a> {
    pub(crate) query: &'a Query,
    pub(crate) outcome: Outcome<'a>,
    /// Where devices see the edge, without a slash at the end.
    pub(crate) base: &'a str,
    pub(crate) spelling: Spelling,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_map(Some(1))?;
        page.serialize_entry(self.spelled("update_info", "updateInfo"), &Info(self))?;
        page.end()
    }
}

impl Answer<'_> {
    const fn spelled(&self, snake: &'static str, camel: &'static str) -> &'static str {
        match self.spelling {
            Spelling::Snake => snake,
            Spelling::Camel => camel,
        }
    }
}

struct Info<'a>(&'a Answer<'a>);

impl Serialize for Info<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer) = self;
        let mut map = serializer.serialize_map(Some(11))?;
        let name = |snake, camel| answer.spelled(snake, camel);
        let (mut url, mut notes, mut hash, mut label) = (String::new(), "", String::new(), String::new());
        let (mut size_bytes, mut mandatory, mut needs_newer, mut runs_binary) = (0, false, false, false);
        let app_version = match &answer.outcome {
            Outcome::Update { release, package_hash, blob, is_mandatory, missing: _ } => {
                url = format!("{}/v1/blobs/{}", answer.base, blob.sha256);
                (notes, hash, label) = (release.notes.as_str(), package_hash.to_hex(), release.label());
                (size_bytes, mandatory) = (blob.size_bytes, *is_mandatory);
                // The client keeps it, and throws the package away when its binary says another one.
                answer.query.app_version.as_str()
            }
            Outcome::Nothing { range, needs_newer_binary, runs_binary: runs } => {
                (needs_newer, runs_binary) = (*needs_newer_binary, *runs);
                range.unwrap_or_default()
            }
        };
        map.serialize_entry(name("download_url", "downloadURL"), &url)?;
        map.serialize_entry("description", notes)?;
        map.serialize_entry(name("is_available", "isAvailable"), &!url.is_empty())?;
        map.serialize_entry(name("is_mandatory", "isMandatory"), &mandatory)?;
        map.serialize_entry(name("app_version", "appVersion"), app_version)?;
        map.serialize_entry(name("package_hash", "packageHash"), &hash)?;
        map.serialize_entry("label", &label)?;
        map.serialize_entry(name("package_size", "packageSize"), &size_bytes)?;
        map.serialize_entry(name("update_app_version", "updateAppVersion"), &needs_newer)?;
        map.serialize_entry(name("should_run_binary_version", "shouldRunBinaryVersion"), &runs_binary)?;
        // In snake case for everybody.
        map.serialize_entry("target_binary_range", app_version)?;
        map.end()
    }
}
