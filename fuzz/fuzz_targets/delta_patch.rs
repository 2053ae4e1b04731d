//! This file's job is to fuzz patches, which a device applies.

use delta::{Format, Limits};
use sha2::{Digest as _, Sha256};

/// A piece of a real bundle.
const BASE: &[u8] = include_bytes!("../corpus/launch_file/metro_start");
const LIMITS: Limits = Limits { output_max_bytes: 1 << 20, memory_max_bytes: 32 << 20 };
/// What the two formats of RFC 9842 begin with; the SHA-256 of the base follows.
const MAGICS: [(Format, &[u8]); 2] =
    [(Format::Dcb, &[0xff, 0x44, 0x43, 0x42]), (Format::Dcz, &[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0])];

/// A patch makes a file within bounds or is refused: as it is, in every format, and as what stands behind the header of one for our base.
pub fn run(bytes: &[u8]) {
    for format in Format::ALL {
        decode(format, bytes);
    }
    for (format, magic) in MAGICS {
        decode(format, &[magic, &Sha256::digest(BASE)[..], bytes].concat());
    }
}

fn decode(format: Format, patch: &[u8]) {
    if let Ok(output) = format.decode(BASE, patch, &LIMITS) {
        assert!(output.len() <= LIMITS.output_max_bytes);
    }
}
