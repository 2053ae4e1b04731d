//! This file's job is to start all roles in one process, connected as they are when each has its own, and to stop them in order.

use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use control_plane::{ControlPlane, FirstKey};
use edge_proxy::Edge;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::shutdown::{self, Shutdown};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};
use worker::Worker;

/// What the roles have to finish in, one after the other; together they stay below five seconds.
const EDGE_GRACE: Duration = Duration::from_millis(2_000);
const WORKER_GRACE: Duration = Duration::from_millis(1_500);
const CONTROL_PLANE_GRACE: Duration = Duration::from_millis(1_000);

/// All roles, running.
pub struct Platform {
    /// Where `aloft` and browsers connect.
    pub control_plane_url: String,
    /// Where devices connect.
    pub edge_url: String,
    /// Where operators look at the edge.
    pub admin_url: String,
    /// The first API key; only on first start.
    pub first_key: Option<FirstKey>,
    edge: Role,
    worker: Role,
    control_plane: Role,
}

/// A role that runs until it is told to stop.
struct Role {
    name: &'static str,
    shutdown: Shutdown,
    task: JoinHandle<Result<()>>,
}

impl Role {
    async fn stop(&mut self, grace: Duration) {
        self.shutdown.stop();
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            tracing::warn!("{} did not finish in time", self.name);
            self.task.abort();
        }
    }
}

impl Platform {
    /// Opens the database and the store and starts every role. `say` gets a line while the database is away.
    ///
    /// # Errors
    /// When a role cannot start.
    pub async fn start(config: Config, say: impl Fn(&str)) -> Result<Self> {
        let clock = Clock::system();
        let (metrics, health) = (Metrics::new(), Health::new(clock.clone()));
        let db = db::Db::open_migrated(&config.database, say).await.context("opening the database")?;
        let store = blob::Store::open(&config.store).await.context("opening the object store")?;

        let (control_plane_shutdown, stop) = shutdown::channel();
        let deps = control_plane::Deps {
            db: db.clone(),
            store: store.clone(),
            clock: clock.clone(),
            stop,
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let control_plane = ControlPlane::build(config.control_plane, deps).context("building the control plane")?;
        let first_key = control_plane.bootstrap().await.context("making the first key")?;
        let bound = control_plane.bind().await.context("starting the control plane")?;
        let control_plane_url = url(bound.address()?);

        let (worker_shutdown, stop) = shutdown::channel();
        let deps = worker::Deps {
            db,
            store: store.clone(),
            clock: clock.clone(),
            stop,
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let worker = Worker::build(config.worker, deps).context("building the worker")?;

        let (edge_shutdown, stop) = shutdown::channel();
        let control_plane_channel = edge_proxy::connect(&control_plane_url)?;
        let deps = edge_proxy::Deps { control_plane: control_plane_channel, store, clock, metrics, health, stop };
        let edge_config = edge_proxy::Config { control_plane: control_plane_url.clone(), ..config.edge };
        let edge = Edge::build(edge_config, deps).await.context("building the edge")?;
        let (edge_url, admin_url) = (url(edge.device_address()), url(edge.admin_address()));

        let role = |name, shutdown, task| Role { name, shutdown, task };
        Ok(Self {
            control_plane: role("control plane", control_plane_shutdown, spawn(async { Ok(bound.run().await) })),
            worker: role("worker", worker_shutdown, spawn(async { Ok(worker.run().await) })),
            edge: role("edge", edge_shutdown, spawn(async { Ok(edge.run().await) })),
            control_plane_url,
            edge_url,
            admin_url,
            first_key,
        })
    }

    /// Waits until a role ends by itself, which none should.
    ///
    /// # Errors
    /// Always: which role ended, and why.
    pub async fn ended(&mut self) -> Result<()> {
        let (name, ended) = tokio::select! {
            ended = &mut self.edge.task => (self.edge.name, ended),
            ended = &mut self.worker.task => (self.worker.name, ended),
            ended = &mut self.control_plane.task => (self.control_plane.name, ended),
        };
        flatten(ended).with_context(|| format!("the {name} failed"))?;
        bail!("the {name} ended")
    }

    /// Stops the roles in the order in which they need each other: the edge hands in what it has, the worker ends its jobs.
    pub async fn stop(mut self) {
        self.edge.stop(EDGE_GRACE).await;
        self.worker.stop(WORKER_GRACE).await;
        self.control_plane.stop(CONTROL_PLANE_GRACE).await;
    }
}

fn spawn(role: impl Future<Output = Result<()>> + Send + 'static) -> JoinHandle<Result<()>> {
    tokio::spawn(role)
}

fn flatten(ended: Result<Result<()>, JoinError>) -> Result<()> {
    ended?
}

/// An address that programs on this machine can connect to.
fn url(address: SocketAddr) -> String {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reachable, address.port()))
}
