//! This file's job is to read what a Hermes bytecode file says about itself.
//!
//! All numbers are little-endian. The header is the same up to the RegExp storage in every version since 90; the table behind it has
//! one of two shapes. Source: `BytecodeFileFormat.h` of facebook/hermes on the branches rn/0.71-stable (90) to rn/0.79-stable (96),
//! 250829098.0.0-stable (98) and 260318099.0.0-stable (99).

use crate::error::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;

const MAGIC: [u8; 8] = 0x1f19_03c1_03bc_1fc6_u64.to_le_bytes();
const VERSION_OFFSET: usize = 8;
const LENGTH_OFFSET: usize = 32;
const FUNCTION_COUNT_OFFSET: usize = 40;
const IDENTIFIER_COUNT_OFFSET: usize = 48;
const STRING_COUNT_OFFSET: usize = 52;
const STRING_STORAGE_OFFSET: usize = 60;
/// The header with its padding; the function table begins behind it.
const HEADER_BYTES: usize = 128;
/// The bit of a function's flags that says that its header lies elsewhere, in the long form.
const OVERFLOWED: u8 = 1 << 5;
/// A function's place in the file has so many bits in the short form.
const OFFSET_BITS: u32 = 25;

/// The beginning of a Hermes bytecode file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HermesHeader {
    /// Version of the bytecode; a device runs only its own.
    pub version: u32,
    /// Size of the file.
    pub length_bytes: u32,
}

/// What the tables of a bytecode file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HermesFacts {
    /// Version of the bytecode.
    pub version: u32,
    /// How many functions there are.
    pub function_count: u32,
    /// Size of their code; functions with the same code share it.
    pub code_size_bytes: u64,
    /// How many strings there are, identifiers included.
    pub string_count: u32,
    /// How many of the strings are identifiers.
    pub identifier_count: u32,
    /// Size of the strings' characters.
    pub string_size_bytes: u32,
}

/// How the function table of some versions is written.
struct Layout {
    versions: RangeInclusive<u32>,
    /// Size of one entry; its last byte are the flags.
    entry_bytes: usize,
    /// Which bits of the second word are the code's size, counted from the lowest.
    size_bits: u32,
    /// Where in the long form the code's size stands.
    long_size_offset: usize,
    /// Returns where the long form lies, given the words of the short form.
    long_offset: fn(&[u8]) -> Option<u64>,
}

const LAYOUTS: [Layout; 2] = [
    // offset 25, parameters 7 | size 15, name 17 | info 25, frame 7 | environment, caches, flags: a byte each
    Layout {
        versions: 90..=96,
        entry_bytes: 16,
        size_bits: 15,
        long_size_offset: 8,
        long_offset: |entry| Some(u64::from((bits(entry, 8, 0, OFFSET_BITS)? << 16) | bits(entry, 0, 0, OFFSET_BITS)?)),
    },
    // offset 25, parameters 5, loops 2 | size 14, name 8, registers 10 | frame, caches, flags: a byte each
    Layout {
        versions: 98..=99,
        entry_bytes: 12,
        size_bits: 14,
        long_size_offset: 12,
        long_offset: |entry| Some(u64::from((bits(entry, 4, 14, 8)? << 24) | bits(entry, 0, 0, OFFSET_BITS)?)),
    },
];

impl HermesHeader {
    /// Says whether the bytes begin as Hermes bytecode does.
    #[must_use]
    pub fn is_hermes(start: &[u8]) -> bool {
        start.starts_with(&MAGIC)
    }

    /// Reads the header; none when the bytes are too few or begin otherwise.
    #[must_use]
    pub fn parse(start: &[u8]) -> Option<Self> {
        if !Self::is_hermes(start) {
            return None;
        }
        Some(Self { version: number(start, VERSION_OFFSET)?, length_bytes: number(start, LENGTH_OFFSET)? })
    }
}

/// Reads the function table; none for a version whose tables are not known. Memory grows with the number of functions that differ,
/// which the file's size bounds.
///
/// # Errors
/// [`Refusal::Content`] inside the result when the tables lie outside of the file; an I/O error when reading fails.
pub fn read_hermes(path: &str, reader: &mut (impl Read + Seek)) -> io::Result<Result<Option<HermesFacts>, Refusal>> {
    let broken = |why: &str| Refusal::Content { entry: path.to_owned(), why: format!("the Hermes bytecode {why}") };
    let size_bytes = reader.seek(SeekFrom::End(0))?;
    let mut header = [0; HEADER_BYTES];
    if size_bytes < HEADER_BYTES as u64 {
        return Ok(Err(broken("ends in its header")));
    }
    read_at(reader, 0, &mut header)?;
    let known = HermesHeader::parse(&header).and_then(|found| {
        let layout = LAYOUTS.iter().find(|layout| layout.versions.contains(&found.version))?;
        Some((found.version, layout))
    });
    let (Some((version, layout)), Some(function_count)) = (known, number(&header, FUNCTION_COUNT_OFFSET)) else {
        return Ok(Ok(None));
    };
    let table_bytes = u64::from(function_count) * layout.entry_bytes as u64;
    if HEADER_BYTES as u64 + table_bytes > size_bytes {
        return Ok(Err(broken("has more functions than fit into the file")));
    }
    let Some(code_size_bytes) = read_functions(reader, layout, function_count, size_bytes)? else {
        return Ok(Err(broken("has a function outside of the file")));
    };
    let field = |offset| number(&header, offset).unwrap_or(0);
    Ok(Ok(Some(HermesFacts {
        version,
        function_count,
        code_size_bytes,
        string_count: field(STRING_COUNT_OFFSET),
        identifier_count: field(IDENTIFIER_COUNT_OFFSET),
        string_size_bytes: field(STRING_STORAGE_OFFSET),
    })))
}

