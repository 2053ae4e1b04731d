//! This file's job is to read compressed tar files.
//!
//! The raw entries are read, because long names would else be taken into memory whatever their length.

use crate::archive::Intake;
use crate::error::{Error, Refusal};
use crate::limits::{TAR_HEADER_MAX_BYTES, TAR_PADDING_MAX_BYTES, ZSTD_WINDOW_LOG_MAX};
use crate::names;
use std::io::{self, Read};
use tar::{Archive, Entry, EntryType, PaxExtensions};

/// Reads the gzipped tar file.
pub(crate) fn read_gzip(reader: impl Read, intake: &mut Intake<'_, '_>) -> Result<(), Error> {
    read(flate2::read::MultiGzDecoder::new(io::BufReader::new(reader)), intake)
}

/// Reads the tar file that is compressed with Zstandard.
pub(crate) fn read_zstd(reader: impl Read, intake: &mut Intake<'_, '_>) -> Result<(), Error> {
    let mut decoder = zstd::stream::read::Decoder::new(reader).map_err(|error| broken(&error))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| broken(&error))?;
    read(decoder, intake)
}

fn read(reader: impl Read, intake: &mut Intake<'_, '_>) -> Result<(), Error> {
    let mut archive = Archive::new(reader);
    read_entries(&mut archive, intake)?;
    // What follows must be padding; reading it makes the decompressor check its own end.
    let mut rest = archive.into_inner().take(TAR_PADDING_MAX_BYTES + 1);
    let mut seen_bytes = 0;
    let mut buffer = [0_u8; 8192];
    loop {
        let count = rest.read(&mut buffer).map_err(|error| broken(&error))?;
        seen_bytes += count as u64;
        if count == 0 {
            return Ok(());
        }
        if seen_bytes > TAR_PADDING_MAX_BYTES || buffer[..count].iter().any(|&byte| byte != 0) {
            return Err(Refusal::Broken("bytes behind its end".to_owned()).into());
        }
    }
}

fn read_entries(archive: &mut Archive<impl Read>, intake: &mut Intake<'_, '_>) -> Result<(), Error> {
    let mut long_name: Option<Vec<u8>> = None;
    for entry in archive.entries().map_err(|error| broken(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| broken(&error))?;
        intake.count()?;
        match entry.header().entry_type() {
            EntryType::GNULongName => long_name = Some(gnu_name(&mut entry)?),
            EntryType::XHeader => long_name = pax_name(&mut entry)?.or(long_name),
            EntryType::XGlobalHeader => drop(read_header(&mut entry)?),
            kind => {
                let raw = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                read_entry(entry, kind, names::decode(&raw)?, intake)?;
            }
        }
    }
    match long_name {
        Some(_) => Err(Refusal::Broken("a long name without an entry".to_owned()).into()),
        None => Ok(()),
    }
}

fn read_entry<R: Read>(
    mut entry: Entry<'_, R>,
    kind: EntryType,
    name: &str,
    intake: &mut Intake<'_, '_>,
) -> Result<(), Error> {
    let special = |what| Err(Refusal::Special { entry: name.to_owned(), what }.into());
    match kind {
        EntryType::Regular | EntryType::Continuous if !name.ends_with('/') => {
            let size_bytes = entry.size();
            intake.take(name, size_bytes, &mut entry)
        }
        EntryType::Regular | EntryType::Directory => {
            let folder = name.trim_end_matches('/');
            // `tar` of the current folder begins with an entry for the folder itself.
            if folder.is_empty() || folder == "." { Ok(()) } else { Ok(names::check(folder)?) }
        }
        EntryType::Symlink | EntryType::Link => special("a link"),
        EntryType::GNUSparse => special("a sparse file"),
        _ => special("a device or another special file"),
    }
}

fn gnu_name<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, Refusal> {
    let mut name = read_header(entry)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Returns the name that an extended header gives to the next entry.
fn pax_name<R: Read>(entry: &mut Entry<'_, R>) -> Result<Option<Vec<u8>>, Refusal> {
    let header = read_header(entry)?;
    let mut name = None;
    for extension in PaxExtensions::new(&header) {
        let extension = extension.map_err(|error| broken(&error))?;
        match extension.key_bytes() {
            b"path" => name = Some(extension.value_bytes().to_vec()),
            b"size" => return Err(Refusal::Broken("a size in an extended header".to_owned())),
            key if key.starts_with(b"GNU.sparse") => return Err(Refusal::Broken("a sparse file".to_owned())),
            _ => (),
        }
    }
    Ok(name)
}

fn read_header<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, Refusal> {
    if entry.size() > TAR_HEADER_MAX_BYTES {
        return Err(Refusal::Broken("a name or extended header is too long".to_owned()));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    Ok(bytes)
}

fn broken(error: &io::Error) -> Refusal {
    Refusal::Broken(error.to_string())
}
