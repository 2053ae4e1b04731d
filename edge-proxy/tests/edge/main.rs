//! This file's job is to name the tests that run a whole edge against a scripted control plane and a real store on disk.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod abuse;
mod access;
mod api;
mod blobs;
mod checks;
mod client;
mod codepush;
mod control_plane;
mod decisions;
mod doors;
mod encodings;
mod expo;
mod faults;
mod faulty;
mod forms;
mod harness;
mod limits;
mod metrics;
mod names;
mod origins;
mod process;
mod rates;
mod replica;
mod samples;
mod sync;
mod telemetry;
