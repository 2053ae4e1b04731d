//! This file's job is to run a worker as a process of its own.

use runtime::clock::Clock;
use runtime::config::{Database, EXIT_CODE, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::ExitCode;
use worker::{Config, Deps, Worker};

/// The file is named by the only argument.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    worker: Config,
    database: Database,
    store: Store,
    log: Log,
}

impl Validate for Whole {
    fn validate(&self, problems: &mut Problems) {
        self.worker.validate(problems);
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
            eprint!("aloft-worker: {problems}");
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
    let Some(db) = stop.run_until(open_database(&config.database)).await.transpose()? else { return Ok(()) };
    let clock = Clock::system();
    let deps = Deps {
        db,
        store: blob::Store::open(&config.store).await?,
        health: Health::new(clock.clone()),
        clock,
        stop,
        metrics: Metrics::new(),
    };
    Worker::build(config.worker, deps)?.run().await;
    Ok(())
}

async fn open_database(config: &Database) -> anyhow::Result<db::Db> {
    let mut settings = db::Config::new(config.url.expose_secret());
    settings.pool_size = (config.pool_size > 0).then_some(config.pool_size);
    let db = db::Db::open_waiting(&settings, |message| tracing::warn!("{message}")).await?;
    db.migrate().await?;
    Ok(db)
}
