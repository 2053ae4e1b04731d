//! This file's job is to let the next edge take over folder and ports while this one still ends its answers.
//!
//! The next edge waits for the lock and for the ports. The one that is told to stop closes its ports, ends everything that writes
//! snapshots and telemetry, and gives the lock away; what it still does is to send blobs and to fetch what was asked for. Blobs can be
//! shared: their files are whole or absent, and every fill has a file of its own.

use crate::config::Config;
use crate::durable::blocking;
use crate::error::Error;
use crate::sync::apply::Applier;
use crate::telemetry::keeping::Telemetry;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The file that keeps a second edge out of the folder.
const LOCK: &str = "lock";
/// Short beside what a device notices.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the next edge waits for.
pub(crate) struct Handover {
    pub(crate) lock: File,
    pub(crate) applier: Arc<Applier>,
    pub(crate) telemetry: Telemetry,
}

impl Handover {
    /// Makes sure that nothing is written any more, then gives the folder away.
    pub(crate) async fn run(self) {
        let Self { lock, applier, telemetry } = self;
        let closed = blocking(move || {
            applier.close();
            telemetry.close()
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "cannot sync events and numbers to disk");
        }
        drop(lock);
    }
}

/// Takes the folder, once the edge that has it gives it away.
pub(crate) async fn lock(config: &Config) -> Result<File, Error> {
    let folder = &config.data_folder;
    let path = folder.join(LOCK);
    let unusable = |source| Error::Folder { path: path.clone(), source };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
    let take = || match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Some(Ok(())),
        Err(rustix::io::Errno::WOULDBLOCK) => None,
        Err(error) => Some(Err(unusable(error.into()))),
    };
    match patiently(config, take).await {
        Some(taken) => taken.map(|()| file),
        None => Err(Error::InUse { path }),
    }
}

/// Listens, once the edge that does so closes the port.
pub(crate) async fn listen(config: &Config, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    let attempt = || match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        other => Some(other),
    };
    let bound = patiently(config, attempt).await.unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()));
    bound.map_err(|source| Error::Listen { address, source })
}

/// Tries until there is an answer or the time is over; at least once.
async fn patiently<T>(config: &Config, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + Duration::from_secs(config.handover_wait_s.into());
    loop {
        let answer = attempt();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
