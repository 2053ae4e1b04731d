//! This file's job is to run a real control plane for a test and to call it as clients do.

use bytes::Bytes;
use control_plane::{ApiKey, Config, ControlPlane, Deps, Hasher, SignUp};
use db::{Db, Role, Scope};
use domain::bundle::{Blob, BundleFile, Engine, FileRole, content_hash};
use domain::id::{ApiKeyId, AppId, BundleId, OrganizationId};
use domain::job::Tier;
use domain::{Environment, Platform, Sha256, Timestamp};
use proto::v1;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::random;
use runtime::secret::{ExposeSecret as _, Secret};
use runtime::shutdown::{self, Shutdown};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use testkit::postgres::TestDatabase;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Everything here takes milliseconds; this only bounds a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The edges' enrolment token.
pub const EDGE_TOKEN: &str = "edge-token-edge-token-edge-token-";
/// The operator's token.
pub const OPERATOR_TOKEN: &str = "operator-token-operator-token-oper";
/// The least: the tests are about who may do what.
const BCRYPT_COST: u32 = 4;
const PEPPER: &str = "pepper-pepper-pepper-pepper-pepper";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// SQLite in a folder.
    Embedded,
    /// A PostgreSQL server.
    Scaled,
}

/// A database, a store and one control plane over them.
pub struct Rig {
    _folder: TempDir,
    postgres: Option<TestDatabase>,
    /// The database.
    pub db: Db,
    /// The object store.
    pub store: blob::Store,
    /// The running replica.
    pub server: Server,
    /// The first organization's key.
    pub key: String,
    /// The first organization.
    pub scope: Scope,
}

/// A running replica.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// A connection to it.
    pub channel: Channel,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Server {
    /// Stops it and returns how long that took.
    pub async fn stop(self) -> Duration {
        let begun = std::time::Instant::now();
        self.shutdown.stop();
        self.task.await.unwrap();
        begun.elapsed()
    }
}

/// Returns the configuration of tests.
pub fn config() -> Config {
    #[derive(serde::Deserialize)]
    struct Whole {
        control_plane: Config,
    }
    let whole: Whole = toml::from_str(Config::DEFAULTS).unwrap();
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        pepper: Secret::from(PEPPER),
        bcrypt_cost: BCRYPT_COST,
        edge_token: Secret::from(EDGE_TOKEN),
        operator_token: Secret::from(OPERATOR_TOKEN),
        upload_max_bytes: 16 << 20,
        sign_up: SignUp::Open,
        allowed_origins: vec!["https://ops.example.com".to_owned()],
        ..whole.control_plane
    }
}

/// Starts one more replica over the database and the store.
pub async fn serve(db: &Db, store: &blob::Store) -> (Server, ControlPlane) {
    serve_with(db, store, Clock::system(), config()).await
}

/// Starts one more replica with another idea of the time and another configuration.
pub async fn serve_with(db: &Db, store: &blob::Store, clock: Clock, config: Config) -> (Server, ControlPlane) {
    let (shutdown, stop) = shutdown::channel();
    let deps = Deps {
        db: db.clone(),
        store: store.clone(),
        clock,
        stop,
        metrics: Metrics::new(),
        health: Health::new(Clock::system()),
    };
    let control_plane = ControlPlane::build(config, deps).unwrap();
    let bound = control_plane.bind().await.unwrap();
    let address = bound.address().unwrap();
    let task = tokio::spawn(bound.run());
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    (Server { address, channel, shutdown, task }, control_plane)
}

impl Rig {
    /// Starts a control plane for the first time.
    pub async fn new(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = (shape == Shape::Scaled).then(TestDatabase::create);
        let url = postgres.as_ref().map_or_else(
            || format!("sqlite:{}", folder.path().join("aloft.db").display()),
            |database| database.url().to_owned(),
        );
        let db = Db::open(&db::Config::new(url)).await.unwrap();
        db.migrate().await.unwrap();
        let store = runtime::config::Store {
            url: folder.path().join("store").display().to_string(),
            access_key: Secret::from(""),
            secret_key: Secret::from(""),
        };
        let store = blob::Store::open(&store).await.unwrap();
        let (server, control_plane) = serve(&db, &store).await;
        let first = control_plane.bootstrap().await.unwrap().expect("a first start makes a key");
        assert!(control_plane.bootstrap().await.unwrap().is_none(), "only the first start makes a key");
        let organization = db.read(db::organizations::find_first).await.unwrap().unwrap();
        let scope = Scope::authorized(organization.id);
        let key = first.key.expose_secret().to_owned();
        Self { _folder: folder, postgres, db, store, server, key, scope }
    }

    /// Stops the replica and starts another one in its place.
    pub async fn restart(self) -> Self {
        self.server.stop().await;
        let (server, _) = serve(&self.db, &self.store).await;
        Self { server, ..self }
    }

    /// Takes another replica in the place of this one.
    pub fn served_by(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Ends every connection to the PostgreSQL database.
    pub fn drop_connections(&self) {
        self.postgres.as_ref().unwrap().kill_connections();
    }

    /// Puts the first organization's key on a request.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        with(&self.key, message)
    }

