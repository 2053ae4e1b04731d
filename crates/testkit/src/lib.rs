//! This file's job is to name what tests need from the outside world: real servers, faults and a way to wait.

#![expect(clippy::expect_used, reason = "a test that cannot get its servers must stop and say why")]

pub mod bad_line;
pub mod disk;
pub mod door;
pub mod fault;
pub mod oidc;
pub mod postgres;
pub mod process;
pub mod receiver;
mod relay;
pub mod s3;
pub mod smtp;
mod wait;

pub use wait::{wait_until, wait_until_async};
