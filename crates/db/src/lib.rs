//! This file's job is to name the parts of the crate that alone says SQL.
//!
//! A caller opens a [`Db`], then runs verbs inside [`Db::read`] (one consistent snapshot) or [`Db::write`] (one transaction). The
//! verbs live in a module for each table and are called through it: `db::apps::get(conn, &scope, &id)`. Verbs that only read take
//! `&mut DbConn`, those that write take `&mut Tx`, which passes for the former. Lists are keyset pages: `after` is the last id of
//! the page before. Times and random bits always come from the caller.

mod column;
mod database;
mod dialect;
mod error;
#[doc(hidden)]
pub mod foreign;
mod kind;
mod migrate;
mod pool;
mod schema;
mod scope;
mod wakeups;

pub mod accounts;
pub mod api_keys;
pub mod app_offers;
pub mod apps;
pub mod audit;
pub mod binaries;
pub mod blobs;
pub mod bundle_builds;
pub mod bundle_contents;
pub mod bundles;
pub mod channels;
pub mod condemned;
pub mod credential_changes;
pub mod credentials;
pub mod deltas;
pub mod deployment_keys;
pub mod device_counts;
pub mod device_pins;
pub mod device_revocations;
pub mod edge_channels;
pub mod edges;
pub mod expo_updates;
pub mod feed;
pub mod idempotency;
pub mod identities;
pub mod invitations;
pub mod logins;
pub mod mails;
pub mod members;
pub mod meta;
pub mod organizations;
pub mod outbox;
pub mod packages;
pub mod plans;
pub mod publishers;
pub mod queue;
pub mod releases;
pub mod retention;
pub mod schedules;
pub mod second_factors;
pub mod sessions;
pub mod snapshots;
pub mod source_maps;
pub mod tallies;
pub mod telemetry;
pub mod unused;
pub mod uploads;
pub mod variants;
pub mod webhook_deliveries;
pub mod webhooks;

pub use database::{Config, Db, DbConn, Tx};
pub use error::{Error, Result};
pub use kind::{
    AttemptOutcome, AuditOutcome, ChangeKind, CredentialKind, DeadResolution, DeliveryState, FeedSubject, JobState,
    LoginState, MailKind, ReleaseOrigin, Role, SessionKind, TargetKind, UploadState,
};
pub use scope::{Reach, Scope};
pub use wakeups::{Wake, Wakeups};

/// No page of a list is longer, so that an answer stays far below every message limit.
pub const PAGE_MAX: u32 = 1_001;
