//! This file's job is to give a test a database, a store and an organization, with the worker beside them.
#![expect(dead_code, reason = "each test binary uses its part")]

pub mod process;
pub mod publish;

use blob::Store;
use bytes::Bytes;
use db::queue::{self, NewJob};
use db::uploads::Upload;
use db::{Db, Scope, UploadState};
use domain::bundle::{ArchiveFormat, Stage};
use domain::id::{AppId, JobId, OrganizationId, UploadId};
use domain::job::{Job, Tier};
use domain::month::Month;
use domain::{Platform, Sha256, Timestamp};
use runtime::clock::Clock;
use runtime::config::{Problems, Validate};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::shutdown::{self, Shutdown};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use testkit::postgres::TestDatabase;
use testkit::s3::TestS3;
use testkit::wait_until_async;
use tokio::task::JoinHandle;
use worker::{Config, Deps, Worker};
use zip::write::SimpleFileOptions;

/// Long enough for a slow machine; nothing waits that long when it works.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The two shapes in which Aloft runs.
#[derive(Clone, Copy)]
pub enum Shape {
    /// SQLite and a folder.
    Embedded,
    /// PostgreSQL and S3.
    Scaled,
}

/// A database, a store and one organization with one app.
pub struct Rig {
    pub folder: TempDir,
    pub db: Db,
    pub database_url: String,
    pub store: Store,
    pub store_config: runtime::config::Store,
    pub scope: Scope,
    pub app: AppId,
    pub clock: Clock,
    pub s3: Option<TestS3>,
    pub database: Option<TestDatabase>,
}

/// What to upload.
pub struct Archive {
    pub platform: Platform,
    pub format: ArchiveFormat,
    pub bytes: Vec<u8>,
    /// JSON of files that are not in it.
    pub known_files: String,
}

impl Archive {
    /// An Android upload of these bytes.
    pub fn android(format: ArchiveFormat, bytes: Vec<u8>) -> Self {
        Self { platform: Platform::Android, format, bytes, known_files: "[]".into() }
    }

    /// An Android upload of a zip file with these files.
    pub fn zip(files: &[(&str, &[u8])]) -> Self {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        Self::android(ArchiveFormat::Zip, writer.finish().unwrap().into_inner())
    }
}

/// A running worker.
pub struct Running {
    shutdown: Shutdown,
    task: JoinHandle<()>,
    pub metrics: Metrics,
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.stop();
        tokio::time::timeout(Duration::from_secs(5), self.task).await.expect("a soft stop within 5 s").unwrap();
    }

    /// Returns the value of a metric's line.
    pub fn metric(&self, line: &str) -> Option<f64> {
        let text = self.metrics.render();
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    worker: Config,
}

impl Validate for Whole {
    fn validate(&self, problems: &mut Problems) {
        self.worker.validate(problems);
    }
}

impl Rig {
    pub async fn new(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (database, database_url, s3, store_config) = match shape {
            Shape::Embedded => {
                let store = runtime::config::Store { url: path("store"), access_key: "".into(), secret_key: "".into() };
                (None, format!("sqlite:{}", path("aloft.db")), None, store)
            }
            Shape::Scaled => {
                let (database, s3) = (TestDatabase::create(), TestS3::start());
                let store = runtime::config::Store {
                    url: s3.url(),
                    access_key: TestS3::ACCESS_KEY.into(),
                    secret_key: TestS3::SECRET_KEY.into(),
                };
                let url = database.url().to_owned();
                (Some(database), url, Some(s3), store)
            }
        };
        let db = Db::open(&db::Config::new(&database_url)).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Clock::system();
        let organization = OrganizationId::from_parts(clock.now(), [1; 10]);
        let (scope, app) = (Scope::authorized(organization.clone()), AppId::from_parts(clock.now(), [2; 10]));
        add_app(&db, &scope, organization, app.clone(), clock.now()).await;
        let store = Store::open(&store_config).await.unwrap();
        Self { folder, db, database_url, store, store_config, scope, app, clock, s3, database }
    }

