//! This file's job is to run a worker as a process of its own.

use runtime::clock::Clock;
use runtime::config::{Database, Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::process;
use runtime::shutdown::Stop;
use serde::Deserialize;
use std::error::Error;
use std::process::ExitCode;
use worker::{Config, Deps, Worker};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    worker: Config,
    database: Database,
    store: Store,
    log: Log,
}

impl Validate for Settings {
    fn validate(&self, problems: &mut Problems) {
        self.worker.validate(problems);
        self.database.validate(problems);
        self.store.validate(problems);
        self.log.validate(problems);
    }
}

impl process::Settings for Settings {
    fn log(&self) -> &Log {
        &self.log
    }
}

fn main() -> ExitCode {
    process::main("aloft-worker", &[SHARED_DEFAULTS, Config::DEFAULTS], run)
}

async fn run(settings: Settings, metrics: Metrics, stop: Stop) -> Result<(), Box<dyn Error>> {
    let open = db::Db::open_migrated(&settings.database, |message| tracing::warn!("{message}"));
    let Some(db) = stop.run_until(open).await.transpose()? else { return Ok(()) };
    let clock = Clock::system();
    let deps = Deps {
        db,
        store: blob::Store::open(&settings.store).await?,
        health: Health::new(clock.clone()),
        clock,
        stop,
        metrics,
    };
    Worker::build(settings.worker, deps)?.run().await;
    Ok(())
}
