//! This file's job is to name the parts of the object store.
//!
//! Blobs are immutable and named by their SHA-256; uploads wait in a staging area until they are processed. Both live on a local
//! disk or in an S3 bucket, behind one [`Store`]:
//!
//! ```text
//! blobs/<first two digits>/<sha256>      a blob
//! uploads/<upload id>/<offset, 20 digits>  one part of an upload
//! tmp/                                   what is being written (disk only)
//! ```

mod backend;
mod disk;
mod error;
mod key;
mod location;
mod retry;
mod s3;
mod staging;
mod store;

pub use error::Error;
pub use location::{BucketLocation, Location};
pub use staging::{PART_MAX_BYTES, Part};
pub use store::{Listed, Put, RANGE_MAX_BYTES, Store};
