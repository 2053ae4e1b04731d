//! This file's job is to name the parts of the crate: patches that make a new file from an old one.
//!
//! Pure: no I/O, no clock, nothing of this project. The feature `encode` (on by default) makes patches; without it the crate only
//! applies them.
#![forbid(unsafe_code)]

mod decode;
mod error;
mod header;

#[cfg(feature = "encode")]
mod encode;

pub use decode::decode;
#[cfg(feature = "encode")]
pub use encode::{LEVEL_DEFAULT, encode};
pub use error::DeltaError;
pub use header::{FORMAT, base_sha256};

/// Larger files are sent whole: the encoder would need some hundred megabytes for them.
pub const INPUT_MAX_BYTES: usize = 64 << 20;
