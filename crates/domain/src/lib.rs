//! This file's job is to name the parts of what is true in Aloft, without any I/O.
//!
//! Everything here is pure: no clock, no randomness, no async, no SQL, no protobuf. Callers pass the time and the random bits in.

mod text_enum;

pub mod audit;
pub mod bucket;
pub mod bundle;
pub mod calendar;
pub mod codepush;
pub mod decide;
pub mod device;
pub mod email;
pub mod environment;
pub mod error;
pub mod expo;
pub mod hash;
pub mod id;
pub mod job;
pub mod month;
pub mod name;
pub mod plan;
pub mod ppm;
pub mod release;
pub mod snapshot;
pub mod tally;
pub mod target;
pub mod telemetry;
pub mod time;
pub mod warning;
pub mod web_address;
pub mod webhook;

pub use email::EmailAddress;
pub use environment::Environment;
pub use error::ErrorKind;
pub use hash::Sha256;
pub use name::{AppSlug, ChannelName, Platform};
pub use ppm::Ppm;
pub use time::Timestamp;
