//! This file's job is to define the whole configuration of an edge that runs as a process of its own.

use crate::Config;
use runtime::config::{Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::process;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Every table that the process reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What only this role has.
    pub edge: Config,
    /// The object store.
    pub store: Store,
    /// The log.
    pub log: Log,
    /// Shared with other roles; an edge has no database.
    #[serde(rename = "database")]
    _database: IgnoredAny,
}

impl Validate for Settings {
    fn validate(&self, problems: &mut Problems) {
        self.edge.validate(problems);
        self.store.validate(problems);
        self.log.validate(problems);
    }
}

impl process::Settings for Settings {
    const DEFAULTS: &'static [&'static str] = &[SHARED_DEFAULTS, Config::DEFAULTS];

    fn log(&self) -> &Log {
        &self.log
    }
}
