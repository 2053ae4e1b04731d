//! This file's job is to put an edge together and to run it.

use crate::admin::Admin;
use crate::blobs::Blobs;
use crate::blobs::prefetch::Prefetch;
use crate::blobs::shelf::Shelf;
use crate::config::Config;
use crate::durable;
use crate::error::Error;
use crate::meters::Meters;
use crate::proxy::DevicePort;
use crate::snapshot::channels::Channels;
use crate::snapshot::disk::Disk;
use crate::state::{Parts, State};
use crate::sync::Sync;
use crate::sync::apply::Applier;
use crate::sync::interest::Interests;
use crate::sync::wishes::Wishes;
use crate::telemetry::forward::{Forwarder, sync_spool};
use crate::telemetry::spool::Spool;
use crate::tls::{Reloader, Tls};
use domain::id::EdgeId;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::random;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown::Stop;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

/// The file that says who this edge is.
const IDENTITY: &str = "edge-id";
/// An id is much shorter.
const IDENTITY_MAX_BYTES: u64 = 128;
/// The file that keeps a second edge out of the folder.
const LOCK: &str = "lock";

/// What an edge needs from outside.
pub struct Deps {
    /// The connection to the control plane, for instance from [`crate::connect`].
    pub control_plane: Channel,
    /// Where blobs come from.
    pub store: blob::Store,
    /// The time.
    pub clock: Clock,
    /// Where counters go; rendered on the admin port.
    pub metrics: Metrics,
    /// Where parts say how they are; shown on the admin port.
    pub health: Health,
    /// When to stop.
    pub stop: Stop,
}

/// An edge whose ports are bound and whose snapshots are loaded.
pub struct Edge {
    device: DevicePort,
    device_address: SocketAddr,
    admin: Arc<Admin>,
    admin_listener: tokio::net::TcpListener,
    admin_address: SocketAddr,
    sync: Sync,
    forwarder: Forwarder,
    spool: Arc<Spool>,
    prefetching: Option<Background>,
    reloading: Option<Background>,
    stop: Stop,
    /// Held until the edge is gone.
    _lock: File,
}

impl Edge {
    /// Opens the data folder, loads the snapshots in it and binds both ports. Answers nothing before [`Self::run`]. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a port is taken, or the folder cannot be used or is in use.
    pub async fn build(config: Config, deps: Deps) -> Result<Self, Error> {
        let folder = config.data_folder.clone();
        let meters = Arc::new(Meters::new(&deps.metrics));
        let opened = tokio::task::spawn_blocking({
            let (config, clock, meters) = (config.clone(), deps.clock.clone(), meters.clone());
            move || Opened::open(&config, &clock, &meters)
        });
        let unusable = |source| Error::Folder { path: folder.clone(), source };
        let opened = opened.await.map_err(|error| unusable(std::io::Error::other(error)))??;
        let authorization = authorization(&config)?;
        let Opened { lock, edge, channels, interests, applier, shelf, spool, tls } = opened;
        let component = |name: &str| deps.health.component(name);
        let blobs = Arc::new(Blobs::new(
            shelf,
            deps.store,
            channels.clone(),
            config.memory_max_bytes / 2,
            meters.clone(),
            component("edge blobs"),
        ));
        let wishes = Arc::new(Wishes::new());
        let (prefetch, prefetching) = prefetcher(&config, &blobs, &channels, &deps.stop);
        let sync = Sync {
            control_plane: deps.control_plane.clone(),
            authorization: authorization.clone(),
            edge: edge.clone(),
            channels: channels.clone(),
            interests: interests.clone(),
            wishes: wishes.clone(),
            applier,
            prefetch,
            meters: meters.clone(),
            health: component("edge sync"),
            clock: deps.clock.clone(),
            stop: deps.stop.clone(),
        };
        let forwarder = Forwarder {
            spool: spool.clone(),
            control_plane: deps.control_plane,
            authorization,
            edge,
            meters: meters.clone(),
            health: component("edge telemetry"),
            stop: deps.stop.clone(),
        };
        let (tls, reloader) = tls.unzip();
        let reloading =
            reloader.map(|reloader| -> Background { Box::pin(reloader.run(component("edge tls"), deps.stop.clone())) });
        let (listener, device_address) = listen(config.listen)?;
        let (admin_listener, admin_address) = listen_async(config.admin_listen)?;
        let parts =
            Parts { config, channels, interests, wishes, blobs, spool: spool.clone(), meters, clock: deps.clock };
        let state = Arc::new(State::new(parts));
        let admin = Arc::new(Admin { state: state.clone(), metrics: deps.metrics, health: deps.health });
        let device = DevicePort { listener, state, tls, stop: deps.stop.clone() };
        Ok(Self {
            device,
            device_address,
            admin,
            admin_listener,
            admin_address,
            sync,
            forwarder,
            spool,
            prefetching,
            reloading,
            stop: deps.stop,
            _lock: lock,
        })
    }

