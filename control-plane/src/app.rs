//! This file's job is to name the use cases. Each one runs inside a transaction that [`crate::context::Context`] owns.

pub mod api_keys;
pub mod app_transfer;
pub mod apps;
pub mod binaries;
pub mod bundle_builds;
pub mod bundles;
pub mod channels;
pub mod credentials;
pub mod dead_jobs;
pub mod deltas;
pub mod devices;
pub mod etag;
pub mod explain;
pub mod jobs;
pub mod lookup;
pub mod members;
pub mod operator;
pub mod people;
pub mod pins;
pub mod publishers;
pub mod quotas;
pub mod record;
pub mod releases;
pub mod telemetry;
pub mod uploads;
