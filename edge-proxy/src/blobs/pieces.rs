//! This file's job is to read pieces of files without holding up the async threads.

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Large enough that a read costs little beside the copy, small enough that the copy is over soon.
pub(crate) const PIECE_MAX_BYTES: u64 = 256 * 1024;

/// Reads exactly the range. Bytes in the page cache are copied at once; for others the read moves off the async threads.
pub(crate) async fn read(file: Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
    let mut buffer = vec![0; size_of_range(&range)?];
    let filled =
        if range.end - range.start <= PIECE_MAX_BYTES { read_cached(&file, &mut buffer, range.start)? } else { 0 };
    if filled == buffer.len() {
        return Ok(buffer.into());
    }
    let work = move || {
        file.read_exact_at(&mut buffer[filled..], range.start + filled as u64)?;
        Ok(Bytes::from(buffer))
    };
    crate::durable::blocking(work).await
}

/// Reads exactly the range. Blocks.
pub(crate) fn read_blocking(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let mut buffer = vec![0; size_of_range(&range)?];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(buffer.into())
}

fn size_of_range(range: &Range<u64>) -> io::Result<usize> {
    usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)
}

/// Reads what is in the page cache and returns how much that was.
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    match rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(filled) => Ok(filled),
        // Not in the cache, interrupted, or a file system that cannot say.
        Err(Errno::AGAIN | Errno::INTR | Errno::NOTSUP | Errno::NOSYS) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
