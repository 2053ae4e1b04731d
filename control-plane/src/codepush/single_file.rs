//! This file's job is to pack a launch file that was sent without a folder around it, so that it is an archive like all others.

use super::package_form::PackageFile;
use super::refusal::Refusal;
use crate::error::Error;
use bundle::{Input, ScannedFile, detect, pack};
use domain::{Platform, Sha256};
use proto::v1;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use tempfile::NamedTempFile;

/// A file as it was sent.
pub(super) struct SingleFile {
    pub(super) file: NamedTempFile,
    /// What the sender calls it.
    pub(super) name: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: Sha256,
}

impl SingleFile {
    /// Packs it, if it is a launch file for the platform. Takes a second for a large one.
    pub(super) async fn pack(self, platform: Platform) -> Result<PackageFile, Refusal> {
        let packed = tokio::task::spawn_blocking(move || self.pack_now(platform)).await;
        packed.map_err(|cause| Error::Broken { what: "a package cannot be packed", cause: cause.into() })?
    }

    fn pack_now(self, platform: Platform) -> Result<PackageFile, Refusal> {
        let location = self.file.path().to_owned();
        let input = Input { path: self.name, sha256: self.sha256, size_bytes: self.size_bytes };
        let mut start = |_: &str, max: usize| {
            let mut bytes = Vec::new();
            File::open(&location)?.take(max as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        detect(std::slice::from_ref(&input), platform, &mut start).map_err(|error| {
            Refusal::field(
                "package",
                &format!("must be a zip file, or a bundle for the deployment's platform: {error}"),
            )
        })?;
        let disk = |cause: io::Error| Error::Broken { what: "a package cannot be packed", cause: cause.into() };
        let mut file = tempfile::tempfile().map_err(disk)?;
        let packed = pack(&[ScannedFile { location, input }], &HashSet::new(), &file)
            .map_err(|cause| Error::Broken { what: "a package cannot be packed", cause: cause.into() })?;
        file.rewind().map_err(disk)?;
        let (file, format) = (tokio::fs::File::from_std(file), v1::ArchiveFormat::TarZstd);
        Ok(PackageFile { file, size_bytes: packed.size_bytes, sha256: packed.sha256, format })
    }
}
