//! This file's job is to say what every kind of storage can do.

use crate::error::Error;
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
}

/// A place for objects. An object is there whole or not at all, and once there it survives a crash.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// Stores a small object at once, in place of any that is there.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error>;

    /// Begins an object that is written in pieces of at least 5 MiB (the last may be smaller).
    async fn begin(&self, key: &str, size_bytes: u64) -> Result<Box<dyn Sink>, Error>;

    /// Reads exactly the range, which is not empty.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error>;

    /// Returns the object's size.
    async fn size(&self, key: &str) -> Result<Option<u64>, Error>;

    /// Removes the object; an absent one is no error.
    async fn delete(&self, key: &str) -> Result<(), Error>;

    /// Removes all objects whose key begins with the prefix, which ends with `/`.
    async fn delete_all(&self, prefix: &str) -> Result<(), Error>;

    /// Lists up to `limit` objects whose key begins with the prefix (which ends with `/`) and comes after `after`, sorted by key.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Object>, Error>;

    /// Finds out, without retries, whether the storage answers.
    async fn check(&self) -> Result<(), Error>;
}

/// An object that is being written. Dropped without [`Sink::commit`], it leaves nothing that can be seen.
#[async_trait]
pub(crate) trait Sink: Send {
    /// Adds the next piece.
    async fn write(&mut self, piece: Bytes) -> Result<(), Error>;

    /// Makes the object visible and durable.
    async fn commit(self: Box<Self>) -> Result<(), Error>;
}
