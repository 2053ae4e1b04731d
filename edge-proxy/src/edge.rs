//! This file's job is to put an edge together and to run it.

use crate::access::AccessLog;
use crate::admin::Admin;
use crate::api::ApiPort;
use crate::api::replicas::Replicas;
use crate::blobs::Blobs;
use crate::blobs::origin::Origin;
use crate::blobs::origins::Origins;
use crate::blobs::prefetch::Prefetch;
use crate::blobs::ready::Readiness;
use crate::blobs::shelf::Shelf;
use crate::blobs::{recovery, scrub};
use crate::config::Config;
use crate::device_port::DevicePort;
use crate::durable;
use crate::error::Error;
use crate::handover::{self, Handover};
use crate::meters::Meters;
use crate::port::Gate;
use crate::snapshot::channels::Channels;
use crate::snapshot::disk::Disk;
use crate::state::{Parts, State};
use crate::sync::Sync;
use crate::sync::apply::Applier;
use crate::sync::interest::Interests;
use crate::sync::wishes::Wishes;
use crate::telemetry::deliver::Uplink;
use crate::telemetry::keeping::{Senders, Telemetry};
use crate::tls::{Reloader, Tls};
use domain::id::EdgeId;
use proto::v1::edge_service_client::EdgeServiceClient;
use runtime::clock::Clock;
use runtime::health::{Component, Health};
use runtime::observe::Metrics;
use runtime::random;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown::Stop;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

/// The file that says who this edge is.
const IDENTITY: &str = "edge-id";
/// An id is much shorter.
const IDENTITY_MAX_BYTES: u64 = 128;

/// What an edge needs from outside.
pub struct Deps {
    /// The connection to the control plane, for instance from [`crate::connect`].
    pub control_plane: Channel,
    /// Where blobs come from; without it, from the control plane.
    pub store: Option<blob::Store>,
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
    api: Option<ApiPort>,
    admin: Arc<Admin>,
    admin_listener: tokio::net::TcpListener,
    admin_address: SocketAddr,
    sync: Sync,
    senders: Senders,
    handover: Handover,
    background: Vec<Background>,
    stop: Stop,
}

impl Edge {
    /// Opens the data folder, loads the snapshots in it and binds both ports. Answers nothing before [`Self::run`]. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a port is taken, or the folder cannot be used or is in use.
    pub async fn build(config: Config, deps: Deps) -> Result<Self, Error> {
        let meters = Arc::new(Meters::new(&deps.metrics));
        let lock = handover::lock(&config).await?;
        let opened = Opened::open_off_threads(&config, &deps.clock, &meters).await?;
        let authorization = authorization(&config)?;
        let Opened { edge, channels, interests, applier, shelf, telemetry, tls } = opened;
        let component = |name: &str| deps.health.component(name);
        let access = Arc::new(AccessLog::new(edge.clone(), &config, &meters));
        let origins = origins(&config, deps.store, &deps.control_plane, &authorization)?;
        let blobs = Arc::new(Blobs::new(
            shelf,
            Origins::new(origins, meters.clone(), component("edge origins")),
            channels.clone(),
            config.memory_max_bytes / 2,
            meters.clone(),
            component("edge blobs"),
        ));
        show_pinned(&deps.metrics, blobs.clone());
        let (wishes, readiness) = (Arc::new(Wishes::new()), Arc::<Readiness>::default());
        let (prefetch, prefetching) = prefetcher(&config, &blobs, &readiness, &deps.stop);
        let sync = Sync {
            control_plane: deps.control_plane.clone(),
            authorization: authorization.clone(),
            edge: edge.clone(),
            channels: channels.clone(),
            interests: interests.clone(),
            wishes: wishes.clone(),
            applier: applier.clone(),
            prefetch,
            readiness,
            meters: meters.clone(),
            health: component("edge sync"),
            clock: deps.clock.clone(),
            stop: deps.stop.clone(),
        };
        let senders = Senders {
            telemetry: telemetry.clone(),
            uplink: Uplink { control_plane: deps.control_plane, authorization, edge },
            meters: meters.clone(),
            health: deps.health.clone(),
            stop: deps.stop.clone(),
        };
        let (tls, reloader) = tls.unzip();
        let reloading = reloader.map(|reloader| reload(reloader, component("edge tls"), &deps.stop));
        let (listener, device_address) = handover::listen(&config, config.listen).await?;
        let (api, watching) = open_api(&config, tls.clone(), (&meters, &access), (&deps.health, &deps.stop)).await?;
        let upkeep = upkeep(&config, &blobs, &deps.stop).into_iter();
        let (admin_listener, admin_address) = listen_async(&config).await?;
        let Telemetry { spool, counts, .. } = telemetry.clone();
        let parts =
            Parts { config, channels, interests, wishes, blobs, spool, counts, meters, access, clock: deps.clock };
        let state = Arc::new(State::new(parts));
        let admin = Arc::new(Admin { state: state.clone(), metrics: deps.metrics, health: deps.health });
        let device = DevicePort { listener, state, tls, stop: deps.stop.clone() };
        Ok(Self {
            device,
            device_address,
            api,
            admin,
            admin_listener,
            admin_address,
            sync,
            senders,
            handover: Handover { lock, applier, telemetry },
            background: upkeep.chain(prefetching).chain(reloading).chain(watching).collect(),
            stop: deps.stop,
        })
    }

