//! This file's job is to define what is known of the inside of a bundle, and to keep it small for storage.

use crate::error::Error;
use crate::hermes::HermesFacts;
use crate::limits::CONTENTS_MAX_BYTES;
use domain::Sha256;
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _};

/// Written often, read seldom: a millisecond for a bundle of a thousand modules.
const LEVEL: i32 = 6;

/// What is known of the inside of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contents {
    /// The modules of the launch file in its order; empty when they are not known: other bundlers, and bytecode without a source map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Module>,
    /// What the tables of the bytecode say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hermes: Option<HermesFacts>,
    /// What is known of assets, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Asset>,
}

/// One module of the launch file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Metro's number; none in bytecode. One more module gives others other numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Path of its source, when a source map or a development bundle says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where its text begins in the launch file; none in bytecode, where its functions lie apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Size of its text; in bytecode, of its functions' code.
    #[serde(rename = "size")]
    pub size_bytes: u64,
    /// SHA-256 of its text without numbers of modules; in bytecode, of its source. None when the source map has no sources.
    #[serde(default, rename = "sha256", skip_serializing_if = "Option::is_none")]
    pub content: Option<Sha256>,
    /// The numbers of the modules that it requires.
    #[serde(default, rename = "deps", skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<u64>,
}

/// What is known of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its path in the bundle.
    pub path: String,
    /// What developers call it, where its path is a hash: an Expo export with an asset map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Width and height in pixels, for images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<(u32, u32)>,
}

impl Contents {
    /// Writes the contents for storage: JSON, compressed with Zstandard.
    ///
    /// # Errors
    /// Never in practice: memory is written.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let json = serde_json::to_vec(self).map_err(|error| Error::Sink(io::Error::other(error)))?;
        if json.len() as u64 > CONTENTS_MAX_BYTES {
            // No real bundle gets here; what is known of its files is worth more than its modules.
            let rest = Self { modules: Vec::new(), hermes: self.hermes, assets: Vec::new() };
            return rest.encode();
        }
        zstd::bulk::compress(&json, LEVEL).map_err(Error::Sink)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Sink`] when the bytes are something else.
    pub fn decode(stored: &[u8]) -> Result<Self, Error> {
        let mut json = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(stored).map_err(Error::Sink)?;
        decoder.take(CONTENTS_MAX_BYTES).read_to_end(&mut json).map_err(Error::Sink)?;
        serde_json::from_slice(&json).map_err(|error| Error::Sink(io::Error::other(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_survive_storage() {
        let module = Module {
            id: Some(3),
            path: Some("src/App.js".into()),
            offset: Some(10),
            size_bytes: 20,
            content: Some(Sha256::of(b"x")),
            dependencies: vec![1, 2],
        };
        let asset = Asset { path: "assets/0a".into(), name: Some("assets/a.png".into()), pixels: Some((3, 4)) };
        let contents = Contents { modules: vec![module], hermes: None, assets: vec![asset] };
        assert_eq!(Contents::decode(&contents.encode().unwrap()).unwrap(), contents);
        assert!(Contents::decode(b"no").is_err());
    }
}
