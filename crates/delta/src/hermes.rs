//! This file's job is to name the parts of the format `hbc-delta`: patches between Hermes bytecode files of one version.
//!
//! Wherever bytecode holds an index, a small change of the source renumbers thousands of them. So the decoder knows the file format, and
//! predicts from the old file how they have changed. See `docs/protocols/hbc-delta.md`.

mod adaptive;
mod bytes;
mod code;
mod container;
mod decode;
mod edits;
mod functions;
mod layout;
mod literals;
mod parts;
mod strings;
mod tables;
mod varint;
mod version;
#[cfg(feature = "zstandard")]
mod zstandard;

#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "encode")]
mod renumber;

pub(crate) use container::Profile;
pub(crate) use decode::decode;
#[cfg(feature = "encode")]
pub(crate) use encode::encode;
#[cfg(feature = "encode")]
pub use renumber::renumber_strings;

use crate::error::DeltaError;

fn broken(reason: &str) -> DeltaError {
    DeltaError::Broken(reason.to_owned())
}
