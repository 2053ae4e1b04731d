//! This file's job is to put the configuration of all roles together.

use crate::options::Options;
use crate::secrets::Secrets;
use anyhow::{Context as _, Result};
use runtime::config::{Database, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The configuration of the whole process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The control plane.
    pub control_plane: control_plane::Config,
    /// The worker.
    pub worker: worker::Config,
    /// The edge.
    pub edge: edge_proxy::Config,
    /// The database.
    pub database: Database,
    /// The object store.
    pub store: Store,
    /// The log.
    pub log: Log,
}

impl Validate for Config {
    fn validate(&self, problems: &mut Problems) {
        self.control_plane.validate(problems);
        self.worker.validate(problems);
        self.edge.validate(problems);
        self.database.validate(problems);
        self.store.validate(problems);
        self.log.validate(problems);
    }
}

impl Config {
    /// Reads the configuration: the roles' defaults, those of this shape, the file, the environment, the flags; the later wins.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn load(
        options: &Options,
        secrets: &Secrets,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self> {
        let defaults = defaults(options, secrets)?;
        // A key may stand there once: the loader sorts, so the last one would not win.
        let mut overrides: BTreeMap<String, String> = environment.collect();
        let flags = [("ALOFT_DATABASE__URL", &options.database_url), ("ALOFT_STORE__URL", &options.store_url)];
        overrides.extend(flags.iter().filter_map(|(key, value)| Some(((*key).to_owned(), (*value).clone()?))));
        let mut config: Self = runtime::config::load(&[&defaults], options.config.as_deref(), overrides.into_iter())?;
        // One process: the edge shows what its own control plane asks for.
        config.edge.token = config.control_plane.edge_token.clone();
        // The worker opens what the control plane sealed, and sends where it lets people send to.
        config.worker.pepper = config.control_plane.pepper.clone();
        config.worker.master_keys = config.control_plane.master_keys.clone();
        config.worker.webhooks_to_private_networks = config.control_plane.webhooks_to_private_networks;
        Ok(config)
    }
}

/// The roles' defaults with what this shape knows better.
fn defaults(options: &Options, secrets: &Secrets) -> Result<String> {
    let roles =
        [SHARED_DEFAULTS, control_plane::Config::DEFAULTS, worker::Config::DEFAULTS, edge_proxy::Config::DEFAULTS];
    let mut merged: Table = roles.concat().parse().context("the roles' defaults do not fit together")?;
    let data = options.data_dir.display();
    let address = |port: u16| std::net::SocketAddr::new(options.address, port).to_string();
    for (table, key, value) in [
        ("database", "url", format!("sqlite:{data}/aloft.db")),
        ("store", "url", options.data_dir.join("store").display().to_string()),
        ("log", "filter", if options.verbose { "info" } else { "warn" }.to_owned()),
        ("control_plane", "listen", address(options.control_plane_port)),
        ("control_plane", "pepper", secrets.pepper.clone()),
        ("control_plane", "edge_token", secrets.edge_token.clone()),
        ("worker", "mail_folder", options.data_dir.join("mail").display().to_string()),
        ("worker", "spool_folder", options.data_dir.join("spool").display().to_string()),
        ("edge", "listen", address(options.edge_port)),
        ("edge", "admin_listen", format!("127.0.0.1:{}", options.admin_port())),
        ("edge", "data_folder", options.data_dir.join("edge").display().to_string()),
        ("edge", "token", secrets.edge_token.clone()),
    ] {
        let slot = merged.get_mut(table).and_then(Value::as_table_mut).and_then(|table| table.get_mut(key));
        *slot.with_context(|| format!("the defaults lack {table}.{key}"))? = Value::String(value);
    }
    toml::to_string(&merged).context("writing the defaults")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use runtime::secret::ExposeSecret as _;

    fn load(flags: &[&str], environment: &[(&str, &str)]) -> Result<Config> {
        let options = Options::parse_from(["aloft-standalone", "--data-dir", "/d"].iter().chain(flags));
        let secrets = Secrets { pepper: "p".repeat(32), edge_token: "e".repeat(32) };
        let pairs = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config::load(&options, &secrets, pairs)
    }

    #[test]
    fn everything_lives_in_the_data_folder_unless_told_otherwise() {
        let config = load(&[], &[]).unwrap();
        assert_eq!(config.database.url.expose_secret(), "sqlite:/d/aloft.db");
        assert_eq!(config.store.url, "/d/store");
        assert_eq!(config.edge.data_folder.to_str(), Some("/d/edge"));
        assert_eq!(config.control_plane.listen.to_string(), "127.0.0.1:8070");
        assert_eq!(config.edge.listen.to_string(), "127.0.0.1:8071");
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_defaults() {
        let environment = [("ALOFT_DATABASE__URL", "postgres://env/x"), ("ALOFT_STORE__URL", "/env")];
        let config = load(&["--database-url", "postgres://flag/x"], &environment).unwrap();
        assert_eq!(config.database.url.expose_secret(), "postgres://flag/x");
        assert_eq!(config.store.url, "/env");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let environment = [("ALOFT_DATABASE__URL", "mysql://x"), ("ALOFT_EDGE__NONSENSE", "1")];
        let text = format!("{:#}", load(&[], &environment).unwrap_err());
        assert!(text.contains("database.url") && text.contains("NONSENSE"), "{text}");
    }
}
