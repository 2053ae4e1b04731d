//! This file's job is to hand bytes of blobs to edges that cannot reach the object store.

use crate::error::{Error, Result};
use blob::Store;
use bytes::Bytes;
use domain::bundle::CHUNK_SIZE_BYTES;
use domain::{ErrorKind, Sha256};
use proto::v1;

/// Reads a range of a blob.
///
/// # Errors
/// Not found when the store has no such blob; invalid argument when the range is too long.
pub async fn read(store: &Store, request: &v1::ReadBlobRequest) -> Result<Bytes> {
    let sha256 = Sha256::try_from(request.sha256.as_ref()).map_err(Error::in_field("sha256"))?;
    if u64::from(request.size_bytes) > CHUNK_SIZE_BYTES {
        return Err(Error::field("size_bytes", format!("must be at most {CHUNK_SIZE_BYTES}")));
    }
    let end = request.offset.saturating_add(request.size_bytes.into());
    let read = store.get_range(&sha256, request.offset..end).await;
    read.map_err(|error| if error.kind() == ErrorKind::NotFound { Error::not_found("blob") } else { error.into() })
}
