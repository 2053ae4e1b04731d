//! This file's job is to run a control plane as a process of its own.

use control_plane::{Config, ControlPlane, Deps};
use runtime::clock::Clock;
use runtime::config::{Database, EXIT_CODE, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything that the process is configured with; the file is named by the only argument.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    control_plane: Config,
    database: Database,
    store: Store,
    log: Log,
}

impl Validate for Whole {
    fn validate(&self, problems: &mut Problems) {
        self.control_plane.validate(problems);
        self.database.validate(problems);
        self.store.validate(problems);
        self.log.validate(problems);
    }
}

#[expect(clippy::print_stderr, reason = "there is no log before the configuration is read")]
fn main() -> ExitCode {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let loaded =
        runtime::config::load::<Whole>(&[SHARED_DEFAULTS, Config::DEFAULTS], file.as_deref(), std::env::vars());
    let config = match loaded {
        Ok(config) => config,
        Err(problems) => {
            eprint!("aloft-control-plane: {problems}");
            return ExitCode::from(EXIT_CODE);
        }
    };
    runtime::observe::init(&config.log);
    // An error means that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let started = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from);
    match started.and_then(|runtime| runtime.block_on(run(config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Whole) -> anyhow::Result<()> {
    let (shutdown, stop) = shutdown::channel();
    shutdown::on_signal(shutdown)?;
    let open = open_database(&config.database);
    let Some(db) = stop.run_until(open).await.transpose()? else { return Ok(()) };
    let deps = Deps {
        db,
        store: blob::Store::open(&config.store).await?,
        clock: Clock::system(),
        stop,
        metrics: Metrics::new(),
        health: Health::new(Clock::system()),
    };
    let control_plane = ControlPlane::build(config.control_plane, deps)?;
    if let Some(first) = control_plane.bootstrap().await? {
        show(&first);
    }
    Ok(control_plane.run().await?)
}

async fn open_database(config: &Database) -> anyhow::Result<db::Db> {
    let mut settings = db::Config::new(config.url.expose_secret());
    settings.pool_size = (config.pool_size > 0).then_some(config.pool_size);
    let db = db::Db::open_waiting(&settings, |message| tracing::warn!("{message}")).await?;
    db.migrate().await?;
    Ok(db)
}

#[expect(clippy::print_stdout, reason = "the key is shown once, and must not get into a log")]
fn show(first: &control_plane::FirstKey) {
    println!("First start: organization {:?}. Its API key, which is shown only now:", first.organization);
    println!("  {}", first.key.expose_secret());
}
