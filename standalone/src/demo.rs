//! This file's job is to find what the demo needs.

pub mod aloft;
pub mod crowd;
pub mod device;
pub mod fetch;
pub mod http;
pub mod installation;
pub mod narration;
pub mod protocol;
pub mod story;

use crate::options::Options;
use crate::platform::Platform;
use crate::secrets::FIRST_KEY_FILE;
use aloft::Aloft;
use anyhow::{Context as _, Result};
use runtime::secret::ExposeSecret as _;
use std::path::PathBuf;

/// The app that the demo publishes.
const APP: &str = "trailhead";
/// The channel that its devices follow.
const CHANNEL: &str = "production";

/// What the demo needs.
#[derive(Debug)]
pub struct Setting {
    /// The command line.
    pub aloft: Aloft,
    /// Where devices connect.
    pub edge_url: String,
    /// The folder with the sample app's bundles.
    pub corpus: PathBuf,
}

impl Setting {
    /// Finds the command line, the key and the bundles.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn find(options: &Options, platform: &Platform) -> Result<Self> {
        let corpus = options.corpus.clone().context(
            "the demo needs the sample app's bundles: run `./x up --demo`, or set ALOFT_CORPUS to the folder that `./x corpus` prints",
        )?;
        let api_key = match &platform.first_key {
            Some(first) => first.key.expose_secret().to_owned(),
            None => known_key(options)?,
        };
        let aloft = Aloft {
            program: aloft::find()?,
            server: platform.control_plane_url.clone(),
            api_key,
            app: APP.to_owned(),
            channel: CHANNEL.to_owned(),
        };
        Ok(Self { aloft, edge_url: platform.edge_url.clone(), corpus })
    }
}

/// Not the first start: the key is in the environment, or where the first start left it.
fn known_key(options: &Options) -> Result<String> {
    if let Some(key) = std::env::var("ALOFT_API_KEY").ok().filter(|key| !key.is_empty()) {
        return Ok(key);
    }
    let path = options.data_dir.join(FIRST_KEY_FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the demo needs an API key: {} is gone, so set ALOFT_API_KEY", path.display()))?;
    Ok(text.trim().to_owned())
}
