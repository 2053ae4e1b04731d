//! This file's job is to run an edge over temporary folders, and to wait for what it does.

use crate::client::{Answer, Client};
use crate::control_plane::{ControlPlane, Running, TOKEN};
use crate::samples;
use domain::Sha256;
use domain::bundle::Blob;
use domain::snapshot::ChannelSnapshot;
use edge_proxy::{Config, Deps, Edge};
use http::Method;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::shutdown::{self, Shutdown};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Far longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// Nobody listens there.
pub const NOBODY: &str = "http://127.0.0.1:1";

/// Folders that outlive the edges that run on them.
pub struct World {
    pub data: TempDir,
    pub store_folder: TempDir,
    pub store: blob::Store,
    pub control_plane: ControlPlane,
}

pub struct RunningEdge {
    pub client: Client,
    pub admin: Client,
    pub api_address: Option<SocketAddr>,
    pub metrics: Metrics,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

impl World {
    pub async fn new() -> Self {
        let (data, store_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = runtime::config::Store {
            url: store_folder.path().to_str().unwrap().to_owned(),
            access_key: String::new().into(),
            secret_key: String::new().into(),
        };
        let store = blob::Store::open(&place).await.unwrap();
        let control_plane = ControlPlane::default();
        control_plane.0.lock().store = Some(store.clone());
        Self { data, store_folder, store, control_plane }
    }

    pub async fn store(&self, bytes: &[u8]) -> Blob {
        let blob = Blob::of(bytes);
        self.store.put(&blob, bytes).await.unwrap();
        blob
    }

    /// Returns where the store keeps the blob.
    pub fn store_path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_hex();
        self.store_folder.path().join("blobs").join(&hex[..2]).join(hex)
    }

    /// Returns where the edge keeps the blob.
    pub fn edge_path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_hex();
        self.data.path().join("blobs").join(&hex[..2]).join(hex)
    }

    pub fn config(&self, control_plane: &str) -> Config {
        Config {
            listen: ANY_PORT,
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            public_url: String::new(),
            proxy_protocol: false,
            api_listen: String::new(),
            api_control_planes: Vec::new(),
            admin_listen: ANY_PORT,
            data_folder: self.data.path().to_owned(),
            control_plane: control_plane.to_owned(),
            token: TOKEN.to_owned().into(),
            connections_max: 1_000,
            connections_per_address_max: 1_000,
            idle_timeout_s: 60,
            address_requests_per_s: 0,
            registrations_per_s: 0,
            app_requests_per_s: 0,
            class_requests_per_s: 0,
            client_address_header: String::new(),
            access_log_every: 0,
            access_log_refusals_per_s: 0,
            parent: String::new(),
            blob_origin: edge_proxy::BlobOrigin::Store,
            channels_max: 100,
            next_check_s: 900,
            blobs_max_bytes: 1 << 30,
            disk_reserve_bytes: 0,
            scrub_every_s: 0,
            // Tests start other programs, which hold copies of all files for a moment.
            handover_wait_s: 5,
            memory_max_bytes: 32 << 20,
            spool_max_bytes: 16 << 20,
            prefetch: false,
        }
    }

    pub async fn start(&self, config: Config) -> RunningEdge {
        self.try_start(config).await.unwrap()
    }

    pub async fn try_start(&self, config: Config) -> Result<RunningEdge, edge_proxy::Error> {
        let (shutdown, stop) = shutdown::channel();
        let clock = Clock::system();
        let metrics = Metrics::new();
        let deps = Deps {
            control_plane: edge_proxy::connect(&config.control_plane).unwrap(),
            store: (config.blob_origin == edge_proxy::BlobOrigin::Store).then(|| self.store.clone()),
            health: Health::new(clock.clone()),
            clock,
            metrics: metrics.clone(),
            stop,
        };
        let edge = Edge::build(config, deps).await?;
        let (client, admin) = (Client::new(edge.device_address()), Client::new(edge.admin_address()));
        let api_address = edge.api_address();
        Ok(RunningEdge { client, admin, api_address, metrics, shutdown, task: tokio::spawn(edge.run()) })
    }

    /// Starts a control plane and an edge that has the channel.
    pub async fn serving(snapshot: &ChannelSnapshot) -> (Self, Running, RunningEdge) {
        let world = Self::new().await;
        world.control_plane.publish(snapshot).await;
        let server = world.control_plane.run(ANY_PORT).await;
        let edge = world.start(world.config(&format!("http://{}", server.address))).await;
        edge.token(snapshot).await;
        (world, server, edge)
    }
}

fn registration(snapshot: &ChannelSnapshot, nonce: &str) -> serde_json::Value {
    serde_json::json!({
        "app": snapshot.key.app, "channel": snapshot.key.channel.as_str(), "platform": "ios", "nonce": nonce,
    })
}

impl RunningEdge {
    pub async fn stop(self) {
        self.shutdown.stop();
        self.task.await.unwrap();
    }

    pub async fn register(&self, snapshot: &ChannelSnapshot, nonce: &str) -> Answer {
        self.client.post("/v1/devices/register", "", &registration(snapshot, nonce)).await
    }

    /// Registers a device as soon as the edge has the channel.
    pub async fn token(&self, snapshot: &ChannelSnapshot) -> String {
        register(&self.client, snapshot).await
    }

    /// Registers a device through a proxy, which says that it came from this address.
    pub async fn register_from(&self, snapshot: &ChannelSnapshot, nonce: &str, from: &str) -> Answer {
        let headers = [("x-forwarded-for", from)];
        self.client
            .send(Method::POST, "/v1/devices/register", &headers, registration(snapshot, nonce).to_string())
            .await
    }

    pub async fn check(&self, snapshot: &ChannelSnapshot, token: &str, more: &str) -> Answer {
        let path = updates(snapshot, more);
        self.client.get(&path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub async fn blob(&self, sha256: &Sha256, headers: &[(&str, &str)]) -> Answer {
        self.client.get(&format!("/v1/blobs/{sha256}"), headers).await
    }

    /// Returns the value of a counter or gauge.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit_once(' ')).map_or(0, |(_, value)| value.parse().unwrap())
    }
}

/// Registers a device as soon as the edge has the channel, and returns its token.
pub async fn register(client: &Client, snapshot: &ChannelSnapshot) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let body = registration(snapshot, "a-nonce-with-enough-characters");
        let answer = client.post("/v1/devices/register", "", &body).await;
        if answer.status == 201 {
            return answer.json()["token"].as_str().unwrap().to_owned();
        }
        assert!(answer.status == 503 && Instant::now() < deadline, "{} {:?}", answer.status, answer.body);
    }
}

pub fn updates(snapshot: &ChannelSnapshot, more: &str) -> String {
    let key = &snapshot.key;
    format!("/v1/updates?app={}&channel={}&platform=ios&binary=1.0.0{more}", key.app, key.channel)
}

/// Waits until the condition holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A channel with a launch file of this size, whose blobs are in the store.
pub async fn stored(world: &World, app: u8, version: u64, launch: &[u8]) -> ChannelSnapshot {
    let asset = samples::noise(1_000, u64::from(app));
    world.store(launch).await;
    world.store(&asset).await;
    samples::channel(app, version, launch, &asset)
}
