//! This file's job is to name the parts of the worker, which does what was queued.
//!
//! [`Worker::build`] makes the machine from a configuration and its dependencies; [`Worker::run`] runs it until it is told to stop.
//! Each queue tier has slots, lends those that are idle, and claims no more jobs than it has. What a job does is in [`jobs`]; its effect and
//! its end are one transaction, guarded by its lease.

mod config;
mod context;
mod error;
mod jobs;
mod leases;
mod mail;
mod metrics;
mod outcome;
mod periodic;
mod rescue;
mod settings;
mod slots;
mod tier;
mod webhook;
mod worker;

pub use config::{Config, MailTransport, TierConfig, Tiers};
pub use context::Deps;
pub use error::Error;
pub use settings::Settings;
pub use worker::Worker;
