//! This file's job is to fuzz segments of the edge's spool, as a crash or a bad disk may leave them.

use std::io::Write as _;

/// Whatever is in the file, reading it ends.
pub fn run(bytes: &[u8]) {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("the temporary file can be written");
    edge_proxy::foreign::segment(&file, bytes.len() as u64);
}
