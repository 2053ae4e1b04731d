//! This file's job is to write the manifests and directives that Expo clients read.
//!
//! Format: "Expo Updates v1" (docs.expo.dev/technical-specs/expo-updates-1), and what the native clients demand beyond it: dates with
//! exactly three digits, keys that are MD5 hashes because Metro bakes these into bundles, an extension for every asset.

use super::broken;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Sha256;
use domain::bundle::{BundleFile, FileRole};
use domain::expo::{self, LAUNCH_CONTENT_TYPE, LAUNCH_EXTENSION, UpdateId, content_type, date_text};
use domain::id::ReleaseId;
use domain::snapshot::ChannelKey;
use proto::v1;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// A host, a port and a folder.
const BASE_URL_MAX_BYTES: usize = 512;
/// Configurations are some kilobytes; they are sent with every update.
const CONFIG_MAX_BYTES: usize = 256 << 10;
/// `woff2`, `sqlite3`, and longer ones of other people.
const EXTENSION_MAX_BYTES: usize = 16;
/// The metadata that says which channel an update is of; clients compare it in lower case with `expo-manifest-filters`.
const BRANCH_NAME: &str = "branchName";

/// What a manifest is made of besides the files of its bundle.
#[derive(Debug, Clone)]
pub(super) struct Publication {
    base_url: String,
    runtime_version: String,
    launch_key: String,
    /// Key and extension of each asset, by its path.
    assets: BTreeMap<String, (String, String)>,
    config: Option<Map<String, Value>>,
}

/// What clients are told of a release with a bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    id: String,
    created_at: String,
    runtime_version: String,
    launch_asset: Asset,
    assets: Vec<Asset>,
    metadata: BTreeMap<String, String>,
    extra: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    /// SHA-256 in base64url without padding.
    hash: String,
    key: String,
    content_type: String,
    file_extension: String,
    url: String,
}

/// What clients are told of a release without a bundle.
#[derive(Debug, Serialize)]
pub(super) struct Directive {
    #[serde(rename = "type")]
    kind: &'static str,
    parameters: Parameters,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    commit_time: String,
}

impl Directive {
    /// Sends clients back to the update that came with their binary.
    pub(super) fn roll_back_to_embedded(committed_at_ms: u64) -> Self {
        let parameters = Parameters { commit_time: date_text(committed_at_ms) };
        Self { kind: "rollBackToEmbedded", parameters }
    }
}

impl Publication {
    /// Checks a request.
    pub(super) fn new(wire: &v1::ExpoPublication, runtime_version: &str) -> Result<Self> {
        let mut assets = BTreeMap::new();
        for asset in &wire.assets {
            let extension = &asset.extension;
            let is_extension = !extension.is_empty()
                && extension.len() <= EXTENSION_MAX_BYTES
                && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !is_extension {
                return Err(Error::field("expo.assets", "must have extensions of 1 to 16 letters and digits"));
            }
            let key = key("expo.assets", &asset.key)?;
            assets.insert(asset.path.clone(), (key, extension.to_ascii_lowercase()));
        }
        Ok(Self {
            base_url: base_url(&wire.base_url)?,
            runtime_version: runtime_version.to_owned(),
            launch_key: key("expo.launch_key", &wire.launch_key)?,
            assets,
            config: config(&wire.config_json)?,
        })
    }

