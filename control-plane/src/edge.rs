//! This file's job is to name the parts that keep edges up to date.

pub mod feed;
pub mod fleet;
pub mod hub;
pub mod stream;
pub mod words;
