//! This file's job is to name the parts of the format BSDIFF40, that of `bsdiff` and `bspatch` 4.
//!
//! ```text
//! "BSDIFF40"
//! <8 bytes: size of the compressed control block>  <8 bytes: size of the compressed difference block>  <8 bytes: size of the new file>
//! <control block>  <difference block>  <extra block>      each one bzip2 stream
//! ```
//!
//! The control block has triples of numbers (add, copy, seek): add that many bytes of the difference block to bytes of the old file,
//! copy that many bytes of the extra block, move the position in the old file. Numbers have 8 bytes, little endian, the top bit being
//! the sign. Old bytes outside of the old file count as 0.

mod decode;
mod number;

#[cfg(feature = "encode")]
mod classic;
#[cfg(feature = "encode")]
mod costs;
#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "encode")]
mod parse;
#[cfg(feature = "encode")]
mod segments;
#[cfg(feature = "encode")]
mod suffixes;

pub use decode::{block_sizes, decode};
#[cfg(feature = "encode")]
pub(crate) use encode::divide;
#[cfg(feature = "encode")]
pub use encode::encode;
#[cfg(feature = "encode")]
pub(crate) use segments::{Segment, Source};

const MAGIC: &[u8; 8] = b"BSDIFF40";
const HEADER_SIZE_BYTES: usize = 32;
