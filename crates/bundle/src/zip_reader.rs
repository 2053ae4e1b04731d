//! This file's job is to read zip files.

use crate::archive::Intake;
use crate::error::{Error, Refusal};
use crate::limits::ZIP_DIRECTORY_MAX_BYTES;
use crate::names;
use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_SIZE_BYTES: u64 = 22;
const ENTRY_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
/// An entry of the directory without its name, extra fields and comment.
const ENTRY_SIZE_BYTES: usize = 46;
const COMMENT_MAX_BYTES: u64 = 0xffff;
/// The bits of a Unix mode that say what kind of file it is, and the kinds that are taken.
const MODE_KIND: u32 = 0o170_000;
const MODE_FILE: u32 = 0o100_000;
const MODE_FOLDER: u32 = 0o040_000;

/// Reads the zip file.
pub(crate) fn read<R: Read + Seek>(mut reader: R, intake: &mut Intake<'_, '_>) -> Result<(), Error> {
    check_end(&mut reader, intake.limits().entries_max)?;
    let mut archive = ZipArchive::new(reader).map_err(broken)?;
    if archive.has_duplicate_names() {
        let directory_start = archive.central_directory_start();
        return Err(name_duplicate(archive.into_inner(), directory_start).into());
    }
    check_ranges(&mut archive)?;
    for index in 0..archive.len() {
        intake.count()?;
        read_entry(&mut archive, index, intake)?;
    }
    Ok(())
}

fn read_entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    intake: &mut Intake<'_, '_>,
) -> Result<(), Error> {
    let raw = archive.by_index_raw(index).map_err(broken)?;
    let name = names::decode(raw.name_raw())?.to_owned();
    if is_folder(&name, &raw)? {
        return Ok(names::check(name.trim_end_matches('/'))?);
    }
    drop(raw);
    let unreadable = |error: ZipError| Refusal::BrokenEntry { entry: name.clone(), why: error.to_string() };
    let mut file = archive.by_index(index).map_err(unreadable)?;
    let size_bytes = file.size();
    intake.take(&name, size_bytes, &mut file)
}

/// Says which name the directory has twice: the archive's own list has it once.
fn name_duplicate(mut reader: impl Read + Seek, directory_start: u64) -> Refusal {
    let mut directory = Vec::new();
    let read = reader
        .seek(SeekFrom::Start(directory_start))
        .and_then(|_| reader.take(ZIP_DIRECTORY_MAX_BYTES).read_to_end(&mut directory));
    if let Err(error) = read {
        return Refusal::Broken(error.to_string());
    }
    let (mut rest, mut seen) = (directory.as_slice(), HashSet::new());
    while rest.starts_with(&ENTRY_SIGNATURE) && rest.len() >= ENTRY_SIZE_BYTES {
        let [name, extra, comment] = [28, 30, 32].map(|offset| usize::from(le16(rest, offset)));
        let Some(raw) = rest.get(ENTRY_SIZE_BYTES..ENTRY_SIZE_BYTES + name) else { break };
        if !seen.insert(raw) {
            let entry = String::from_utf8_lossy(raw).into_owned();
            return Refusal::Duplicate { other: entry.clone(), entry };
        }
        rest = rest.get(ENTRY_SIZE_BYTES + name + extra + comment..).unwrap_or_default();
    }
    Refusal::Broken("two entries have the same name".to_owned())
}

/// Refuses entries that share bytes: a small archive could hold any number of large files.
fn check_ranges<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<(), Refusal> {
    let mut ranges = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let raw = archive.by_index_raw(index).map_err(broken)?;
        let data_start = raw.data_start().unwrap_or(u64::MAX);
        let end = data_start.saturating_add(raw.compressed_size());
        ranges.push((raw.header_start(), end, String::from_utf8_lossy(raw.name_raw()).into_owned()));
    }
    ranges.sort_unstable();
    let next_starts = ranges.iter().skip(1).map(|range| range.0).chain([archive.central_directory_start()]);
    match ranges.iter().zip(next_starts).find(|((_, end, _), next_start)| end > next_start) {
        Some(((_, _, entry), _)) => {
            Err(Refusal::BrokenEntry { entry: entry.clone(), why: "it shares bytes with what follows it".to_owned() })
        }
        None => Ok(()),
    }
}

/// Refuses whatever is neither a file nor a folder.
fn is_folder<R: Read>(name: &str, file: &ZipFile<'_, R>) -> Result<bool, Refusal> {
    let special = |what| Err(Refusal::Special { entry: name.to_owned(), what });
    if file.encrypted() {
        return special("encrypted");
    }
    match file.unix_mode().map_or(0, |mode| mode & MODE_KIND) {
        0 | MODE_FILE if !file.is_symlink() => Ok(name.ends_with('/')),
        MODE_FOLDER => Ok(true),
        _ if file.is_symlink() => special("a link"),
        _ => special("a device or another special file"),
    }
}

/// Checks the size of the directory before anything is allocated for it.
///
/// The record at the end must end where the file does. Zip64 is refused where it would be needed: within the limits it never is.
fn check_end(reader: &mut (impl Read + Seek), entries_max: usize) -> Result<(), Error> {
    let tail = read_tail(reader).map_err(|error| Refusal::Broken(error.to_string()))?;
    let ends_here = |record: &[u8]| record.len() as u64 == END_SIZE_BYTES + u64::from(le16(record, 20));
    let position = tail.windows(4).rposition(|window| window == END_SIGNATURE);
    let record = position.map(|start| &tail[start..]).filter(|record| record.len() as u64 >= END_SIZE_BYTES);
    let Some(record) = record.filter(|record| ends_here(record)) else {
        return Err(Refusal::Broken("it does not end as a zip file does, is it cut off?".to_owned()).into());
    };
    let (entries, directory_bytes) = (le16(record, 10), le32(record, 12));
    if directory_bytes == u32::MAX || le32(record, 16) == u32::MAX || le16(record, 8) != entries {
        return Err(Refusal::Broken("zip64 and split zip files are not taken".to_owned()).into());
    }
    if usize::from(entries) > entries_max || u64::from(directory_bytes) > ZIP_DIRECTORY_MAX_BYTES {
        return Err(Refusal::TooMany { max: entries_max }.into());
    }
    Ok(())
}

fn read_tail(reader: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let size_bytes = reader.seek(SeekFrom::End(0))?;
    let tail_bytes = size_bytes.min(END_SIZE_BYTES + COMMENT_MAX_BYTES);
    reader.seek(SeekFrom::Start(size_bytes - tail_bytes))?;
    let mut tail = Vec::new();
    reader.by_ref().take(tail_bytes).read_to_end(&mut tail)?;
    reader.rewind()?;
    Ok(tail)
}

/// Reads a number of a record that is longer.
fn le16(record: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([record[offset], record[offset + 1]])
}

fn le32(record: &[u8], offset: usize) -> u32 {
    u32::from(le16(record, offset)) | u32::from(le16(record, offset + 2)) << 16
}

fn broken(error: ZipError) -> Refusal {
    Refusal::Broken(error.to_string())
}