    /// Where mails are written.
    pub fn mail_folder(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The defaults, with a spool folder of the test's own and the given changes.
    pub fn config(&self, changes: &[(&str, &str)]) -> Config {
        let spool = self.folder.path().join("spool").display().to_string();
        let mail = self.mail_folder().display().to_string();
        let own = [("ALOFT_WORKER__SPOOL_FOLDER", spool.as_str()), ("ALOFT_WORKER__MAIL_FOLDER", mail.as_str())];
        let all = [&own, changes].concat();
        let variables = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded =
            runtime::config::load::<Whole>(&[Config::DEFAULTS], None, variables.collect::<Vec<_>>().into_iter());
        loaded.unwrap_or_else(|problems| panic!("{problems}")).worker
    }

    pub fn start(&self, config: Config) -> Running {
        self.start_with(config, self.store.clone())
    }

    pub fn start_with(&self, config: Config, store: Store) -> Running {
        let (shutdown, stop) = shutdown::channel();
        let (metrics, clock) = (Metrics::new(), self.clock.clone());
        let health = Health::new(clock.clone());
        let deps = Deps { db: self.db.clone(), store, clock, stop, metrics: metrics.clone(), health };
        let task = tokio::spawn(Worker::build(config, deps).unwrap().run());
        Running { shutdown, task, metrics }
    }

    /// Stores an upload's bytes and row, as the control plane does, and queues its job.
    pub async fn upload(&self, archive: &Archive) -> UploadId {
        self.upload_as(archive, Sha256::of(&archive.bytes), archive.bytes.len() as u64).await
    }

    /// Like [`Self::upload`], of an organization whose plan has another tier.
    pub async fn upload_in(&self, tier: Tier, archive: &Archive) -> UploadId {
        let id = self.store_upload(archive, Sha256::of(&archive.bytes), archive.bytes.len() as u64).await;
        self.enqueue(&self.scope, Job::ProcessUpload { upload: id.clone() }, tier).await;
        id
    }

    pub async fn upload_as(&self, archive: &Archive, sha256: Sha256, size_bytes: u64) -> UploadId {
        let id = self.store_upload(archive, sha256, size_bytes).await;
        self.enqueue(&self.scope, Job::ProcessUpload { upload: id.clone() }, Tier::P3).await;
        id
    }

    async fn store_upload(&self, archive: &Archive, sha256: Sha256, size_bytes: u64) -> UploadId {
        let now = self.clock.now();
        let id = UploadId::from_parts(now, runtime::random::bytes());
        for (number, part) in archive.bytes.chunks(1 << 20).enumerate() {
            self.store.append(&id, (number << 20) as u64, Bytes::copy_from_slice(part)).await.unwrap();
        }
        let row = Upload {
            id: id.clone(),
            app: self.app.clone(),
            platform: archive.platform,
            state: UploadState::Queued,
            stage: Some(Stage::Received),
            archive_format: archive.format.to_string(),
            archive_sha256: sha256,
            archive_size_bytes: size_bytes,
            received_bytes: size_bytes,
            parts: "[]".into(),
            known_files: archive.known_files.clone(),
            bundle: None,
            failure_reason: None,
            failure_message: None,
            warnings: Vec::new(),
            request_id: None,
            created_by: "test".into(),
            created_at: now,
            updated_at: now,
            expires_at: now.plus(Duration::from_secs(3_600)),
        };
        let scope = self.scope.clone();
        self.db.write(move |tx| db::uploads::insert(tx, &scope, &row)).await.unwrap();
        id
    }

    /// Stores the first bytes of an upload that goes on for an hour at most.
    pub async fn receiving(&self, bytes: &'static [u8]) -> UploadId {
        let id = self.upload(&Archive::android(ArchiveFormat::Zip, b"never".to_vec())).await;
        let scope = self.scope.clone();
        let like = self.find(&id).await;
        let now = self.clock.now();
        let row = Upload {
            id: UploadId::from_parts(now, runtime::random::bytes()),
            state: UploadState::Receiving,
            stage: None,
            archive_sha256: Sha256::of(b"another"),
            archive_size_bytes: 1 << 20,
            received_bytes: bytes.len() as u64,
            ..like
        };
        let new = row.id.clone();
        self.store.append(&new, 0, Bytes::from_static(bytes)).await.unwrap();
        self.db.write(move |tx| db::uploads::insert(tx, &scope, &row)).await.unwrap();
        new
    }

    pub async fn enqueue(&self, scope: &Scope, work: Job, tier: Tier) -> JobId {
        let now = self.clock.now();
        let id = JobId::from_parts(now, runtime::random::bytes());
        let organization = scope.organization().clone();
        let new =
            NewJob { id: id.clone(), tier, organization, app: Some(self.app.clone()), work, cost: 1, run_at: now };
        self.db.write(move |tx| queue::enqueue(tx, &new, now)).await.unwrap();
        id
    }

    /// Builds that were counted since yesterday. A test may run over the end of a month, and its clock always may.
    pub async fn builds(&self) -> u64 {
        let now = self.clock.now();
        let days = [now.minus(Duration::from_secs(24 * 3_600)), now];
        let months: BTreeMap<_, _> = days.into_iter().map(|day| (Month::of(day).to_string(), day)).collect();
        let mut builds = 0;
        for day in months.into_values() {
            let scope = self.scope.clone();
            builds += self.db.read(move |conn| db::plans::usage(conn, &scope, day)).await.unwrap().builds;
        }
        builds
    }

    pub async fn find(&self, id: &UploadId) -> Upload {
        let (scope, id) = (self.scope.clone(), id.clone());
        self.db.read(move |conn| db::uploads::get(conn, &scope, &id)).await.unwrap()
    }

    pub async fn is_queued(&self, work: &Job) -> bool {
        let (scope, work) = (self.scope.clone(), work.clone());
        self.db.read(move |conn| queue::find(conn, &scope, &work)).await.unwrap().is_some()
    }

    /// Waits until the upload is ready or failed.
    pub async fn processed(&self, id: &UploadId) -> Upload {
        let over = [UploadState::Ready, UploadState::Failed];
        wait_until_async(PATIENCE, || async { over.contains(&self.find(id).await.state) }).await;
        self.find(id).await
    }

    /// The stages of the upload that were told, in order.
    pub async fn told(&self, id: &UploadId) -> Vec<String> {
        let (organization, subject) = (self.scope.organization().clone(), db::feed::Subject::Upload(id.clone()));
        let entries = self.db.read(move |conn| db::feed::list_after(conn, &organization, 0, 1_000)).await.unwrap();
        let own = entries.into_iter().filter(|entry| entry.subject == subject);
        own.map(|entry| entry.stage).filter(|stage| !stage.is_empty()).collect()
    }

    pub async fn dead_count(&self) -> u64 {
        self.db.read(queue::count_dead).await.unwrap()
    }

    pub async fn bundles(&self) -> Vec<db::bundles::Bundle> {
        let (scope, app) = (self.scope.clone(), self.app.clone());
        self.db.read(move |conn| db::bundles::list(conn, &scope, &app, None, 100)).await.unwrap()
    }
}

async fn add_app(db: &Db, scope: &Scope, organization: OrganizationId, app: AppId, now: Timestamp) {
    let scope = scope.clone();
    let row = db::organizations::Organization {
        id: organization.clone(),
        slug: "test".into(),
        name: "Test".into(),
        tier: Tier::P3,
        suspended: false,
        plan: domain::plan::PlanName::Free,
        devices_blocked: false,
        created_at: now,
    };
    let app = db::apps::App {
        id: app,
        organization,
        slug: "app".parse().unwrap(),
        name: "App".into(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let write = move |tx: &mut db::Tx<'_>| {
        db::organizations::insert(tx, &row)?;
        db::apps::insert(tx, &scope, &app)
    };
    db.write(write).await.unwrap();
}

/// A folder of real bundles.
pub fn corpus(path: &str) -> PathBuf {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test");
    PathBuf::from(root).join(path)
}

/// Packs a folder of the corpus without the files that are known.
pub fn pack(folder: &str, known: &HashSet<Sha256>) -> Archive {
    let scanned = bundle::scan(&corpus(folder)).unwrap();
    let mut bytes = Vec::new();
    bundle::pack(&scanned, known, &mut bytes).unwrap();
    let known: Vec<serde_json::Value> = scanned
        .iter()
        .filter(|file| known.contains(&file.input.sha256))
        .map(|file| {
            let input = &file.input;
            serde_json::json!({ "path": input.path, "sha256": input.sha256, "size_bytes": input.size_bytes })
        })
        .collect();
    let platform = if folder.contains("ios") { Platform::Ios } else { Platform::Android };
    let known_files = serde_json::Value::from(known).to_string();
    Archive { platform, format: ArchiveFormat::TarZstd, bytes, known_files }
}
