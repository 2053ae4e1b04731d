//! This file's job is to turn what people have on disk into files to upload and into an archive.

use crate::error::Error;
use crate::platform::AnyPlatform;
use crate::transfer::Archive;
use domain::bundle::BundleFile;
use domain::{Platform, Sha256};
use proto::v1;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// One bundle that was found.
pub struct Found {
    /// What it runs on.
    pub platform: Platform,
    /// Its files, sorted by path.
    pub files: Vec<BundleFile>,
    /// The bundle's content hash.
    pub content_sha256: Sha256,
}

impl Found {
    /// Returns the size of all files in bytes.
    #[must_use]
    pub fn total_size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Returns the files whose bytes need not be sent.
    #[must_use]
    pub fn known_files(&self, _missing: &BTreeSet<Sha256>) -> Vec<v1::BundleFile> {
        Vec::new()
    }
}

/// Finds bundles.
pub async fn find(_path: PathBuf, _platform: Option<AnyPlatform>) -> Result<Vec<Found>, Error> {
    Err(Error::Content(String::new()))
}

/// Packs.
pub async fn pack(_found: Found, _missing: BTreeSet<Sha256>) -> Result<Archive, Error> {
    Err(Error::Content(String::new()))
}