/// Returns the size of all code; none when some lies outside of the file.
fn read_functions(
    reader: &mut (impl Read + Seek),
    layout: &Layout,
    count: u32,
    file_bytes: u64,
) -> io::Result<Option<u64>> {
    let mut table = Vec::new();
    reader.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
    reader.by_ref().take(u64::from(count) * layout.entry_bytes as u64).read_to_end(&mut table)?;
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in table.chunks_exact(layout.entry_bytes) {
        let is_long = entry.last().is_some_and(|flags| flags & OVERFLOWED != 0);
        let place = if is_long { long_place(reader, layout, entry, file_bytes)? } else { short_place(layout, entry) };
        let Some((offset, size_bytes)) = place.filter(|(offset, size)| offset + size <= file_bytes) else {
            return Ok(None);
        };
        let known = sizes.entry(offset).or_default();
        *known = size_bytes.max(*known);
    }
    Ok(Some(sizes.values().sum()))
}

fn short_place(layout: &Layout, entry: &[u8]) -> Option<(u64, u64)> {
    Some((bits(entry, 0, 0, OFFSET_BITS)?.into(), bits(entry, 4, 0, layout.size_bits)?.into()))
}

fn long_place(
    reader: &mut (impl Read + Seek),
    layout: &Layout,
    entry: &[u8],
    file_bytes: u64,
) -> io::Result<Option<(u64, u64)>> {
    let mut long = [0; 16];
    let place = (layout.long_offset)(entry).filter(|offset| offset + long.len() as u64 <= file_bytes);
    let Some(place) = place else { return Ok(None) };
    read_at(reader, place, &mut long)?;
    let (offset, size_bytes) = (number(&long, 0), number(&long, layout.long_size_offset));
    Ok(offset.zip(size_bytes).map(|(offset, size_bytes)| (offset.into(), size_bytes.into())))
}

fn read_at(reader: &mut (impl Read + Seek), offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    reader.seek(SeekFrom::Start(offset))?;
    reader.read_exact(buffer)
}

fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn bits(bytes: &[u8], word_offset: usize, shift: u32, count: u32) -> Option<u32> {
    Some((number(bytes, word_offset)? >> shift) & ((1 << count) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// A file with a function in the short form, one in the long form, and one that shares the first one's code.
    fn file(version: u32) -> Vec<u8> {
        let is_old = version <= 96;
        let entry_bytes = if is_old { 16 } else { 12 };
        let code_offset = HEADER_BYTES + 3 * entry_bytes;
        let long_offset = code_offset + 50;
        let mut bytes = vec![0; long_offset + 16];
        bytes[..8].copy_from_slice(&MAGIC);
        let mut put = |offset: usize, value: u32| bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        put(VERSION_OFFSET, version);
        put(FUNCTION_COUNT_OFFSET, 3);
        put(STRING_COUNT_OFFSET, 9);
        for function in [0, 2] {
            put(HEADER_BYTES + function * entry_bytes, code_offset as u32);
            put(HEADER_BYTES + function * entry_bytes + 4, 20);
        }
        put(HEADER_BYTES + entry_bytes, long_offset as u32);
        put(long_offset, code_offset as u32 + 20);
        put(long_offset + if is_old { 8 } else { 12 }, 30);
        bytes[HEADER_BYTES + 2 * entry_bytes - 1] = OVERFLOWED;
        let length = bytes.len() as u32;
        bytes[LENGTH_OFFSET..LENGTH_OFFSET + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Option<HermesFacts>, Refusal> {
        read_hermes("main.hbc", &mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn short_long_and_shared_functions_are_counted_in_every_known_version() {
        for version in [90, 96, 98, 99] {
            let facts = read(&file(version)).unwrap().unwrap();
            assert_eq!((facts.function_count, facts.code_size_bytes, facts.string_count), (3, 50, 9), "{version}");
        }
    }

    #[test]
    fn tables_of_an_unknown_version_are_left_alone() {
        for version in [84, 97, 100] {
            assert_eq!(read(&file(version)), Ok(None), "{version}");
        }
    }

    #[test]
    fn tables_outside_of_the_file_are_refused() {
        let mut many = file(98);
        many[FUNCTION_COUNT_OFFSET..FUNCTION_COUNT_OFFSET + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&many).is_err());
        let whole = file(98);
        assert!(read(&whole[..whole.len() - 40]).is_err());
        assert!(read(&whole[..100]).is_err());
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(version in 88_u32..102, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = file(version);
            for (index, value) in flips {
                let position = index.index(bytes.len());
                bytes[position] = value;
            }
            if let Ok(Some(facts)) = read(&bytes) {
                prop_assert!(facts.function_count as usize <= bytes.len());
            }
        }
    }
}