    /// Makes another organization.
    pub async fn organization(&self, slug: &str) -> Scope {
        let row = db::organizations::Organization {
            id: OrganizationId::from_parts(now(), random::bytes()),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            tier: Tier::P0,
            suspended: false,
            plan: domain::plan::PlanName::Enterprise,
            devices_blocked: false,
            created_at: now(),
        };
        let scope = Scope::authorized(row.id.clone());
        self.db.write(move |tx| db::organizations::insert(tx, &row)).await.unwrap();
        scope
    }

    /// Counts the jobs that wait for a worker.
    pub async fn ready_jobs(&self) -> u64 {
        self.db.read(db::queue::stats).await.unwrap().iter().map(|tier| tier.ready).sum()
    }

    /// Makes a live key of an organization.
    pub async fn key(&self, scope: &Scope, role: Role) -> (String, ApiKeyId) {
        self.issue(scope, Environment::Live, &|row| row.role = role).await
    }

    /// Makes an owner's key of an organization, changed before it is stored.
    pub async fn issue(
        &self,
        scope: &Scope,
        environment: Environment,
        change: &dyn Fn(&mut db::api_keys::ApiKey),
    ) -> (String, ApiKeyId) {
        let key = ApiKey::generate(environment);
        let stored = Hasher::new(&Secret::from(PEPPER), BCRYPT_COST).hash(&key).await;
        let mut row = db::api_keys::ApiKey {
            id: ApiKeyId::from_parts(now(), random::bytes()),
            organization: scope.organization().clone(),
            public_id: key.public_id().to_owned(),
            secret_bcrypt: stored.unwrap(),
            name: "test".to_owned(),
            role: Role::Owner,
            scopes: Vec::new(),
            created_by: "test".to_owned(),
            created_at: now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        change(&mut row);
        let id = row.id.clone();
        self.db.write(move |tx| db::api_keys::insert(tx, &row)).await.unwrap();
        (key.expose().to_owned(), id)
    }

    /// Suspends or resumes an organization.
    pub async fn suspend(&self, scope: &Scope, suspended: bool) {
        let id = scope.organization().clone();
        let write = move |tx: &mut db::Tx<'_>| db::organizations::set_suspended(tx, &id, suspended, false, now());
        self.db.write(write).await.unwrap();
    }

    /// Makes an app with a channel `production`; returns their names.
    pub async fn app(&self, slug: &str) -> (v1::App, v1::Channel) {
        let request = v1::CreateAppRequest { slug: slug.into(), ..Default::default() };
        let app = self.apps().create_app(self.ask(request)).await.unwrap().into_inner().app.unwrap();
        let channel = self.channel_of(&app, "production").await;
        (app, channel)
    }

    /// Makes a channel.
    pub async fn channel_of(&self, app: &v1::App, name: &str) -> v1::Channel {
        let request =
            v1::CreateChannelRequest { parent: app.name.clone(), channel_name: name.into(), ..Default::default() };
        self.channels().create_channel(self.ask(request)).await.unwrap().into_inner().channel.unwrap()
    }

    /// Puts a bundle into the database as a worker does; returns its name.
    pub async fn bundle(&self, app: &v1::App, content: &str) -> String {
        put_bundle(&self.db, &self.scope, &app.app_id, content).await
    }

    /// Publishes a bundle to everybody.
    pub async fn publish(&self, channel: &v1::Channel, bundle: &str) -> v1::Release {
        let request = v1::CreateReleaseRequest {
            parent: channel.name.clone(),
            bundle: bundle.into(),
            target: Some(range("1.x")),
            ..Default::default()
        };
        self.releases().create_release(self.ask(request)).await.unwrap().into_inner().release.unwrap()
    }
}

macro_rules! clients {
    ($($name:ident: $module:ident :: $client:ident),+ $(,)?) => {
        impl Rig {$(
            /// A client of the service.
            pub fn $name(&self) -> v1::$module::$client<Channel> {
                v1::$module::$client::new(self.server.channel.clone()).max_decoding_message_size(64 << 20)
            }
        )+}
    };
}

clients! {
    accounts: account_service_client::AccountServiceClient,
    apps: app_service_client::AppServiceClient,
    binaries: binary_service_client::BinaryServiceClient,
    bundles: bundle_service_client::BundleServiceClient,
    channels: channel_service_client::ChannelServiceClient,
    deployment_keys: deployment_key_service_client::DeploymentKeyServiceClient,
    devices: device_service_client::DeviceServiceClient,
    audit: audit_service_client::AuditServiceClient,
    credentials: credential_service_client::CredentialServiceClient,
    edges: edge_service_client::EdgeServiceClient,
    keys: api_key_service_client::ApiKeyServiceClient,
    operator: operator_service_client::OperatorServiceClient,
    publishers: trusted_publisher_service_client::TrustedPublisherServiceClient,
    releases: release_service_client::ReleaseServiceClient,
    transfers: app_transfer_service_client::AppTransferServiceClient,
    uploads: upload_service_client::UploadServiceClient,
    watches: watch_service_client::WatchServiceClient,
    webhooks: webhook_service_client::WebhookServiceClient,
}

/// Returns the time.
pub fn now() -> Timestamp {
    Clock::system().now()
}

/// Puts a credential on a request.
pub fn with<T>(credential: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().unwrap());
    request
}

