//! This file's job is `aloft upload`: bring a bundle to the server and wait until it can be released.

use crate::channel_address::AppAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::platform::{self, AnyPlatform};
use crate::report::AnyReport;
use crate::source::{self, Found};
use crate::transfer::{self, Archive, Pace};
use crate::watch::Watcher;
use crate::{names, retry, table, view};
use bundle::ScannedFile;
use domain::Sha256;
use domain::bundle::Stage;
use proto::v1;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt::{Display, Formatter};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Brings a bundle to the server. A broken or killed upload resumes when the command is repeated.
///
/// PATH is what you have: a Metro or Hermes bundle file with its assets beside it, the folder of `expo export`, or a
/// CodePush-style folder or zip. Files that the server has already are not sent again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aloft upload build/index.android.bundle --app trailhead\n  aloft upload dist --app trailhead --platform both"
)]
pub struct Arguments {
    /// The bundle.
    pub path: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub app: AppAddress,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub options: Options,
}

/// How a bundle is uploaded.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// What the bundle runs on; found out from the bundle when not given.
    #[arg(long)]
    pub platform: Option<AnyPlatform>,
    /// The launch file's source map, when it does not lie beside it as NAME.map. The server keeps it private; devices never get it.
    #[arg(long, value_name = "FILE", conflicts_with = "no_source_map")]
    pub source_map: Option<PathBuf>,
    /// Send no source map, also if one lies beside the launch file.
    #[arg(long)]
    pub no_source_map: bool,
    /// Wait at most so many seconds until the server has processed the bundle; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub wait: u64,
    /// Tell each step of the processing on standard error, as it happens.
    #[arg(long)]
    pub watch: bool,
    /// Send at most so many bytes a second.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_rate: Option<u64>,
}

impl Options {
    /// Returns which source map is sent.
    #[must_use]
    pub fn map(&self) -> source::Map {
        match &self.source_map {
            Some(path) => source::Map::File(path.clone()),
            None if self.no_source_map => source::Map::None,
            None => source::Map::Beside,
        }
    }
}

/// What became of an upload.
#[derive(Debug, Serialize)]
pub struct Uploaded {
    /// The upload's full name.
    pub upload: String,
    /// "queued", "processing" or "ready".
    pub state: &'static str,
    /// How far the processing has come: "received", "verified", "unpacked", "parsed", "stored" or "ready".
    pub stage: &'static str,
    /// "android" or "ios".
    pub platform: &'static str,
    /// The bundle's full name, once the state is "ready".
    pub bundle: Option<String>,
    /// The bundle's content hash.
    pub content_sha256: String,
    /// What the launch file holds: "javascript" or "hermes".
    pub engine: &'static str,
    /// Number of files of the bundle.
    pub file_count: usize,
    /// Size of all files in bytes.
    pub total_size_bytes: u64,
    /// Whether a source map was sent with them.
    pub has_source_map: bool,
    /// Files that the server had already.
    pub known_file_count: usize,
    /// Size in bytes of the archive with the other files.
    pub archive_size_bytes: u64,
    /// Bytes that this run had to send, counted from where the server stood.
    pub sent_size_bytes: u64,
    /// How long everything took, in milliseconds.
    pub duration_ms: u64,
    /// What is allowed, but perhaps not meant.
    pub warnings: Vec<view::Warning>,
}

impl Display for Uploaded {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { file_count, known_file_count, .. } = self;
        let sent = format!(
            "{} for {file_count} files of {}, {known_file_count} of them known to the server",
            table::size(self.sent_size_bytes),
            table::size(self.total_size_bytes),
        );
        f.write_str(&table::pairs(&[
            ("bundle", self.bundle.as_deref().map(names::short).unwrap_or_default().to_owned()),
            ("upload", names::short(&self.upload).to_owned()),
            (
                "state",
                if self.stage == self.state {
                    self.state.to_owned()
                } else {
                    format!("{}, {}", self.state, self.stage)
                },
            ),
            ("platform", self.platform.to_owned()),
            ("content", self.content_sha256.clone()),
            ("sent", sent),
            ("took", format!("{} ms", self.duration_ms)),
            ("warning", view::Warning::texts(&self.warnings)),
        ]))
    }
}

