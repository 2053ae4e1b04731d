//! This file's job is to name the parts of the crate: what is inside an upload.
//!
//! Synchronous and streaming. A server reads what strangers pack ([`read_archive`]) and finds out what it is ([`detect`]); the
//! command line looks at a folder ([`scan`]), detects the same way, and packs only what is needed ([`pack`]).

mod archive;
mod detect;
mod error;
mod expo;
mod hermes;
mod launch;
mod limits;
mod names;
mod pack;
mod scan;
mod tar_reader;
mod zip_reader;

pub use archive::{read_archive, sniff};
pub use detect::{Detected, Input, Layout, SkipReason, Skipped, Warning, detect};
pub use error::{Error, Refusal};
pub use hermes::HermesHeader;
pub use limits::Limits;
pub use pack::{Packed, pack};
pub use scan::{ScannedFile, scan};