    /// Returns where devices connect.
    #[must_use]
    pub const fn device_address(&self) -> SocketAddr {
        self.device_address
    }

    /// Returns where programs and browsers reach the control plane, if they do.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref()?.listener.local_addr().ok()
    }

    /// Returns where operators look.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Serves until it is time to stop; requests that run then have 5 s to finish, while the next edge may take over.
    pub async fn run(self) {
        let (devices, api, admin) = (self.device_address, self.api_address(), self.admin_address);
        tracing::info!(%devices, ?api, %admin, "the edge is listening");
        // Tasks of their own, so that they run on all threads.
        let writers = [tokio::spawn(self.sync.run())].into_iter().chain(self.senders.spawn()).collect();
        let admin = tokio::spawn(self.admin.run(self.admin_listener, self.stop));
        let background = futures::future::join_all(self.background);
        let handover = async {
            ended(writers).await;
            self.handover.run().await;
        };
        let api = async {
            if let Some(api) = self.api {
                api.run().await;
            }
        };
        tokio::join!(self.device.run(), api, background, handover);
        ended(vec![admin]).await;
    }
}

async fn ended(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a part of the edge died");
        }
    }
}

/// Binds the API port, if there is one; also returns what looks after the replicas.
async fn open_api(
    config: &Config,
    tls: Option<Tls>,
    (meters, access): (&Arc<Meters>, &Arc<AccessLog>),
    (health, stop): (&Health, &Stop),
) -> Result<(Option<ApiPort>, Option<Background>), Error> {
    let Some(address) = config.api_address() else { return Ok((None, None)) };
    let (listener, _) = handover::listen(config, address).await?;
    let replicas = Replicas::new(config.places());
    let (well, health) = (meters.api_replicas.clone(), health.component("edge api"));
    let watching: Background = Box::pin(replicas.clone().watch(well, health, stop.clone()));
    let (open, refused) = (meters.api_connections.clone(), meters.api_connections_refused.clone());
    let api = ApiPort {
        listener,
        gate: Gate::new(config, config.connections_max, open, refused),
        replicas,
        meters: meters.clone(),
        access: access.clone(),
        tls,
        header: config.client_address_header.parse().ok(),
        idle: Duration::from_secs(u64::from(config.idle_timeout_s)),
        stop: stop.clone(),
    };
    Ok((Some(api), Some(watching)))
}

/// What comes from the data folder.
struct Opened {
    edge: EdgeId,
    channels: Arc<Channels>,
    interests: Arc<Interests>,
    applier: Arc<Applier>,
    shelf: Shelf,
    telemetry: Telemetry,
    tls: Option<(Tls, Reloader)>,
}