/// What became of the uploads of one command.
#[derive(Debug, Serialize)]
pub struct Uploads {
    /// One for each platform.
    pub uploads: Vec<Uploaded>,
}

impl Display for Uploads {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<_> = self.uploads.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

/// Uploads every bundle that is found.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let app = arguments.app.name()?;
    let mut uploads = Vec::new();
    for found in source::find(arguments.path, arguments.options.platform, arguments.options.map()).await? {
        uploads.push(upload(connection, &app, found, &arguments.options).await?);
    }
    Ok(Box::new(Uploads { uploads }))
}

/// Brings one bundle to the server.
pub async fn upload(connection: &Connection, app: &str, found: Found, options: &Options) -> Result<Uploaded, Error> {
    let begun = Instant::now();
    let known = find_known(connection, app, &found).await?;
    let known_files: Vec<v1::BundleFile> = known_files(&found, &known);
    let archive = pack(connection, found.files.clone(), known).await?;
    let request = v1::CreateUploadRequest {
        parent: app.to_owned(),
        platform: platform::wire(found.platform).into(),
        archive_format: v1::ArchiveFormat::TarZstd.into(),
        archive_size_bytes: archive.size_bytes,
        archive_sha256: archive.sha256.as_bytes().to_vec().into(),
        known_files: known_files.clone(),
        request_id: request_id(),
    };
    let created = retry::repeat(|| create(connection, request.clone())).await?;
    let stood_at_bytes = created.received_bytes;
    let sent = send(connection, created, &archive, options).await?;
    let mut done = wait(connection, sent, options).await?;
    let is_ready = done.state() == v1::UploadState::Ready;
    let known_warnings = std::mem::take(&mut done.warnings).into_iter().map(Into::into).collect();
    Ok(Uploaded {
        state: state_text(done.state()),
        stage: stage_text(done.stage()),
        bundle: Some(done.bundle).filter(|bundle| !bundle.is_empty()),
        upload: done.name,
        platform: found.platform.as_str(),
        content_sha256: found.content_sha256().to_hex(),
        engine: found.detected.engine.as_str(),
        file_count: found.detected.files.len(),
        total_size_bytes: found.total_size_bytes(),
        has_source_map: found.detected.source_map.is_some(),
        known_file_count: known_files.len(),
        archive_size_bytes: archive.size_bytes,
        sent_size_bytes: archive.size_bytes.saturating_sub(stood_at_bytes),
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        // Until it is processed, only what shows here is known.
        warnings: if is_ready { known_warnings } else { found.detected.warnings.iter().map(Into::into).collect() },
    })
}

async fn create(connection: &Connection, request: v1::CreateUploadRequest) -> Result<v1::Upload, Error> {
    let answer = connection.answer(connection.uploads().create_upload(request).await)?;
    answer.upload.ok_or_else(|| Error::missing("the upload"))
}

/// Asks which bytes the server has. Not repeated: when the server is away from the start, the command says so at once.
async fn find_known(connection: &Connection, app: &str, found: &Found) -> Result<HashSet<Sha256>, Error> {
    let mut hashes: HashSet<Sha256> = found.files.iter().map(|file| file.input.sha256).collect();
    let sha256 = hashes.iter().map(|hash| hash.as_bytes().to_vec().into()).collect();
    let request = v1::FindMissingBlobsRequest { parent: app.to_owned(), sha256 };
    let answer = connection.answer(connection.uploads().find_missing_blobs(request).await)?;
    for bytes in &answer.missing_sha256 {
        hashes.remove(&Sha256::try_from(bytes.as_ref()).map_err(|error| Error::Answer(error.to_string()))?);
    }
    Ok(hashes)
}

/// The files that are not sent, under the paths that they were found under.
fn known_files(found: &Found, known: &HashSet<Sha256>) -> Vec<v1::BundleFile> {
    let inputs = found.files.iter().map(|file| &file.input).filter(|input| known.contains(&input.sha256));
    let file = |input: &bundle::Input| v1::BundleFile {
        path: input.path.clone(),
        sha256: input.sha256.as_bytes().to_vec().into(),
        size_bytes: input.size_bytes,
        role: v1::FileRole::Unspecified.into(),
    };
    inputs.map(file).collect()
}

