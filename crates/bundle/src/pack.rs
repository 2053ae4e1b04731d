//! This file's job is to pack files for an upload, the same files always into the same bytes.

use crate::error::{Error, Refusal};
use crate::scan::{ScannedFile, local};
use domain::Sha256;
use domain::hash::Hasher;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// A second for a bundle of 3 MB; the archive is thrown away after it was unpacked, so more would be wasted.
const LEVEL: i32 = 9;

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive.
    pub sha256: Sha256,
    /// Size of the archive.
    pub size_bytes: u64,
    /// How many files it holds.
    pub files: usize,
}

/// Packs the files that are not in `skip` into a tar file compressed with Zstandard, sorted by path, without times and owners.
///
/// # Errors
/// When a file cannot be read, was changed since it was scanned, or the archive cannot be written.
pub fn pack(files: &[ScannedFile], skip: &HashSet<Sha256>, writer: impl Write) -> Result<Packed, Error> {
    let archive = |cause| local("writing", Path::new("the archive"))(cause);
    let mut counted = Counted { writer, hasher: Hasher::default(), size_bytes: 0 };
    let mut encoder = zstd::stream::write::Encoder::new(&mut counted, LEVEL).map_err(archive)?;
    encoder.include_checksum(true).map_err(archive)?;
    let mut builder = tar::Builder::new(encoder);
    let sorted: BTreeMap<&str, &ScannedFile> = files
        .iter()
        .filter(|file| !skip.contains(&file.input.sha256))
        .map(|file| (file.input.path.as_str(), file))
        .collect();
    for file in sorted.values() {
        append(&mut builder, file)?;
    }
    let finished = builder.into_inner().and_then(zstd::stream::write::Encoder::finish);
    finished.and_then(Write::flush).map_err(archive)?;
    Ok(Packed { sha256: counted.hasher.finish(), size_bytes: counted.size_bytes, files: sorted.len() })
}

fn append(builder: &mut tar::Builder<impl Write>, file: &ScannedFile) -> Result<(), Error> {
    let (location, input) = (&file.location, &file.input);
    let opened = File::open(location).map_err(local("opening", location))?;
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(input.size_bytes);
    let mut watched = Watched { bytes: opened.take(input.size_bytes), hasher: Hasher::default() };
    builder.append_data(&mut header, &input.path, &mut watched).map_err(local("packing", location))?;
    if watched.hasher.finish() != input.sha256 {
        let why = "it was changed while it was packed".to_owned();
        return Err(Refusal::Content { entry: input.path.clone(), why }.into());
    }
    Ok(())
}

/// Hashes what is read.
struct Watched<R> {
    bytes: R,
    hasher: Hasher,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Hashes and counts what is written.
struct Counted<W> {
    writer: W,
    hasher: Hasher,
    size_bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
