//! This file's job is to name the parts that every process needs: configuration, time, randomness, stopping, observation.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod failpoint;
pub mod health;
pub mod log;
pub mod observe;
pub mod process;
pub mod random;
pub mod request_id;
pub mod secret;
pub mod shutdown;
pub mod traceparent;
pub mod vault;
