//! This file's job is to turn a ledger into the bytes of its file, and back.

use super::{BATCH_MAX_ROWS, Book, Claimed, Part, ROWS_MAX};
use crate::durable;
use prost::Message as _;
use proto::convert::{tally_from_wire, tally_to_wire};
use proto::v1;
use std::io;
use std::path::Path;

/// All rows with the longest names.
const FILE_MAX_BYTES: u64 = 512 * (ROWS_MAX + BATCH_MAX_ROWS) as u64;
/// CRC-32 of what follows, little-endian.
const CHECKSUM_BYTES: usize = 4;

/// What follows the checksum.
#[derive(Clone, PartialEq, prost::Message)]
struct Page {
    #[prost(uint64, tag = "1")]
    ledger: u64,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(message, optional, tag = "3")]
    claimed: Option<Rows>,
    #[prost(message, optional, tag = "4")]
    open: Option<Rows>,
    #[prost(uint64, tag = "5")]
    counted_segment: u64,
    #[prost(uint64, tag = "6")]
    counted_end: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Rows {
    #[prost(message, repeated, tag = "1")]
    tallies: Vec<v1::Tally>,
    #[prost(uint64, tag = "2")]
    other_times: u64,
}

/// Returns the bytes of the file.
pub(super) fn encode(book: &Book) -> Vec<u8> {
    let rows = |claimed: &Claimed| Rows { tallies: claimed.tallies.clone(), other_times: claimed.other_times };
    let page = Page {
        ledger: book.ledger,
        sequence: book.sequence,
        claimed: book.claimed.as_ref().map(rows),
        open: Some(Rows {
            tallies: book.open.iter().map(|(key, amount)| tally_to_wire(key, *amount)).collect(),
            other_times: book.open_other_times,
        }),
        counted_segment: book.counted.segment,
        counted_end: book.counted.end,
    };
    let mut bytes = vec![0; CHECKSUM_BYTES];
    // A vector always has room.
    let _ = page.encode(&mut bytes);
    let checksum = crc32fast::hash(&bytes[CHECKSUM_BYTES..]).to_le_bytes();
    bytes[..CHECKSUM_BYTES].copy_from_slice(&checksum);
    bytes
}

/// Reads the file; none when it is absent or damaged.
pub(super) fn read(path: &Path) -> io::Result<Option<Book>> {
    let bytes = match durable::read(path, FILE_MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(Vec::new()),
        other => other?,
    };
    let Some(bytes) = bytes else { return Ok(None) };
    let book = decode(&bytes);
    if book.is_none() {
        tracing::error!(path = %path.display(), "the ledger is damaged: what it counted is lost");
    }
    Ok(book)
}

fn decode(bytes: &[u8]) -> Option<Book> {
    let (checksum, bytes) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if crc32fast::hash(bytes).to_le_bytes() != *checksum {
        return None;
    }
    let page = Page::decode(bytes).ok()?;
    let open = page.open.unwrap_or_default();
    Some(Book {
        ledger: page.ledger,
        sequence: page.sequence,
        claimed: page.claimed.map(|Rows { tallies, other_times }| Claimed { tallies, other_times }),
        open: open.tallies.iter().map(tally_from_wire).collect::<Result<_, _>>().ok()?,
        open_other_times: open.other_times,
        counted: Part { segment: page.counted_segment, end: page.counted_end },
    })
}
