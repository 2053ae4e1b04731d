//! This file's job is to time how soon those who watch hear of a stage, for `./x bench queue`: `watch_load DATABASE WATCHERS STAGES` prints one
//! JSON document. The database is `sqlite`, or `postgresql` on the cluster that tests use.

use control_plane::{Config, ControlPlane, Deps};
use db::{Db, Scope};
use domain::id::{AppId, UploadId};
use proto::v1;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::secret::{ExposeSecret as _, Secret};
use runtime::shutdown;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::postgres::TestDatabase;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::Channel;
use v1::app_service_client::AppServiceClient;
use v1::upload_service_client::UploadServiceClient;
use v1::watch_response::Message;
use v1::watch_service_client::WatchServiceClient;

/// Between two stages, so that each is told alone.
const PAUSE: Duration = Duration::from_millis(50);
/// Streams on one connection, as a proxy in front of browsers has them.
const STREAMS_PER_CONNECTION: usize = 50;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What watchers connect with.
struct Served {
    address: String,
    key: String,
    scope: Scope,
}

impl Served {
    fn ask<T>(&self, message: T) -> Result<Request<T>, Failure> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.key).parse()?);
        Ok(request)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, watchers, stages] = arguments.as_slice() else { return Err("three arguments are needed".into()) };
    let (watchers, stages): (usize, usize) = (watchers.parse()?, stages.parse()?);
    let folder = tempfile::tempdir()?;
    let server = (database == "postgresql").then(TestDatabase::create);
    let file = format!("sqlite:{}", folder.path().join("aloft.db").display());
    let url = server.as_ref().map_or(file, |server| server.url().to_owned());
    let served = serve(&url, folder.path()).await?;
    // A worker is another process with a database of its own: signals go the way between processes.
    let writer = Db::open(&db::Config::new(url)).await?;
    let upload = begin_upload(&served).await?;
    let mut tasks = JoinSet::new();
    let mut channel = connect(&served.address).await?;
    for number in 0..watchers {
        if number > 0 && number.is_multiple_of(STREAMS_PER_CONNECTION) {
            channel = connect(&served.address).await?;
        }
        let mut client = WatchServiceClient::new(channel.clone());
        let mut stream = client.watch(served.ask(v1::WatchRequest::default())?).await?.into_inner();
        while !matches!(stream.message().await?.and_then(|first| first.message), Some(Message::Snapshot(_))) {}
        tasks.spawn(async move {
            let mut heard = Vec::with_capacity(stages);
            while heard.len() < stages {
                let response = stream.message().await?.ok_or("the stream ended")?;
                if let Some(Message::Event(_)) = response.message {
                    heard.push(Instant::now());
                }
            }
            Ok::<_, Failure>(heard)
        });
    }
    let told = tell(&writer, &served.scope, &upload, stages).await?;
    let mut waits_ms = Vec::with_capacity(watchers * stages);
    while let Some(heard) = tasks.join_next().await {
        let heard = heard??;
        waits_ms
            .extend(told.iter().zip(heard).map(|(at, heard)| heard.saturating_duration_since(*at).as_secs_f64() * 1e3));
    }
    waits_ms.sort_by(f64::total_cmp);
    let percentile = |hundredths: usize| waits_ms[(waits_ms.len() * hundredths / 100).min(waits_ms.len() - 1)];
    println!("{}", serde_json::json!({ "p50_ms": percentile(50), "p99_ms": percentile(99) }));
    Ok(())
}

async fn connect(address: &str) -> Result<Channel, Failure> {
    Ok(Channel::from_shared(format!("http://{address}"))?.connect().await?)
}

/// Serves the database on a free port, for as long as the process runs.
async fn serve(url: &str, folder: &Path) -> Result<Served, Failure> {
    #[derive(serde::Deserialize)]
    struct Whole {
        control_plane: Config,
    }
    let defaults: Whole = toml::from_str(Config::DEFAULTS)?;
    let config = Config {
        listen: "127.0.0.1:0".parse()?,
        pepper: Secret::from("pepper-pepper-pepper-pepper-pepper"),
        ..defaults.control_plane
    };
    let db = Db::open(&db::Config::new(url.to_owned())).await?;
    db.migrate().await?;
    let (access_key, secret_key) = (Secret::from(""), Secret::from(""));
    let store = runtime::config::Store { url: folder.join("store").display().to_string(), access_key, secret_key };
    let (shutdown, stop) = shutdown::channel();
    // The end of the process is the stop.
    std::mem::forget(shutdown);
    let deps = Deps {
        db: db.clone(),
        store: blob::Store::open(&store).await?,
        clock: Clock::system(),
        stop,
        metrics: Metrics::new(),
        health: Health::new(Clock::system()),
    };
    let control_plane = ControlPlane::build(config, deps)?;
    let first = control_plane.bootstrap().await?.ok_or("the database is not new")?;
    let bound = control_plane.bind().await?;
    let address = bound.address()?.to_string();
    tokio::spawn(bound.run());
    let organization = db.read(db::organizations::find_first).await?.ok_or("there is no organization")?;
    let scope = Scope::authorized(organization.id);
    Ok(Served { address, key: first.key.expose_secret().to_owned(), scope })
}

/// Begins an upload whose stages are told.
async fn begin_upload(served: &Served) -> Result<(AppId, UploadId), Failure> {
    let channel = connect(&served.address).await?;
    let app = v1::CreateAppRequest { slug: "trailhead".to_owned(), ..Default::default() };
    let app = AppServiceClient::new(channel.clone()).create_app(served.ask(app)?).await?.into_inner().app;
    let app = app.ok_or("no app was made")?;
    let upload = v1::CreateUploadRequest {
        parent: app.name,
        platform: v1::Platform::Android.into(),
        archive_format: v1::ArchiveFormat::Zip.into(),
        archive_size_bytes: 1,
        archive_sha256: domain::Sha256::of(b"1").as_bytes().to_vec().into(),
        ..Default::default()
    };
    let upload = UploadServiceClient::new(channel).create_upload(served.ask(upload)?).await?.into_inner().upload;
    let upload = upload.ok_or("no upload was made")?;
    let id = upload.name.rsplit('/').next().ok_or("an upload has a name")?.parse()?;
    Ok((app.app_id.parse()?, id))
}

/// Notes stages of an upload one after the other, as a worker does; returns when each was committed.
async fn tell(writer: &Db, scope: &Scope, upload: &(AppId, UploadId), stages: usize) -> Result<Vec<Instant>, Failure> {
    let mut told = Vec::with_capacity(stages);
    for _ in 0..stages {
        let (scope, (app, upload)) = (scope.clone(), upload.clone());
        let write = move |tx: &mut db::Tx<'_>| {
            db::feed::note_stage(tx, &scope, &app, &upload, "unpacked", Clock::system().now());
            Ok(())
        };
        writer.write_relaxed(write).await?;
        told.push(Instant::now());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(told)
}
