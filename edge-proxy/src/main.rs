//! This file's job is to run an edge as a process of its own.

use edge_proxy::{BlobOrigin, Config, Deps, Edge};
use mimalloc::MiMalloc;
use runtime::clock::Clock;
use runtime::config::{Log, Problems, SHARED_DEFAULTS, Store, Validate};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::process;
use runtime::shutdown::Stop;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::error::Error;
use std::process::ExitCode;

/// A request makes and frees a handful of small pieces: with the system's allocator that is a tenth of its cost.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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

impl process::Settings for Settings {
    fn log(&self) -> &Log {
        &self.log
    }
}

fn main() -> ExitCode {
    process::main("aloft-edge", &[SHARED_DEFAULTS, Config::DEFAULTS], run)
}

async fn run(settings: Settings, metrics: Metrics, stop: Stop) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    let clock = Clock::system();
    let store = match settings.edge.blob_origin {
        BlobOrigin::Store => Some(blob::Store::open(&settings.store).await?),
        BlobOrigin::ControlPlane => None,
    };
    let deps = Deps {
        control_plane: edge_proxy::connect(&settings.edge.control_plane)?,
        store,
        health: Health::new(clock.clone()),
        metrics,
        clock,
        stop,
    };
    Edge::build(settings.edge, deps).await?.run().await;
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