    /// Makes the manifest of a release with these files.
    pub(super) fn manifest(
        &self,
        (release, committed_at_ms): (&ReleaseId, u64),
        channel: &ChannelKey,
        files: &[BundleFile],
    ) -> Result<Manifest> {
        let paths: BTreeSet<&str> =
            files.iter().filter(|file| file.role == FileRole::Asset).map(|file| file.path.as_str()).collect();
        if !paths.iter().copied().eq(self.assets.keys().map(String::as_str)) {
            return Err(Error::field("expo.assets", "must be the assets of the bundle"));
        }
        let launch = files.iter().find(|file| file.role == FileRole::Launch);
        let launch = launch.ok_or_else(|| Error::field("bundle", "must have a launch file"))?;
        let assets = files.iter().filter_map(|file| self.assets.get(&file.path).map(|asset| (file, asset)));
        Ok(Manifest {
            id: UpdateId::from(release).to_string(),
            created_at: date_text(committed_at_ms),
            runtime_version: self.runtime_version.clone(),
            launch_asset: Asset {
                hash: hash_text(&launch.sha256),
                key: self.launch_key.clone(),
                content_type: LAUNCH_CONTENT_TYPE.to_owned(),
                file_extension: format!(".{LAUNCH_EXTENSION}"),
                url: format!("{}{}", self.base_url, expo::launch_path(channel, &launch.sha256)),
            },
            assets: assets.map(|(file, asset)| self.asset(file, asset)).collect(),
            metadata: BTreeMap::from([(BRANCH_NAME.to_owned(), channel.channel.to_string())]),
            extra: extra(self.config.as_ref()),
        })
    }

    fn asset(&self, file: &BundleFile, (key, extension): &(String, String)) -> Asset {
        Asset {
            hash: hash_text(&file.sha256),
            key: key.clone(),
            content_type: content_type(extension).to_owned(),
            file_extension: format!(".{extension}"),
            url: format!("{}{}", self.base_url, expo::asset_path(&file.sha256, extension)),
        }
    }
}

impl Manifest {
    /// Reads what was written before.
    pub(super) fn read(body: &str) -> Result<Self> {
        serde_json::from_str(body).map_err(broken)
    }

    /// Returns the same content under another release's id, time, channel and runtime version.
    pub(super) fn renewed(
        mut self,
        (release, committed_at_ms): (&ReleaseId, u64),
        channel: &ChannelKey,
        runtime_version: &str,
    ) -> Result<Self> {
        let unknown = || Error::Broken { what: "a manifest names no launch file", cause: self.id.clone().into() };
        let url = &self.launch_asset.url;
        let (base_url, _) = url.rsplit_once(expo::PATH).ok_or_else(unknown)?;
        let hash = URL_SAFE_NO_PAD.decode(&self.launch_asset.hash).map_err(|_| unknown())?;
        let sha256 = Sha256::try_from(hash.as_slice()).map_err(|_| unknown())?;
        self.launch_asset.url = format!("{base_url}{}", expo::launch_path(channel, &sha256));
        self.id = UpdateId::from(release).to_string();
        self.created_at = date_text(committed_at_ms);
        runtime_version.clone_into(&mut self.runtime_version);
        self.metadata.insert(BRANCH_NAME.to_owned(), channel.channel.to_string());
        Ok(self)
    }
}

fn hash_text(sha256: &Sha256) -> String {
    URL_SAFE_NO_PAD.encode(sha256.as_bytes())
}

/// The names that apps look for in the place of their own configuration.
fn extra(config: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut extra = Map::new();
    if let Some(config) = config {
        if let Some(eas) = config.get("extra").and_then(|extra| extra.get("eas")).filter(|eas| eas.is_object()) {
            extra.insert("eas".to_owned(), eas.clone());
        }
        extra.insert("expoClient".to_owned(), Value::Object(config.clone()));
    }
    extra
}

fn key(field: &'static str, text: &str) -> Result<String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 32 && text.bytes().all(is_digit) {
        Ok(text.to_owned())
    } else {
        Err(Error::field(field, "must have keys of 32 lower-case hexadecimal digits"))
    }
}

/// Returns the address without a slash at its end.
fn base_url(text: &str) -> Result<String> {
    let rule =
        || Error::field("expo.base_url", "must be an http or https address of at most 512 bytes without a query");
    let url = Url::parse(text).map_err(|_| rule())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if text.len() > BASE_URL_MAX_BYTES || !matches!(url.scheme(), "http" | "https") || !is_plain {
        return Err(rule());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn config(text: &str) -> Result<Option<Map<String, Value>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let rule = || Error::field("expo.config_json", "must be a JSON object of at most 256 KiB");
    if text.len() > CONFIG_MAX_BYTES {
        return Err(rule());
    }
    serde_json::from_str(text).map(Some).map_err(|_| rule())
}
