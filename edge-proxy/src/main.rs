//! This file's job is to start an edge as a process of its own.

use edge_proxy::{Config, Deps, Edge};
use runtime::config::{EXIT_CODE, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::PathBuf;
use std::process::ExitCode;

/// The whole configuration of the process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    edge: Config,
    store: Store,
    log: Log,
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

/// `aloft-edge [FILE]`: the file overrides the defaults, the environment (`ALOFT_EDGE__LISTEN=…`) overrides the file.
fn main() -> ExitCode {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let defaults = [SHARED_DEFAULTS, Config::DEFAULTS];
    let settings: Settings = match runtime::config::load(&defaults, file.as_deref(), std::env::vars()) {
        Ok(settings) => settings,
        Err(problems) => return fail(&problems.to_string(), EXIT_CODE),
    };
    runtime::observe::init(&settings.log);
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    raise_file_limit();
    let started = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match started.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(run(settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why, 1),
    }
}

async fn run(settings: Settings) -> Result<(), String> {
    let (shutdown, stop) = runtime::shutdown::channel();
    runtime::shutdown::on_signal(shutdown.clone()).map_err(|error| error.to_string())?;
    let store = blob::Store::open(&settings.store).await.map_err(|error| error.to_string())?;
    let clock = runtime::clock::Clock::system();
    let deps = Deps {
        control_plane: edge_proxy::connect(&settings.edge.control_plane).map_err(|error| error.to_string())?,
        store,
        health: runtime::health::Health::new(clock.clone()),
        metrics: runtime::observe::Metrics::new(),
        clock,
        stop,
    };
    let edge = Edge::build(settings.edge, deps).await.map_err(|error| error.to_string())?;
    edge.run().await;
    drop(shutdown);
    Ok(())
}

/// Every connection and every open blob is a file; the usual soft limit of 1,024 is for interactive programs.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}

#[expect(clippy::print_stderr, reason = "logs may not be set up when the process cannot start")]
fn fail(why: &str, code: u8) -> ExitCode {
    eprintln!("aloft-edge: {}", why.trim_end());
    ExitCode::from(code)
}
