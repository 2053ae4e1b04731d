//! This file's job is to define the whole configuration of a control plane that runs as a process of its own.

use crate::Config;
use runtime::config::{Database, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::process;
use serde::Deserialize;

/// Every table that the process reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What only this role has.
    pub control_plane: Config,
    /// The database.
    pub database: Database,
    /// The object store.
    pub store: Store,
    /// The log.
    pub log: Log,
}

impl Validate for Settings {
    fn validate(&self, problems: &mut Problems) {
        self.control_plane.validate(problems);
        self.database.validate(problems);
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
