//! This file's job is to name the parts of the edge proxy.
//!
//! The edge holds snapshots of channels that the control plane pushed ([`snapshot`], [`sync`]), decides update checks in memory
//! ([`check`]), serves bytes from its own disk ([`blobs`]) and hands in what devices report ([`telemetry`]). It keeps
//! answering with everything behind it dead, also across its own restart.

mod access;
mod addresses;
mod admin;
mod admission;
mod allowance;
mod api;
mod blobs;
mod body;
mod check;
mod clients;
mod config;
mod cut;
mod device_port;
mod devices;
mod durable;
mod edge;
mod error;
#[doc(hidden)]
pub mod foreign;
mod handover;
mod meters;
mod pace;
mod peer;
mod port;
mod protocols;
mod proxy_protocol;
mod refusal;
mod routes;
mod serve;
mod settings;
mod snapshot;
mod state;
mod sync;
mod telemetry;
mod tls;

pub use clients::connect;
pub use config::{BlobOrigin, Config};
pub use edge::{Deps, Edge};
pub use error::Error;
pub use settings::Settings;