    /// Returns where devices connect.
    #[must_use]
    pub const fn device_address(&self) -> SocketAddr {
        self.device_address
    }

    /// Returns where operators look.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Serves until it is time to stop; requests that run then have 5 s to finish.
    pub async fn run(self) {
        tracing::info!(devices = %self.device_address, admin = %self.admin_address, "the edge is listening");
        let background = futures::future::join_all([self.prefetching, self.reloading].into_iter().flatten());
        // Tasks of their own, so that they run on all threads.
        let tasks = [
            tokio::spawn(self.sync.run()),
            tokio::spawn(self.forwarder.run()),
            tokio::spawn(sync_spool(self.spool.clone(), self.stop.clone())),
            tokio::spawn(self.admin.run(self.admin_listener, self.stop)),
        ];
        tokio::join!(self.device.run(), background);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the edge died");
            }
        }
        // What the last requests brought.
        let spool = self.spool;
        if let Err(error) = durable::blocking(move || spool.sync()).await {
            tracing::error!(%error, "cannot sync events to disk");
        }
    }
}

/// What comes from the data folder.
struct Opened {
    lock: File,
    edge: EdgeId,
    channels: Arc<Channels>,
    interests: Arc<Interests>,
    applier: Arc<Applier>,
    shelf: Shelf,
    spool: Arc<Spool>,
    tls: Option<(Tls, Reloader)>,
}

impl Opened {
    fn open(config: &Config, clock: &Clock, meters: &Arc<Meters>) -> Result<Self, Error> {
        let folder = &config.data_folder;
        let unusable = |source| Error::Folder { path: folder.clone(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let tls = open_tls(config)?;
        let lock = lock(folder)?;
        let edge = identity(folder, clock).map_err(unusable)?;
        let channels = Arc::new(Channels::default());
        let interests = Arc::new(Interests::new());
        let disk = Disk::open(folder.join("snapshots")).map_err(unusable)?;
        let max = config.channels_max;
        let applier = Arc::new(Applier::new(disk, channels.clone(), interests.clone(), meters.clone(), max));
        applier.load();
        let shelf =
            Shelf::open_folder(folder.clone(), config.blobs_max_bytes, config.disk_reserve_bytes, meters.clone());
        let spool = Spool::open(folder.join("spool"), config.spool_max_bytes, meters.clone());
        Ok(Self {
            lock,
            edge,
            channels,
            interests,
            applier,
            shelf: shelf.map_err(unusable)?,
            spool: Arc::new(spool.map_err(unusable)?),
            tls,
        })
    }
}

fn open_tls(config: &Config) -> Result<Option<(Tls, Reloader)>, Error> {
    let (certificate, key) = (&config.tls_certificate, &config.tls_key);
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    Tls::open(certificate, key).map(Some).map_err(|source| Error::Certificate { path: certificate.clone(), source })
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|source| Error::Folder { path: path.clone(), source })?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse { path }),
        Err(error) => Err(Error::Folder { path, source: error.into() }),
    }
}

/// Reads who this edge is; a new folder is a new edge.
fn identity(folder: &Path, clock: &Clock) -> std::io::Result<EdgeId> {
    let path = folder.join(IDENTITY);
    let text = durable::read(&path, IDENTITY_MAX_BYTES)?.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(edge) = text.and_then(|text| text.trim().parse().ok()) {
        return Ok(edge);
    }
    let edge = EdgeId::from_parts(clock.now(), random::bytes());
    durable::replace(&path, &[edge.as_str().as_bytes()])?;
    Ok(edge)
}

fn authorization(config: &Config) -> Result<MetadataValue<Ascii>, Error> {
    let text = format!("Bearer {}", config.token.expose_secret());
    let mut value = MetadataValue::try_from(text)
        .map_err(|_| Error::Config { key: "token", rule: "must be visible ASCII characters" })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What runs beside the ports until it is time to stop.
type Background = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn prefetcher(
    config: &Config,
    blobs: &Arc<Blobs>,
    channels: &Channels,
    stop: &Stop,
) -> (Option<Prefetch>, Option<Background>) {
    if !config.prefetch {
        return (None, None);
    }
    let (prefetch, prefetching) = Prefetch::new(blobs.clone(), stop.clone());
    for channel in channels.all() {
        prefetch.request(&channel);
    }
    (Some(prefetch), Some(Box::pin(prefetching)))
}

/// Listens for async code.
fn listen_async(address: SocketAddr) -> Result<(tokio::net::TcpListener, SocketAddr), Error> {
    let (listener, address) = listen(address)?;
    let unbound = |source| Error::Listen { address, source };
    Ok((tokio::net::TcpListener::from_std(listener).map_err(unbound)?, address))
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind().map_err(|source| Error::Listen { address, source })
}
