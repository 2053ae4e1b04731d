//! This file's job is to read the files of an archive within limits, whatever its format.

use crate::error::{Error, Refusal};
use crate::limits::{Limits, RATIO_FREE_BYTES};
use crate::names::Names;
use crate::{tar_reader, zip_reader};
use domain::bundle::ArchiveFormat;
use std::io::{self, Read, Seek, SeekFrom};

/// Takes a file of an archive: its path and its bytes.
pub type Sink<'a> = dyn FnMut(&str, &mut dyn Read) -> io::Result<()> + 'a;

/// Hands every file of the archive to the sink, in the archive's order, its bytes streamed and checked. Folders are passed over.
///
/// What the sink got must be thrown away when this fails: an error may come after the last byte of a file.
///
/// # Errors
/// [`Error::Refused`] when the archive breaks a rule; [`Error::Sink`] when the sink fails.
pub fn read_archive(
    format: ArchiveFormat,
    mut reader: impl Read + Seek,
    limits: &Limits,
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let local = |cause| Error::Local { action: "reading", path: "the archive".to_owned(), cause };
    let size_bytes = reader.seek(SeekFrom::End(0)).map_err(local)?;
    reader.rewind().map_err(local)?;
    let mut intake =
        Intake { names: Names::default(), limits, archive_bytes: size_bytes, total_bytes: 0, entries: 0, sink };
    match format {
        ArchiveFormat::Zip => zip_reader::read(reader, &mut intake),
        ArchiveFormat::TarGzip => tar_reader::read_gzip(reader, &mut intake),
        ArchiveFormat::TarZstd => tar_reader::read_zstd(reader, &mut intake),
    }
}

/// Tells the format of an archive from its first four bytes.
#[must_use]
pub fn sniff(start: &[u8]) -> Option<ArchiveFormat> {
    match start {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(ArchiveFormat::Zip),
        [0x1f, 0x8b, ..] => Some(ArchiveFormat::TarGzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(ArchiveFormat::TarZstd),
        _ => None,
    }
}

/// Counts, checks and hands on what the reader of a format finds.
pub(crate) struct Intake<'a, 'b> {
    names: Names,
    limits: &'a Limits,
    archive_bytes: u64,
    total_bytes: u64,
    entries: usize,
    sink: &'a mut Sink<'b>,
}

impl Intake<'_, '_> {
    pub(crate) fn limits(&self) -> &Limits {
        self.limits
    }

    /// Counts an entry of any kind.
    pub(crate) fn count(&mut self) -> Result<(), Refusal> {
        self.entries += 1;
        if self.entries > self.limits.entries_max {
            return Err(Refusal::TooMany { max: self.limits.entries_max });
        }
        Ok(())
    }

    /// Hands a file to the sink. `size_bytes` is what the archive says of its size.
    pub(crate) fn take(&mut self, name: &str, size_bytes: u64, bytes: &mut dyn Read) -> Result<(), Error> {
        self.names.add(name)?;
        let mut guard = Guard {
            intake_total: self.total_bytes,
            seen_bytes: 0,
            refusal: None,
            name,
            size_bytes,
            bytes,
            bound: Bound { limits: self.limits.clone(), archive_bytes: self.archive_bytes },
        };
        let taken = (self.sink)(name, &mut guard);
        let drained = taken.and_then(|()| io::copy(&mut guard, &mut io::sink()).map(|_| ()));
        if let Some(refusal) = guard.refusal {
            return Err(refusal.into());
        }
        drained.map_err(Error::Sink)?;
        if guard.seen_bytes != size_bytes {
            let why = format!("it has {} bytes instead of {size_bytes}", guard.seen_bytes);
            return Err(Refusal::BrokenEntry { entry: name.to_owned(), why }.into());
        }
        self.total_bytes += size_bytes;
        Ok(())
    }
}

struct Bound {
    limits: Limits,
    archive_bytes: u64,
}

impl Bound {
    fn check(&self, name: &str, file_bytes: u64, total_bytes: u64) -> Result<(), Refusal> {
        let (entry, limits) = (name.to_owned(), &self.limits);
        if file_bytes > limits.file_max_bytes {
            return Err(Refusal::FileTooLarge { entry, max_bytes: limits.file_max_bytes });
        }
        if total_bytes > limits.total_max_bytes {
            return Err(Refusal::TooLarge { entry, max_bytes: limits.total_max_bytes });
        }
        if total_bytes > RATIO_FREE_BYTES && total_bytes > self.archive_bytes.saturating_mul(limits.ratio_max) {
            return Err(Refusal::Ratio { entry, max: limits.ratio_max });
        }
        Ok(())
    }
}

/// Watches the bytes of one file on their way to the sink, and remembers whether the archive was at fault when reading fails.
struct Guard<'a> {
    intake_total: u64,
    seen_bytes: u64,
    refusal: Option<Refusal>,
    name: &'a str,
    size_bytes: u64,
    bytes: &'a mut dyn Read,
    bound: Bound,
}

impl Read for Guard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let refusal = match self.bytes.read(buffer) {
            Ok(count) => {
                self.seen_bytes += count as u64;
                let declared = self.seen_bytes.max(self.size_bytes);
                match self.bound.check(self.name, declared, self.intake_total.saturating_add(declared)) {
                    Ok(()) => return Ok(count),
                    Err(refusal) => refusal,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => Refusal::BrokenEntry { entry: self.name.to_owned(), why: error.to_string() },
        };
        self.refusal = Some(refusal.clone());
        Err(io::Error::other(refusal))
    }
}
