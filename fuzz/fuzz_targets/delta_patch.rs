//! This file's job is to fuzz patches, which a device applies.

use sha2::{Digest as _, Sha256};

/// A piece of a real bundle.
const BASE: &[u8] = include_bytes!("../corpus/launch_file/metro_start");
const OUTPUT_MAX_BYTES: usize = 1 << 20;
/// A Zstandard skippable frame of 32 bytes (RFC 9842, section 5).
const MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];

/// A patch makes a file within bounds or is refused: as it is, and as the frame of a patch for our base.
pub fn run(bytes: &[u8]) {
    let framed = [&MAGIC[..], &Sha256::digest(BASE)[..], bytes].concat();
    for patch in [bytes, &framed] {
        if let Ok(output) = delta::decode(BASE, patch, OUTPUT_MAX_BYTES) {
            assert!(output.len() <= OUTPUT_MAX_BYTES);
        }
    }
}
