//! This file's job is to make a zip file for CodePush's clients on this machine, and to store it as a blob.

use crate::context::Context;
use crate::error::Error;
use bundle::{write_package, write_package_diff};
use domain::bundle::{Blob, BundleFile, ChunkHasher};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};

const PIECE_BYTES: usize = 1 << 20;

/// What is packed.
pub(super) enum Packing {
    /// A bundle's files.
    Whole(Vec<BundleFile>),
    /// What the second one has that the first one lacks.
    Diff(Vec<BundleFile>, Vec<BundleFile>),
}

/// A zip file that lies in the spool folder and is gone when dropped.
pub(super) struct PackageFile {
    pub(super) blob: Blob,
    file: File,
}

/// Makes the file. One of the packed files at a time is in memory.
pub(super) async fn make(context: &Context, packing: Packing) -> Result<PackageFile, Error> {
    let (store, folder) = (context.store.clone(), context.config.spool_folder.clone());
    let (file_max_bytes, runtime) = (context.config.file_max_bytes, tokio::runtime::Handle::current());
    let work = move || {
        let mut open =
            |file: &BundleFile| runtime.block_on(store.read(&file.sha256, file_max_bytes)).map_err(io::Error::other);
        let mut file = tempfile::tempfile_in(folder).map_err(Error::spool("making a package"))?;
        let written = match &packing {
            Packing::Whole(files) => write_package(files, &mut open, &file),
            Packing::Diff(from, to) => write_package_diff(from, to, &mut open, &file),
        };
        written.map_err(|error| match error {
            bundle::Error::Sink(cause) => Error::Spool { action: "writing a package", cause },
            other => Error::Internal(other.to_string()),
        })?;
        let blob = describe(&mut file).map_err(Error::spool("reading a package"))?;
        Ok(PackageFile { blob, file })
    };
    tokio::task::spawn_blocking(work).await?
}

impl PackageFile {
    /// Stores the blob.
    pub(super) async fn store(self, context: &Context) -> Result<Blob, Error> {
        let announced = [self.blob.sha256];
        context.db.write(move |tx| db::condemned::announce(tx, &announced)).await?;
        context.store.put(&self.blob, tokio::fs::File::from_std(self.file)).await?;
        Ok(self.blob)
    }
}

/// Hashes the file from its start, and goes back there.
fn describe(file: &mut File) -> io::Result<Blob> {
    file.rewind()?;
    let (mut hasher, mut piece) = (ChunkHasher::default(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => hasher.update(&piece[..count]),
        }
    }
    file.rewind()?;
    Ok(hasher.finish())
}
