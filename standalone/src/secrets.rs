//! This file's job is to make the secrets of an installation on first start, and to find them again.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::Path;

/// The file in the data folder.
const FILE: &str = "secrets.toml";
/// The file with the first API key, for as long as its owner leaves it there.
pub const FIRST_KEY_FILE: &str = "first-key";

/// What nobody else may know.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Protects stored API keys and page tokens.
    pub pepper: String,
    /// The edge shows it to the control plane.
    pub edge_token: String,
}

impl Secrets {
    /// Reads the secrets; makes them when there are none yet.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(data_folder: &Path) -> Result<Self> {
        let path = data_folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).with_context(|| format!("reading {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secrets = Self { pepper: random_text(), edge_token: random_text() };
                write_private(&path, &toml::to_string(&secrets)?)?;
                Ok(secrets)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }
}

/// 256 random bits as hexadecimal digits.
fn random_text() -> String {
    runtime::random::bytes::<32>().map(|byte| format!("{byte:02x}")).concat()
}

/// Writes a file that only its owner can read: all of it or nothing.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::open(folder.path()).unwrap();
        let second = Secrets::open(folder.path()).unwrap();
        assert_eq!(first.pepper, second.pepper);
        assert_eq!(first.edge_token, second.edge_token);
        assert_ne!(first.pepper, first.edge_token);
        assert_eq!(first.pepper.len(), 64);
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