/// Returns the target of a range of binary versions.
pub fn range(text: &str) -> v1::Target {
    v1::Target { rule: Some(v1::target::Rule::BinaryRange(text.into())) }
}

/// Returns the reason of a refusal.
#[track_caller]
pub fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> v1::Reason {
    let status = answer.unwrap_err();
    proto::error::reason_of(&status).unwrap_or_else(|| panic!("no reason in {status:?}"))
}

/// Puts a bundle of one launch file into the database; returns its name.
pub async fn put_bundle(db: &Db, scope: &Scope, app: &str, content: &str) -> String {
    put_bundle_with(db, scope, app, content, |_| ()).await
}

/// Puts a bundle of one launch file into the database, changed before it is stored; returns its name.
pub async fn put_bundle_with(
    db: &Db,
    scope: &Scope,
    app: &str,
    content: &str,
    change: impl Fn(&mut db::bundles::Bundle),
) -> String {
    let app: AppId = app.parse().unwrap();
    let blob = Blob::of(content.as_bytes());
    let file = BundleFile {
        path: "index.bundle".into(),
        sha256: blob.sha256,
        size_bytes: blob.size_bytes,
        role: FileRole::Launch,
    };
    let mut row = db::bundles::Bundle {
        id: BundleId::from_parts(now(), random::bytes()),
        app: app.clone(),
        platform: Platform::Android,
        content_hash: content_hash(std::slice::from_ref(&file)),
        engine: Engine::JavaScript,
        hermes_version: None,
        launch_path: file.path.clone(),
        file_count: 1,
        total_size_bytes: file.size_bytes,
        warnings: Vec::new(),
        created_at: now(),
    };
    change(&mut row);
    let scope = scope.clone();
    let stored = db.write(move |tx| {
        db::blobs::insert_missing(tx, &scope, std::slice::from_ref(&blob), now())?;
        db::bundles::insert_with_files(tx, &scope, &row, std::slice::from_ref(&file))
    });
    format!("apps/{app}/bundles/{}", stored.await.unwrap().id)
}

/// Returns the bytes of a hash.
pub fn sha256(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(Sha256::of(bytes).as_bytes())
}

async fn put_blob(rig: &Rig, scope: &Scope, bytes: &[u8]) -> Blob {
    let blob = Blob::of(bytes);
    rig.store.put(&blob, bytes).await.unwrap();
    let (scope, row) = (scope.clone(), blob.clone());
    let write = move |tx: &mut db::Tx<'_>| db::blobs::insert_missing(tx, &scope, std::slice::from_ref(&row), now());
    rig.db.write(write).await.unwrap();
    blob
}

/// Gives a bundle a source map, as a worker does.
pub async fn put_source_map(rig: &Rig, scope: &Scope, bundle: &str, bytes: &[u8]) {
    let blob = put_blob(rig, scope, bytes).await;
    let row = db::source_maps::SourceMap {
        bundle: bundle.rsplit('/').next().unwrap().parse().unwrap(),
        path: "index.bundle.map".into(),
        sha256: blob.sha256,
        size_bytes: blob.size_bytes,
        created_at: now(),
    };
    let scope = scope.clone();
    rig.db.write(move |tx| db::source_maps::set(tx, &scope, &row)).await.unwrap();
}

/// Packs a bundle for CodePush's clients, as a worker does.
pub async fn put_package(rig: &Rig, scope: &Scope, bundle: &str, bytes: &[u8]) {
    let blob = put_blob(rig, scope, bytes).await;
    let row = db::packages::Package {
        bundle: bundle.rsplit('/').next().unwrap().parse().unwrap(),
        package_hash: Sha256::of(b"files"),
        blob_sha256: blob.sha256,
        created_at: now(),
    };
    let scope = scope.clone();
    rig.db.write(move |tx| db::packages::insert(tx, &scope, &row)).await.unwrap();
}

/// Says what is inside of a bundle, as a worker does.
pub async fn put_contents(rig: &Rig, bundle: &str, contents: &bundle::Contents) {
    let blob = put_blob(rig, &rig.scope, &contents.encode().unwrap()).await;
    let row = db::bundle_contents::Contents {
        bundle: bundle.rsplit('/').next().unwrap().parse().unwrap(),
        sha256: blob.sha256,
        size_bytes: blob.size_bytes,
        module_count: contents.modules.len() as u32,
        function_count: None,
        image_count: 0,
        created_at: now(),
    };
    let scope = rig.scope.clone();
    rig.db.write(move |tx| db::bundle_contents::set(tx, &scope, &row)).await.unwrap();
}
