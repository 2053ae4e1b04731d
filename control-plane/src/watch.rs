//! This file's job is to name the parts that tell clients what changes while they look.
//!
//! `hub` reads each organization's feed once, however many clients watch it; `stream` speaks with one client; `topics` says what one
//! client wants to know and may know.

pub mod hub;
pub mod stream;
pub mod topics;
