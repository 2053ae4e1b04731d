//! This file's job is to name the parts of the crate: patches that make a new file from an old one.
//!
//! Pure: no I/O, no clock, nothing of this project. One module for each format. The feature `encode` (on by default) makes patches;
//! without it the crate only applies them. The feature `zstandard` (on by default) has the formats that need a library in C.
#![forbid(unsafe_code)]

pub mod bsdiff40;
pub mod dcb;
#[cfg(feature = "zstandard")]
pub mod dcz;

mod apply;
#[cfg(feature = "encode")]
mod budget;
#[cfg(feature = "encode")]
mod bzip2;
mod dictionary;
mod error;
mod format;
mod hermes;
mod limits;

pub use apply::{Expected, apply};
#[cfg(feature = "encode")]
pub use budget::{Budget, Effort};
#[cfg(feature = "encode")]
pub use dcz::size_alone;
pub use error::{DeltaError, DeltaErrorKind};
pub use format::Format;
#[cfg(feature = "encode")]
pub use hermes::renumber_strings;
pub use limits::Limits;

/// Larger files are sent whole: the encoders would need gigabytes for them.
pub const INPUT_MAX_BYTES: usize = 64 << 20;
