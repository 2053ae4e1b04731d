//! This file's job is to name the way of an event through the edge: taken in, spooled, forwarded.

pub(crate) mod forward;
pub(crate) mod intake;
pub(crate) mod segment;
pub(crate) mod spool;

pub(crate) use spool::SEGMENT_MAX_BYTES;
