//! This file's job is to name the parts of the one-process shape.
//!
//! [`platform::Platform`] starts the same builders that the separate programs use; nothing is implemented twice.

pub mod config;
pub mod demo;
pub mod options;
pub mod platform;
pub mod secrets;
