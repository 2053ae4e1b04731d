//! This file's job is to fuzz patches of Hermes bytecode behind what protects them: the hash of the base, and Zstandard's compression.

use delta::{Format, Limits};
use sha2::{Digest as _, Sha256};

/// A real file, of each layout that is understood.
const BASES: [&[u8]; 2] = [
    include_bytes!("../../crates/delta/tests/samples/old-98.hbc"),
    include_bytes!("../../crates/delta/tests/samples/old-96.hbc"),
];
const LIMITS: Limits = Limits { output_max_bytes: 1 << 20, memory_max_bytes: 32 << 20 };
/// Version 1, with the profile behind it.
const MAGIC: &[u8] = b"hbcd\x01";
/// A Zstandard frame with one segment and a content size of 4 bytes.
const FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0xa0];
/// Sizes in the head of a patch: that of the file, and those of the parts as varints of 2 bytes each.
const SIZES: usize = 12;
/// A block that is the last one, and stored.
const BLOCK_LAST: u32 = 1;
/// The largest block that Zstandard allows.
const BLOCK_MAX_BYTES: usize = 128 << 10;

/// Sizes and steps make a file within bounds or are refused. The first byte chooses the base and the profile.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let Some((sizes, raw)) = rest.split_at_checked(SIZES) else { return };
    if raw.len() > BLOCK_MAX_BYTES {
        return;
    }
    let base = BASES[usize::from(*choice) % BASES.len()];
    let is_adaptive = choice >> 1 & 1 != 0;
    let (format, profile) = if is_adaptive { (Format::HermesAdaptive, 2) } else { (Format::Hermes, 1) };
    let data = if is_adaptive { raw.to_vec() } else { frame(raw) };
    // The hash of the result is never right.
    let patch = [MAGIC, &[profile], &Sha256::digest(base)[..], &[0; 32], sizes, &data].concat();
    assert!(format.decode(base, &patch, &LIMITS).is_err());
}

/// Returns a Zstandard frame that holds the bytes as they are.
fn frame(raw: &[u8]) -> Vec<u8> {
    let block = (raw.len() as u32) << 3 | BLOCK_LAST;
    [FRAME, &(raw.len() as u32).to_le_bytes(), &block.to_le_bytes()[..3], raw].concat()
}