/// Packs the files that the server lacks into a file without a name, which the system removes however this command ends.
async fn pack(connection: &Connection, files: Vec<ScannedFile>, known: HashSet<Sha256>) -> Result<Archive, Error> {
    let spinner = connection.progress.waiting("packing");
    let packed = source::run_blocking(move || {
        let file = tempfile::tempfile().map_err(|source| Error::file(&std::env::temp_dir(), source))?;
        let packed = bundle::pack(&files, &known, BufWriter::new(&file))?;
        Ok(Archive { file: Arc::new(file), size_bytes: packed.size_bytes, sha256: packed.sha256 })
    })
    .await;
    spinner.finish_and_clear();
    packed
}

async fn send(
    connection: &Connection,
    upload: v1::Upload,
    archive: &Archive,
    options: &Options,
) -> Result<v1::Upload, Error> {
    let bar = connection.progress.bytes("sending", archive.size_bytes);
    let pace = Pace { limit_bytes_per_second: options.limit_rate, bar };
    transfer::send(connection, upload, archive, &pace).await
}

/// Waits until the bundle is ready, or refused, or the time is over.
async fn wait(connection: &Connection, upload: v1::Upload, options: &Options) -> Result<v1::Upload, Error> {
    let spinner = connection.progress.waiting("processing");
    let (begun, limit) = (Instant::now(), Duration::from_secs(options.wait));
    let mut watcher = Watcher::new(connection, vec![upload.name.clone()]);
    let mut upload = upload;
    loop {
        match upload.state() {
            v1::UploadState::Ready => break,
            v1::UploadState::Failed => {
                let failure = upload.failure.unwrap_or_default();
                return Err(Error::UploadFailed { reason: failure.reason, message: failure.message });
            }
            v1::UploadState::Cancelled => {
                let message = "the upload was cancelled or has expired".to_owned();
                return Err(Error::UploadFailed { reason: "UPLOAD_STATE".to_owned(), message });
            }
            v1::UploadState::Queued | v1::UploadState::Processing if limit.is_zero() => break,
            v1::UploadState::Queued | v1::UploadState::Processing => {}
            v1::UploadState::Unspecified | v1::UploadState::Receiving => {
                return Err(Error::Answer("bytes are missing after the last one was sent".to_owned()));
            }
        }
        let left = limit.saturating_sub(begun.elapsed());
        let Ok(step) = tokio::time::timeout(left, watcher.next()).await else {
            return Err(Error::ProcessingTimeout { upload: upload.name, seconds: limit.as_secs() });
        };
        let step = step?;
        let text = if step.stage.is_empty() { state_text(step.upload.state()).to_owned() } else { step.stage };
        if options.watch {
            spinner.suspend(|| tell(begun, &text));
        }
        spinner.set_message(text);
        upload = step.upload;
    }
    spinner.finish_and_clear();
    Ok(upload)
}

/// Writes a step on standard error, where it is in nobody's way. A reader that went away is no failure.
fn tell(begun: Instant, text: &str) {
    let line = format!("{:>8.3} s  {text}\n", begun.elapsed().as_secs_f64());
    let _ = std::io::stderr().write_all(line.as_bytes());
}

const fn stage_text(stage: v1::UploadStage) -> &'static str {
    match stage {
        v1::UploadStage::Unspecified => "",
        v1::UploadStage::Received => Stage::Received.as_str(),
        v1::UploadStage::Verified => Stage::Verified.as_str(),
        v1::UploadStage::Unpacked => Stage::Unpacked.as_str(),
        v1::UploadStage::Parsed => Stage::Parsed.as_str(),
        v1::UploadStage::Stored => Stage::Stored.as_str(),
        v1::UploadStage::Ready => Stage::Ready.as_str(),
    }
}

const fn state_text(state: v1::UploadState) -> &'static str {
    match state {
        v1::UploadState::Unspecified => "unknown",
        v1::UploadState::Receiving => "receiving",
        v1::UploadState::Queued => "queued",
        v1::UploadState::Processing => "processing",
        v1::UploadState::Ready => "ready",
        v1::UploadState::Failed => "failed",
        v1::UploadState::Cancelled => "cancelled",
    }
}
