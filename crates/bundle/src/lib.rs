//! This file's job is to name the parts of the crate: what is inside an upload.
//!
//! Synchronous and streaming. A server reads what strangers pack ([`read_archive`]) and finds out what it is ([`detect`]); the
//! command line looks at a folder ([`scan`]), detects the same way, and packs only what is needed ([`pack`]). What is inside the files
//! ([`describe`]) is kept beside the bundle, so that two bundles can be compared ([`compare`]) without their bytes.

mod archive;
mod compare;
mod compress;
mod contents;
mod describe;
mod detect;
mod error;
mod expo;
mod hermes;
mod launch;
mod limits;
mod metro;
mod names;
mod pack;
mod package;
mod scan;
mod source_map;
mod tar_reader;
mod zip_reader;

pub use archive::{read_archive, sniff};
pub use compare::{Change, ChangeKind, Comparison, Side, Subject, compare};
pub use compress::{Allowed, COMPRESSED_MIN_BYTES, compress, decompress, gains_by_effort, is_compressed};
pub use contents::{Asset, Contents, Module};
pub use describe::{Bytes, Of, OpenWhole, describe};
pub use detect::{Detected, Input, Layout, SkipReason, Skipped, detect, source_map_path};
pub use error::{Error, Refusal};
pub use hermes::{HermesFacts, HermesHeader};
pub use limits::Limits;
pub use pack::{Packed, pack};
pub use package::{write_package, write_package_diff};
pub use scan::{ScannedFile, scan};
