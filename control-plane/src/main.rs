//! This file's job is to run a control plane as a process of its own.

use control_plane::{ControlPlane, Deps, Settings};
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::process;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown::Stop;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    process::main("aloft-control-plane", run)
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
    let control_plane = ControlPlane::build(settings.control_plane, deps)?;
    if let Some(first) = control_plane.bootstrap().await? {
        show(&first);
    }
    Ok(control_plane.run().await?)
}

#[expect(clippy::print_stdout, reason = "the key is shown once, and must not get into a log")]
fn show(first: &control_plane::FirstKey) {
    println!("First start: organization {:?}. Its API key, which is shown only now:", first.organization);
    println!("  {}", first.key.expose_secret());
}
