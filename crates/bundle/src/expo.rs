//! This file's job is to read the `metadata.json` and the `assetmap.json` that `expo export` writes.
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
/// The name of the file that says what assets are called; written with `--dump-assetmap` only.
pub(crate) const ASSET_MAP: &str = "assetmap.json";
/// Five thousand assets with long paths take half a megabyte.
pub(crate) const METADATA_MAX_BYTES: usize = 4 << 20;

/// The files of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PlatformFiles {
    pub(crate) bundle: String,
    #[serde(default)]
    pub(crate) assets: Vec<Asset>,
}

/// An asset of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Asset {
    pub(crate) path: String,
    /// The extension that its path lacks.
    #[serde(default)]
    pub(crate) ext: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    file_metadata: BTreeMap<String, PlatformFiles>,
}

/// An asset with all its scales, each a file named by its hash.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MappedAsset {
    #[serde(default)]
    http_server_location: String,
    name: String,
    #[serde(rename = "type")]
    extension: String,
    #[serde(default)]
    scales: Vec<f32>,
    file_hashes: Vec<String>,
}

/// Returns what developers call the files with these hashes: `assets/boots@2x.png`. Empty when the text is something else.
pub(crate) fn asset_names(text: &[u8]) -> BTreeMap<String, String> {
    let assets: BTreeMap<String, MappedAsset> = serde_json::from_slice(text).unwrap_or_default();
    let mut names = BTreeMap::new();
    for asset in assets.into_values() {
        // Metro serves assets under /assets; behind it comes the folder in the project.
        let folder = asset.http_server_location.trim_start_matches('/');
        let folder = folder.strip_prefix("assets/").unwrap_or(folder);
        for (index, hash) in asset.file_hashes.into_iter().enumerate() {
            let scale = asset.scales.get(index).filter(|&&scale| scale != 1.0).map(|scale| format!("@{scale}x"));
            let name = format!("{folder}/{}{}.{}", asset.name, scale.unwrap_or_default(), asset.extension);
            names.insert(hash, name.trim_start_matches('/').to_owned());
        }
    }
    names
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_map_gives_each_scale_its_name() {
        let text = br#"{"dd":{"httpServerLocation":"/assets/src/images","name":"a","type":"png","scales":[1,1.5],
            "fileHashes":["4f","de"]}}"#;
        let names = asset_names(text);
        assert_eq!(names["4f"], "src/images/a.png");
        assert_eq!(names["de"], "src/images/a@1.5x.png");
        assert!(asset_names(b"[]").is_empty());
    }
}
