//! This file's job is to find out what the manifest for Expo clients is made of, from an exported folder.

use super::Signing;
use crate::error::Error;
use crate::source::{self, Found};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bundle::{Layout, ScannedFile};
use domain::bundle::FileRole;
use proto::v1;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use url::Url;

/// The app's public configuration, beside what `expo export` writes.
const CONFIG: &str = "expoConfig.json";

/// How a bundle is published for Expo clients.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Publishing {
    /// Publish for Expo clients, or fail. Without it, an `expo export` folder is published for them when it is known where they
    /// reach an edge.
    #[arg(long)]
    pub expo: bool,
    /// Where devices reach an edge; taken from the app's configuration (updates.url) when not given.
    #[arg(long, value_name = "URL", env = "ALOFT_EDGE_URL")]
    pub edge_url: Option<String>,
    /// What `npx expo config --type public --json` printed; expoConfig.json in the folder when not given.
    #[arg(long, value_name = "FILE")]
    pub expo_config: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub signing: Signing,
}

/// What the server needs, and what its manifest must say then.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The part of the request.
    pub wire: v1::ExpoPublication,
    /// Key and hash of every file, as manifests write them.
    pub(super) hashes: BTreeSet<(String, String)>,
}

/// What was found besides the bundles.
#[derive(Debug, Clone)]
pub struct Exported {
    is_asked_for: bool,
    base_url: Option<String>,
    config_json: String,
}

impl Publishing {
    /// Reads what lies beside the bundles at `path`.
    pub fn read(&self, path: &Path) -> Result<Exported, Error> {
        let beside = path.join(CONFIG);
        let file = self.expo_config.clone().or_else(|| beside.is_file().then_some(beside));
        let config = file.map(|file| read_config(&file)).transpose()?;
        let base_url = match (&self.edge_url, config.as_ref().and_then(|config| config["updates"]["url"].as_str())) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(url)) => Some(base_of(url)?),
            (None, None) => None,
        };
        let is_asked_for = self.expo || self.signing.is_asked_for();
        Ok(Exported {
            is_asked_for,
            base_url,
            config_json: config.map(|config| config.to_string()).unwrap_or_default(),
        })
    }
}

impl Exported {
    /// Returns what the server needs to publish the bundle for Expo clients; none when it is none for them.
    pub async fn publication(&self, found: &Found, target: Option<&v1::Target>) -> Result<Option<Publication>, Error> {
        let is_for_runtime =
            matches!(target.and_then(|target| target.rule.as_ref()), Some(v1::target::Rule::RuntimeVersion(_)));
        let is_export = found.detected.layout == Layout::Expo;
        let base_url = match &self.base_url {
            Some(base_url) if is_export && is_for_runtime => base_url.clone(),
            Some(_) | None if !self.is_asked_for => return Ok(None),
            Some(_) if is_export => return Err(usage("Expo clients need --runtime-version")),
            Some(_) => return Err(usage("this is not what `expo export` writes")),
            None => return Err(usage("say with --edge-url where devices reach an edge")),
        };
        let (found, config_json) = (found.clone(), self.config_json.clone());
        source::run_blocking(move || {
            let mut publication = keys(&found)?;
            publication.wire = v1::ExpoPublication { base_url, config_json, ..publication.wire };
            Ok(Some(publication))
        })
        .await
    }
}

fn usage(text: &str) -> Error {
    Error::Usage(text.to_owned())
}

fn read_config(file: &Path) -> Result<Value, Error> {
    let text = std::fs::read(file).map_err(|source| Error::file(file, source))?;
    let wrong = |cause: serde_json::Error| Error::Usage(format!("{}: {cause}", file.display()));
    serde_json::from_slice(&text).map_err(wrong)
}

/// Returns what stands before our path; for another server's address, its origin.
fn base_of(url: &str) -> Result<String, Error> {
    let parsed = Url::parse(url).map_err(|error| Error::Usage(format!("updates.url in the configuration: {error}")))?;
    match url.rsplit_once(domain::expo::PATH) {
        Some((base_url, _)) => Ok(base_url.to_owned()),
        None => Ok(parsed.origin().ascii_serialization()),
    }
}

/// Returns the launch file's key, and every asset with its own.
fn keys(found: &Found) -> Result<Publication, Error> {
    let (mut wire, mut hashes) = (v1::ExpoPublication::default(), BTreeSet::new());
    for file in &found.detected.files {
        let scanned = found.files.iter().find(|scanned| scanned.input.sha256 == file.sha256);
        let key = md5_of(scanned.ok_or_else(|| Error::Content(format!("{}: the file is gone", file.path)))?)?;
        hashes.insert((key.clone(), URL_SAFE_NO_PAD.encode(file.sha256.as_bytes())));
        match file.role {
            FileRole::Launch => wire.launch_key = key,
            FileRole::Asset => {
                let extension = found.detected.extensions.get(&file.path).cloned().unwrap_or_default();
                wire.assets.push(v1::ExpoAsset { path: file.path.clone(), key, extension });
            }
        }
    }
    Ok(Publication { wire, hashes })
}

/// MD5 is no protection here: Metro writes it into bundles, as the name of a file.
fn md5_of(file: &ScannedFile) -> Result<String, Error> {
    let fail = |source| Error::file(&file.location, source);
    let mut context = md5::Context::new();
    let mut reader = std::fs::File::open(&file.location).map_err(fail)?;
    std::io::copy(&mut reader, &mut context).map_err(fail)?;
    Ok(format!("{:x}", context.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_where_the_app_looks_for_updates() {
        assert_eq!(base_of("https://u.example.com/v1/expo/app_1").unwrap(), "https://u.example.com");
        assert_eq!(base_of("https://example.com/ota/v1/expo/app_1/qa").unwrap(), "https://example.com/ota");
        assert_eq!(base_of("http://127.0.0.1:3388/manifest").unwrap(), "http://127.0.0.1:3388");
        assert!(base_of("/v1/expo/app_1").is_err());
    }
}