impl Opened {
    async fn open_off_threads(config: &Config, clock: &Clock, meters: &Arc<Meters>) -> Result<Self, Error> {
        let owned = (config.clone(), clock.clone(), meters.clone());
        let opened = tokio::task::spawn_blocking(move || Self::open(&owned.0, &owned.1, &owned.2));
        let died = |error| Error::Folder { path: config.data_folder.clone(), source: std::io::Error::other(error) };
        opened.await.map_err(died)?
    }

    fn open(config: &Config, clock: &Clock, meters: &Arc<Meters>) -> Result<Self, Error> {
        let folder = &config.data_folder;
        let unusable = |source| Error::Folder { path: folder.clone(), source };
        let tls = open_tls(config)?;
        let edge = identity(folder, clock).map_err(unusable)?;
        let channels = Arc::new(Channels::default());
        let interests = Arc::new(Interests::new());
        let disk = Disk::open(folder.join("snapshots")).map_err(unusable)?;
        let max = config.channels_max;
        let applier = Arc::new(Applier::new(disk, channels.clone(), interests.clone(), meters.clone(), max));
        applier.load();
        let shelf =
            Shelf::open_folder(folder.clone(), config.blobs_max_bytes, config.disk_reserve_bytes, meters.clone());
        Ok(Self {
            edge,
            channels,
            interests,
            applier,
            shelf: shelf.map_err(unusable)?,
            telemetry: Telemetry::open(folder, config.spool_max_bytes, meters).map_err(unusable)?,
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

/// The nearest place for blobs first.
fn origins(
    config: &Config,
    store: Option<blob::Store>,
    control_plane: &Channel,
    authorization: &MetadataValue<Ascii>,
) -> Result<Vec<Origin>, Error> {
    let last = match store {
        Some(store) => Origin::Store(store),
        None => Origin::ControlPlane {
            client: EdgeServiceClient::new(control_plane.clone()),
            authorization: authorization.clone(),
        },
    };
    Ok(Origin::parent(config)?.into_iter().chain([last]).collect())
}

/// Shows how much of the disk is bound.
fn show_pinned(metrics: &Metrics, blobs: Arc<Blobs>) {
    let help = "Size of the blobs on disk that releases need.";
    let read = move || i64::try_from(blobs.pinned_bytes()).unwrap_or(i64::MAX);
    metrics.gauge_of("aloft_edge_blob_pinned_bytes", help, read);
}

/// What runs beside the ports until it is time to stop.
type Background = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn prefetcher(
    config: &Config,
    blobs: &Arc<Blobs>,
    readiness: &Arc<Readiness>,
    stop: &Stop,
) -> (Option<Prefetch>, Option<Background>) {
    if !config.prefetch {
        return (None, None);
    }
    let (prefetch, prefetching) = Prefetch::new(blobs.clone(), readiness.clone(), stop.clone());
    for channel in blobs.channels.all() {
        prefetch.request(&channel);
    }
    (Some(prefetch), Some(Box::pin(prefetching)))
}

/// What looks for a new certificate.
fn reload(reloader: Reloader, health: Component, stop: &Stop) -> Background {
    Box::pin(reloader.run(health, stop.clone()))
}

/// What keeps the blobs on disk in order.
fn upkeep(config: &Config, blobs: &Arc<Blobs>, stop: &Stop) -> Vec<Background> {
    let mut tasks: Vec<Background> = vec![Box::pin(recovery::run(blobs.clone(), stop.clone()))];
    if config.scrub_every_s > 0 {
        let interval = Duration::from_secs(config.scrub_every_s.into());
        tasks.push(Box::pin(scrub::run(blobs.clone(), interval, stop.clone())));
    }
    tasks
}

/// Listens for async code.
async fn listen_async(config: &Config) -> Result<(tokio::net::TcpListener, SocketAddr), Error> {
    let (listener, address) = handover::listen(config, config.admin_listen).await?;
    let unbound = |source| Error::Listen { address, source };
    Ok((tokio::net::TcpListener::from_std(listener).map_err(unbound)?, address))
}
