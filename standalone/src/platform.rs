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
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use worker::{MailTransport, Worker};

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
    /// Address of the owner that is made on first start.
    pub owner: String,
    /// Where mails are written; none when they are sent.
    pub mail_folder: Option<PathBuf>,
    edge: Role,
    worker: Role,
    control_plane: Role,
}

/// A role that runs until it is told to stop.
struct Role {
    name: &'static str,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Role {
    fn start(name: &'static str, shutdown: Shutdown, role: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, shutdown, task: tokio::spawn(role) }
    }

    async fn stop(&mut self, grace: Duration) {
        self.shutdown.stop();
        // A role that ended by itself was waited for already.
        if self.task.is_finished() {
            return;
        }
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            tracing::warn!("{} did not finish in time", self.name);
            self.task.abort();
        }
    }
}

/// What the roles share.
struct Ground {
    db: db::Db,
    store: blob::Store,
    clock: Clock,
    metrics: Metrics,
    health: Health,
}

impl Platform {
    /// Opens the database and the store and starts every role. `say` gets a line while the database is away.
    ///
    /// # Errors
    /// When a role cannot start.
    pub async fn start(config: Config, metrics: Metrics, say: impl Fn(&str)) -> Result<Self> {
        let clock = Clock::system();
        let ground = Ground {
            db: db::Db::open_migrated(&config.database, say).await.context("opening the database")?,
            store: blob::Store::open(&config.store).await.context("opening the object store")?,
            metrics,
            health: Health::new(clock.clone()),
            clock,
        };
        let (public_url, owner) =
            (config.control_plane.public_url.clone(), config.control_plane.first_owner_email.clone());
        let (shutdown, built) = ground.control_plane(config.control_plane)?;
        let first_key = built.bootstrap().await.context("making the first key")?;
        let bound = built.bind().await.context("starting the control plane")?;
        let control_plane_url = url(bound.address()?);
        let control_plane = Role::start("control plane", shutdown, async { bound.run().await });

        let worker_config = worker::Config {
            // One process: links lead to its own control plane unless another address is configured for either.
            public_url: [config.worker.public_url, public_url, control_plane_url.clone()]
                .into_iter()
                .find(|url| !url.is_empty())
                .unwrap_or_default(),
            ..config.worker
        };
        let mail_folder =
            (worker_config.mail_transport == MailTransport::File).then(|| worker_config.mail_folder.clone());
        let (shutdown, built) = ground.worker(worker_config)?;
        let worker = Role::start("worker", shutdown, async { built.run().await });

        let edge_config = edge_proxy::Config { control_plane: control_plane_url.clone(), ..config.edge };
        let (shutdown, built) = ground.edge(edge_config).await?;
        let (edge_url, admin_url) = (url(built.device_address()), url(built.admin_address()));
        let edge = Role::start("edge", shutdown, async { built.run().await });
        Ok(Self { control_plane_url, edge_url, admin_url, first_key, owner, mail_folder, edge, worker, control_plane })
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
        ended.with_context(|| format!("the {name} failed"))?;
        bail!("the {name} ended")
    }

    /// Stops the roles in the order in which they need each other: the edge hands in what it has, the worker ends its jobs.
    pub async fn stop(mut self) {
        self.edge.stop(EDGE_GRACE).await;
        self.worker.stop(WORKER_GRACE).await;
        self.control_plane.stop(CONTROL_PLANE_GRACE).await;
    }
}

impl Ground {
    fn control_plane(&self, config: control_plane::Config) -> Result<(Shutdown, ControlPlane)> {
        let (shutdown, stop) = shutdown::channel();
        let deps = control_plane::Deps {
            db: self.db.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            stop,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
        };
        Ok((shutdown, ControlPlane::build(config, deps).context("building the control plane")?))
    }

    fn worker(&self, config: worker::Config) -> Result<(Shutdown, Worker)> {
        let (shutdown, stop) = shutdown::channel();
        let deps = worker::Deps {
            db: self.db.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            stop,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
        };
        Ok((shutdown, Worker::build(config, deps).context("building the worker")?))
    }

    async fn edge(&self, config: edge_proxy::Config) -> Result<(Shutdown, Edge)> {
        let (shutdown, stop) = shutdown::channel();
        let deps = edge_proxy::Deps {
            control_plane: edge_proxy::connect(&config.control_plane)?,
            store: Some(self.store.clone()),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            stop,
        };
        Ok((shutdown, Edge::build(config, deps).await.context("building the edge")?))
    }
}

/// An address that programs on this machine can connect to.
fn url(address: SocketAddr) -> String {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reachable, address.port()))
}
