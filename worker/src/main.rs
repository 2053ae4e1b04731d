//! This file's job is to run a worker as a process of its own.

use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::process;
use runtime::shutdown::Stop;
use std::error::Error;
use std::process::ExitCode;
use worker::{Deps, Settings, Worker};

fn main() -> ExitCode {
    process::main("aloft-worker", run)
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
