//! This file's job is to define the configuration that several roles share.

use super::{Problems, Validate};
use crate::secret::Secret;
use serde::Deserialize;

/// The commented defaults of the shared tables.
pub const SHARED_DEFAULTS: &str = include_str!("shared.default.toml");

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`; may hold a password.
    pub url: Secret,
    /// Connections; zero means 4 on SQLite and 16 on PostgreSQL.
    pub pool_size: usize,
}

/// The object store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A folder, or `s3://bucket?endpoint=…&region=…`.
    pub url: String,
    /// S3 access key; empty for a folder.
    pub access_key: Secret,
    /// S3 secret key; empty for a folder.
    pub secret_key: Secret,
}

/// The log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// What is logged, in the syntax of tracing's filters.
    pub filter: String,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Validate for Database {
    fn validate(&self, problems: &mut Problems) {
        use secrecy::ExposeSecret as _;
        let url = self.url.expose_secret();
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        problems.require(known, "database.url", "must begin with sqlite: or postgres://");
        problems.require(self.pool_size <= 256, "database.pool_size", "must be at most 256");
    }
}

impl Validate for Store {
    fn validate(&self, problems: &mut Problems) {
        problems.require(!self.url.is_empty(), "store.url", "must be a folder or s3://bucket?endpoint=…&region=…");
    }
}

impl Validate for Log {
    fn validate(&self, problems: &mut Problems) {
        let parses = tracing_subscriber::EnvFilter::try_new(&self.filter).is_ok();
        problems.require(parses, "log.filter", "must be a filter such as info or info,db=debug");
    }
}
