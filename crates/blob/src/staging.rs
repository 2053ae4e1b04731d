//! This file's job is to keep the parts of an upload until it is processed.
//!
//! A part is durable when [`Store::append`] returns, and it is there whole or not at all; so a transfer resumes at
//! [`Store::received_bytes`] after a crash of either side. Parts are not checked here: whoever reads the upload checks its hash.

use crate::backend::Object;
use crate::error::Error;
use crate::key;
use crate::store::Store;
use bytes::Bytes;
use domain::id::UploadId;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

/// One request's worth: large enough to be efficient, small enough to be held in memory and sent again.
pub const PART_MAX_BYTES: usize = 8 << 20;
/// More parts than the largest upload has even when a client sends 64 KiB at a time.
const PARTS_MAX: usize = 100_000;

/// One stored part of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where in the upload it begins.
    pub offset: u64,
    /// Its size.
    pub size_bytes: u64,
}

impl Store {
    /// Stores the bytes of the upload that begin at the offset, in place of a part that began there. Durable when it returns.
    /// At most [`PART_MAX_BYTES`] at once; an empty part is nothing.
    pub async fn append(&self, upload: &UploadId, offset: u64, bytes: Bytes) -> Result<(), Error> {
        if bytes.len() > PART_MAX_BYTES {
            return Err(Error::TooLarge { size_bytes: bytes.len() as u64, max_bytes: PART_MAX_BYTES as u64 });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.backend.put(&key::part(upload, offset), bytes).await
    }

    /// Lists the stored parts, sorted by offset. They may leave gaps or overlap when a client did so.
    pub async fn parts(&self, upload: &UploadId) -> Result<Vec<Part>, Error> {
        let objects = self.backend.list(&key::upload(upload), None, PARTS_MAX).await?;
        let part = |object: Object| {
            let (_upload, offset) = key::parse_part(&object.key)?;
            Some(Part { offset, size_bytes: object.size_bytes })
        };
        Ok(objects.into_iter().filter_map(part).collect())
    }

    /// Returns how many bytes are stored without a gap from the beginning: where a transfer goes on.
    pub async fn received_bytes(&self, upload: &UploadId) -> Result<u64, Error> {
        Ok(contiguous(&self.parts(upload).await?).last().map_or(0, |(part, _skip)| part.offset + part.size_bytes))
    }

    /// Reads the upload from the beginning to the first gap, one part in memory at a time.
    pub async fn open_upload(&self, upload: &UploadId) -> Result<impl AsyncRead + Send + Unpin + 'static, Error> {
        let parts = contiguous(&self.parts(upload).await?);
        Ok(StreamReader::new(self.clone().read_parts(upload.clone(), parts).map_err(std::io::Error::other).boxed()))
    }

    fn read_parts(
        self,
        upload: UploadId,
        parts: Vec<(Part, u64)>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::iter(parts).then(move |(part, skip)| {
            let (store, key) = (self.clone(), key::part(&upload, part.offset));
            async move { store.backend.get_range(&key, skip..part.size_bytes).await }
        })
    }

    /// Removes all parts of the upload; an unknown one is no error.
    pub async fn remove_upload(&self, upload: &UploadId) -> Result<(), Error> {
        self.backend.delete_all(&key::upload(upload)).await
    }

    /// Lists uploads that have parts, sorted by id, for sweeps.
    pub async fn list_uploads(&self, after: Option<&UploadId>, limit: usize) -> Result<Vec<UploadId>, Error> {
        let mut found: Vec<UploadId> = Vec::new();
        // '~' sorts behind all digits, so the whole upload is passed over.
        let mut position = after.map(|upload| format!("{}~", key::upload(upload)));
        while found.len() < limit {
            let page = self.backend.list(key::UPLOADS, position.as_deref(), 1).await?;
            let Some(object) = page.first() else { break };
            position = Some(match key::parse_part(&object.key) {
                Some((upload, _offset)) => {
                    let next = format!("{}~", key::upload(&upload));
                    found.push(upload);
                    next
                }
                None => object.key.clone(),
            });
        }
        Ok(found)
    }
}

/// Returns the parts that join from offset 0 on, each with how many of its first bytes came before.
fn contiguous(parts: &[Part]) -> Vec<(Part, u64)> {
    let mut end = 0;
    let mut joined = Vec::new();
    for &part in parts {
        let part_end = part.offset.saturating_add(part.size_bytes);
        if part.offset > end {
            break;
        }
        if part_end > end {
            joined.push((part, end - part.offset));
            end = part_end;
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offset: u64, size_bytes: u64) -> Part {
        Part { offset, size_bytes }
    }

    #[test]
    fn parts_join_up_to_the_first_gap_and_overlaps_count_once() {
        assert_eq!(contiguous(&[part(1, 5)]), []);
        let parts = [part(0, 10), part(4, 3), part(8, 6), part(14, 1), part(16, 4)];
        assert_eq!(contiguous(&parts), [(part(0, 10), 0), (part(8, 6), 2), (part(14, 1), 0)]);
    }
}
