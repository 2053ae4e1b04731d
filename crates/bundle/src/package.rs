//! This file's job is to pack bundles as CodePush's clients take them, the same files always into the same bytes.

use crate::error::Error;
use domain::bundle::BundleFile;
use domain::codepush::{SIGNATURE_FILE, package_path};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek, Write};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// The file that makes a zip file a diff.
const DIFF_MANIFEST: &str = "hotcodepush.json";
/// Packed once, downloaded by every device.
const LEVEL: i64 = 9;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffManifest {
    deleted_files: Vec<String>,
}

/// Packs all files. `open` returns the bytes of one.
///
/// # Errors
/// [`Error::Sink`] when a file cannot be opened, or the writer fails.
pub fn write_package<B: AsRef<[u8]>>(
    files: &[BundleFile],
    open: &mut dyn FnMut(&BundleFile) -> io::Result<B>,
    writer: impl Write + Seek,
) -> Result<(), Error> {
    let mut zip = ZipWriter::new(writer);
    append(&mut zip, files.iter(), open)?;
    zip.finish().map_err(sink).map(drop)
}

/// Packs the files that somebody lacks who has the files of `from`, and the names of those that are too many. A signature is never taken
/// for the same: the hash of a package says nothing of it.
///
/// # Errors
/// Those of [`write_package`].
pub fn write_package_diff<B: AsRef<[u8]>>(
    from: &[BundleFile],
    to: &[BundleFile],
    open: &mut dyn FnMut(&BundleFile) -> io::Result<B>,
    writer: impl Write + Seek,
) -> Result<(), Error> {
    let had: BTreeMap<&str, &BundleFile> = from.iter().map(|file| (file.path.as_str(), file)).collect();
    let wanted: BTreeSet<&str> = to.iter().map(|file| file.path.as_str()).collect();
    let gone = had.keys().copied().chain([SIGNATURE_FILE]).filter(|path| !wanted.contains(path));
    let deleted: BTreeSet<String> = gone.map(package_path).collect();
    let is_same = |file: &BundleFile| {
        file.path != SIGNATURE_FILE && had.get(file.path.as_str()).is_some_and(|old| old.sha256 == file.sha256)
    };
    let manifest = DiffManifest { deleted_files: deleted.into_iter().collect() };
    let manifest = serde_json::to_vec(&manifest).map_err(|error| Error::Sink(io::Error::other(error)))?;
    let mut zip = ZipWriter::new(writer);
    zip.start_file(DIFF_MANIFEST, options()).map_err(sink)?;
    zip.write_all(&manifest).map_err(Error::Sink)?;
    append(&mut zip, to.iter().filter(|file| !is_same(file)), open)?;
    zip.finish().map_err(sink).map(drop)
}

fn append<'a, B: AsRef<[u8]>>(
    zip: &mut ZipWriter<impl Write + Seek>,
    files: impl Iterator<Item = &'a BundleFile>,
    open: &mut dyn FnMut(&BundleFile) -> io::Result<B>,
) -> Result<(), Error> {
    let sorted: BTreeMap<&str, &BundleFile> = files.map(|file| (file.path.as_str(), file)).collect();
    for file in sorted.into_values() {
        let bytes = open(file).map_err(Error::Sink)?;
        zip.start_file(package_path(&file.path), options()).map_err(sink)?;
        zip.write_all(bytes.as_ref()).map_err(Error::Sink)?;
    }
    Ok(())
}

/// No entry says when or by whom it was made.
fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644)
}

fn sink(error: zip::result::ZipError) -> Error {
    Error::Sink(io::Error::other(error))
}
