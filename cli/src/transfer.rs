//! This file's job is to bring an archive's bytes to the server, over as many connections as it takes.

use crate::connection::Connection;
use crate::error::Error;
use crate::retry::{FIRST_WAIT, LONGEST_WAIT, PATIENCE};
use bytes::{Bytes, BytesMut};
use domain::Sha256;
use futures::Stream;
use indicatif::ProgressBar;
use proto::v1;
use runtime::backoff::Backoff;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Large enough that messages cost little, small enough that progress moves and little memory is used.
const MESSAGE_SIZE_BYTES: u64 = 256 * 1024;

/// A packed archive, ready to be sent.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its bytes; removed by the system when the command ends, however it ends.
    pub file: Arc<File>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
}

/// How fast and how visibly bytes are sent.
#[derive(Debug, Clone)]
pub struct Pace {
    /// At most so many bytes a second.
    pub limit_bytes_per_second: Option<u64>,
    /// Shows how far the transfer is.
    pub bar: ProgressBar,
}

/// Sends what the server does not have yet, and returns the upload once all bytes are there.
pub async fn send(
    connection: &Connection,
    upload: v1::Upload,
    archive: &Archive,
    pace: &Pace,
) -> Result<v1::Upload, Error> {
    let mut upload = upload;
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let (mut stored_bytes, mut stored_at) = (upload.received_bytes, Instant::now());
    while upload.state() == v1::UploadState::Receiving {
        let failure = match attempt(connection, &upload, archive, pace).await {
            Ok(after) => {
                upload = after;
                continue;
            }
            Err(failure) if failure.is_passing() && stored_at.elapsed() < PATIENCE => failure,
            Err(failure) => return Err(failure),
        };
        tokio::time::sleep(backoff.next_wait()).await;
        match get(connection, &upload.name).await {
            Ok(current) => upload = current,
            Err(error) if error.is_passing() => continue,
            Err(_) => return Err(failure),
        }
        if upload.received_bytes > stored_bytes {
            (stored_bytes, stored_at) = (upload.received_bytes, Instant::now());
            backoff.reset();
        }
    }
    pace.bar.finish_and_clear();
    Ok(upload)
}

/// Reads the state of an upload.
pub async fn get(connection: &Connection, name: &str) -> Result<v1::Upload, Error> {
    let request = v1::GetUploadRequest { name: name.to_owned() };
    connection
        .answer(connection.uploads().get_upload(request).await)?
        .upload
        .ok_or_else(|| Error::missing("the upload"))
}

/// One connection's worth of sending, from where the server stands.
async fn attempt(
    connection: &Connection,
    upload: &v1::Upload,
    archive: &Archive,
    pace: &Pace,
) -> Result<v1::Upload, Error> {
    let messages = messages(upload.name.clone(), upload.received_bytes, archive.clone(), pace.clone());
    let answer = connection.answer(connection.transfers().upload_chunks(messages).await)?;
    answer.upload.ok_or_else(|| Error::missing("the upload"))
}

/// The messages from an offset on. A file that cannot be read ends the stream early; the server then still waits for bytes.
fn messages(
    name: String,
    offset: u64,
    archive: Archive,
    pace: Pace,
) -> impl Stream<Item = v1::UploadChunksRequest> + Send + 'static {
    pace.bar.set_position(offset);
    let step =
        pace.limit_bytes_per_second.map_or(MESSAGE_SIZE_BYTES, |limit| (limit / 10).clamp(1, MESSAGE_SIZE_BYTES));
    futures::stream::unfold((name, offset, archive, pace), move |(name, offset, archive, pace)| async move {
        let size_bytes = step.min(archive.size_bytes.checked_sub(offset).filter(|&rest| rest > 0)?);
        if let Some(limit) = pace.limit_bytes_per_second {
            tokio::time::sleep(Duration::from_micros(size_bytes.saturating_mul(1_000_000) / limit.max(1))).await;
        }
        let file = Arc::clone(&archive.file);
        let data = tokio::task::spawn_blocking(move || read_at(&file, offset, size_bytes)).await.ok()?.ok()?;
        let after = offset + size_bytes;
        pace.bar.set_position(after);
        let message = v1::UploadChunksRequest { name: name.clone(), offset, data };
        Some((message, (name, after, archive, pace)))
    })
}

/// Reads at a position without moving the file's own: an abandoned attempt may still be reading.
fn read_at(file: &File, offset: u64, size_bytes: u64) -> std::io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(usize::try_from(size_bytes).map_err(std::io::Error::other)?);
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, &mut buffer, offset)?;
    #[cfg(windows)]
    {
        let mut filled = 0;
        while filled < buffer.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[filled..], offset + filled as u64)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
    }
    Ok(buffer.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use std::io::Write as _;

    fn archive(size: usize) -> (Archive, Vec<u8>) {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let sha256 = Sha256::of(&bytes);
        (Archive { file: Arc::new(file), size_bytes: size as u64, sha256 }, bytes)
    }

    fn pace(limit_bytes_per_second: Option<u64>) -> Pace {
        Pace { limit_bytes_per_second, bar: ProgressBar::hidden() }
    }

    #[tokio::test]
    async fn messages_begin_where_the_server_stands_and_end_with_the_archive() {
        let (archive, bytes) = archive(600_000);
        for offset in [0, 1, 262_144, 599_999, 600_000] {
            let parts: Vec<_> = messages("u".into(), offset, archive.clone(), pace(None)).collect().await;
            let mut expected = offset;
            for part in &parts {
                assert_eq!(part.offset, expected);
                expected += part.data.len() as u64;
            }
            let sent: Vec<u8> = parts.iter().flat_map(|part| part.data.to_vec()).collect();
            assert_eq!(sent, bytes[offset as usize..]);
        }
    }

    #[tokio::test]
    async fn a_limited_transfer_takes_as_long_as_it_should() {
        tokio::time::pause();
        let (archive, _) = archive(100_000);
        let begun = tokio::time::Instant::now();
        let parts: Vec<_> = messages("u".into(), 0, archive, pace(Some(50_000))).collect().await;
        assert_eq!(parts.len(), 20);
        assert!(begun.elapsed() >= Duration::from_millis(1_990), "{:?}", begun.elapsed());
    }
}
