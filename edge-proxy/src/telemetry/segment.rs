//! This file's job is to write events to one file and to read them back up to the first byte that does not fit.
//!
//! A segment is a sequence of records: length of the payload (u32, little-endian), CRC-32 of the payload (u32, little-endian), the
//! payload, a serialized `TelemetryEvent`.

use prost::Message as _;
use proto::v1::TelemetryEvent;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const HEADER_BYTES: usize = 8;
/// No event is larger: its texts are bounded when it is taken in. A larger length means that the file is damaged.
const PAYLOAD_MAX_BYTES: usize = 16 * 1024;
/// The longest record that is read back.
pub(crate) const RECORD_MAX_BYTES: usize = HEADER_BYTES + PAYLOAD_MAX_BYTES;

/// Adds the event's record to the buffer.
pub(crate) fn encode(event: &TelemetryEvent, buffer: &mut Vec<u8>) {
    let payload = event.encode_to_vec();
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    buffer.extend_from_slice(&payload);
}

/// Some events of a segment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub(crate) events: Vec<TelemetryEvent>,
    /// Where the next batch begins.
    pub(crate) end: u64,
}

/// Reads up to `max_events` whole records between two offsets. What does not fit its checksum ends the batch, as the end would.
pub(crate) fn read(file: &File, start: u64, end: u64, max_events: usize) -> io::Result<Batch> {
    let mut batch = Batch { events: Vec::new(), end: start };
    while batch.events.len() < max_events {
        let mut header = [0_u8; HEADER_BYTES];
        if batch.end + HEADER_BYTES as u64 > end || !fill(file, &mut header, batch.end)? {
            break;
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let begin = batch.end + HEADER_BYTES as u64;
        if length > PAYLOAD_MAX_BYTES || begin + length as u64 > end {
            break;
        }
        let mut payload = vec![0; length];
        if !fill(file, &mut payload, begin)? || crc32fast::hash(&payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            break;
        }
        let Ok(event) = TelemetryEvent::decode(payload.as_slice()) else { break };
        batch.events.push(event);
        batch.end = begin + length as u64;
    }
    Ok(batch)
}

/// Fills the buffer; false when the file ends before.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn events(count: usize) -> Vec<TelemetryEvent> {
        (0..count).map(|i| TelemetryEvent { event_id: format!("evt-{i}"), ..Default::default() }).collect()
    }

    fn written(events: &[TelemetryEvent]) -> Vec<u8> {
        let mut bytes = Vec::new();
        events.iter().for_each(|event| encode(event, &mut bytes));
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Batch {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file, 0, bytes.len() as u64, usize::MAX).unwrap()
    }

    proptest! {
        #[test]
        fn a_cut_or_changed_file_gives_a_beginning_of_what_was_written(cut in 0_usize..400, flip in 0_usize..400) {
            let events = events(10);
            let whole = written(&events);
            let mut bytes = whole[..cut.min(whole.len())].to_vec();
            if let Some(byte) = bytes.get_mut(flip) {
                *byte ^= 0x55;
            }
            let batch = read_bytes(&bytes);
            prop_assert!(events.starts_with(&batch.events));
            prop_assert!(batch.end as usize <= bytes.len());
        }
    }

    #[test]
    fn batches_follow_each_other_without_gap_or_overlap() {
        let events = events(7);
        let bytes = written(&events);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let (mut seen, mut start) = (Vec::new(), 0);
        loop {
            let batch = read(&file, start, bytes.len() as u64, 3).unwrap();
            if batch.events.is_empty() {
                break;
            }
            start = batch.end;
            seen.extend(batch.events);
        }
        assert_eq!(seen, events);
    }
}
