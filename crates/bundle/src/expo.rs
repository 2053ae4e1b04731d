//! This file's job is to read the `metadata.json` that `expo export` writes.
//!
//! ```json
//! {"version":0,"bundler":"metro","fileMetadata":{"android":{"bundle":"…","assets":[{"path":"assets/…","ext":"png"}]}}}
//! ```

use crate::error::Refusal;
use domain::Platform;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The name of the file, in the exported folder itself.
pub(crate) const METADATA: &str = "metadata.json";
/// Five thousand assets with long paths take half a megabyte.
pub(crate) const METADATA_MAX_BYTES: usize = 4 << 20;

/// The files of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PlatformFiles {
    pub(crate) bundle: String,
    #[serde(default)]
    pub(crate) assets: Vec<Asset>,
}

/// An asset of one platform; the extension that its path lacks is the clients' business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Asset {
    pub(crate) path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    file_metadata: BTreeMap<String, PlatformFiles>,
}

/// Returns the platform's files. None when the text is some other `metadata.json`.
pub(crate) fn parse(path: &str, text: &[u8], platform: Platform) -> Result<Option<PlatformFiles>, Refusal> {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(text) else { return Ok(None) };
    let mut platforms = metadata.file_metadata;
    if let Some(files) = platforms.remove(platform.as_str()) {
        return Ok(Some(files));
    }
    let found = platforms.keys().find_map(|name| name.parse::<Platform>().ok());
    Err(match found {
        Some(found) => Refusal::OtherPlatform { entry: path.to_owned(), found, wanted: platform },
        None => Refusal::NoLaunchFile(format!("{path} names no bundle for {platform}")),
    })
}
