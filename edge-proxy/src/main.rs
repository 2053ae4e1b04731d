//! This file's job is to run an edge as a process of its own.

use edge_proxy::{BlobOrigin, Deps, Edge, Settings};
use mimalloc::MiMalloc;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::process;
use runtime::shutdown::Stop;
use std::error::Error;
use std::process::ExitCode;

/// A request makes and frees a handful of small pieces: with the system's allocator that is a tenth of its cost.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    process::main("aloft-edge", run)
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
