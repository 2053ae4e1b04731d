//! This file's job is to name the ways of what devices do through the edge: taken in, spooled, forwarded; or counted, kept, brought away.

pub(crate) mod counts;
pub(crate) mod courier;
pub(crate) mod deliver;
pub(crate) mod forward;
pub(crate) mod intake;
pub(crate) mod keeping;
pub(crate) mod ledger;
pub(crate) mod segment;
pub(crate) mod served;
pub(crate) mod spool;

pub(crate) use spool::SEGMENT_MAX_BYTES;

#[cfg(test)]
mod tests;
