//! This file's job is to fuzz Range headers.

/// The first eight bytes are the size of the blob, the rest is the header.
pub fn run(bytes: &[u8]) {
    let Some((size, header)) = bytes.split_first_chunk::<8>() else { return };
    if let Ok(header) = std::str::from_utf8(header) {
        edge_proxy::foreign::range(header, u64::from_le_bytes(*size));
    }
}
