//! This file's job is to turn an upload into a bundle.
//!
//! Faults of the upload end the job: the upload is marked as failed, with a reason for its owner. Faults of the machinery are errors,
//! and the job runs again. Blobs are stored before the transaction that names them; when that is not reached they are orphans, or
//! found again by the next attempt.
//!
//! Each stage is noted once it is reached. What lies on a lost worker's disk is made anew by the next attempt, wherever that runs; what
//! has an effect is not: stages are told once, stored blobs are found, and bundle and upload change in one transaction.

mod inside;
mod stages;

use crate::context::Context;
use crate::error::Error;
use crate::jobs::process_upload::inside::{Inside, Sources};
use crate::jobs::spool::{Spool, Unpacked};
use crate::jobs::upload_news;
use blob::Store;
use bundle::{Detected, Input, Refusal, detect};
use db::bundles::Bundle;
use db::queue::{self, Lease};
use db::source_maps::SourceMap;
use db::uploads::{NextState, Upload};
use db::{DbConn, Scope, Tx, UploadState};
use domain::bundle::{ArchiveFormat, Blob, Stage, content_hash};
use domain::id::{BundleId, UploadId};
use domain::warning::{Warning, hermes_mismatch};
use domain::{Sha256, Timestamp};
use runtime::failpoint;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Blobs of one upload that are stored at the same time; each holds up to 8 MiB in memory.
const PUTS_AT_ONCE: usize = 4;
/// The states in which there is work to do. A failed upload is worked on again when an operator revives its dead job.
const OPEN: [UploadState; 3] = [UploadState::Queued, UploadState::Processing, UploadState::Failed];

/// A fault of the upload itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    reason: &'static str,
    message: String,
}

impl Refused {
    pub(crate) fn mismatch(message: String) -> Self {
        Self { reason: "UPLOAD_MISMATCH", message }
    }

    fn bundle(message: String) -> Self {
        Self { reason: "BUNDLE_INVALID", message }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let is_size = matches!(
            refusal,
            Refusal::TooMany { .. } | Refusal::FileTooLarge { .. } | Refusal::TooLarge { .. } | Refusal::Ratio { .. }
        );
        Self { reason: if is_size { "SIZE_LIMIT" } else { "BUNDLE_INVALID" }, message: refusal.to_string() }
    }
}

/// A file that is not in the archive because the organization has its blob.
#[derive(Debug, Clone, Deserialize)]
struct KnownFile {
    path: String,
    sha256: Sha256,
    size_bytes: u64,
}

/// What an upload became.
struct Content {
    detected: Detected,
    /// What was found inside; none when that is known already.
    inside: Option<Inside>,
    /// The source map of the launch file.
    source_map: Option<Input>,
    blobs: Vec<Blob>,
}

/// Processes the upload and completes the job.
pub(crate) async fn run(context: &Context, lease: &Lease, id: &UploadId) -> Result<(), Error> {
    let Some(upload) = begin(context, lease, id).await? else { return end_idle(context, lease, id).await };
    let result = match prepare(context, lease, &upload).await? {
        Ok(content) => {
            if failpoint::is_broken("worker.keeps-parts") {
                remove_parts(context, id).await;
            }
            failpoint::crash_at("worker.before-commit");
            commit(context, lease, &upload, content).await
        }
        Err(refused) => refuse(context, lease, &upload, refused).await,
    };
    result?;
    failpoint::crash_at("worker.after-commit");
    remove_parts(context, id).await;
    Ok(())
}

/// Marks the upload as failed when its job became a dead letter.
pub(crate) fn give_up(tx: &mut Tx<'_>, scope: &Scope, id: &UploadId, now: Timestamp) -> db::Result<()> {
    let message = "the server could not process the upload; its operator has been told".to_owned();
    let failed = NextState::Failed { reason: "INTERNAL".to_owned(), message };
    match db::uploads::set_state(tx, scope, id, &OPEN, &failed, now) {
        // It is gone, cancelled or done: nobody waits.
        Err(db::Error::NotFound { .. } | db::Error::Conflict { .. }) => return Ok(()),
        result => result?,
    }
    let upload = db::uploads::get(tx, scope, id)?;
    upload_news::failed(tx, scope, &upload, &failed, now)
}

/// Returns the upload, marked as being processed; none when there is nothing to do any more.
async fn begin(context: &Context, lease: &Lease, id: &UploadId) -> Result<Option<Upload>, Error> {
    let (scope, id, now) = (lease.scope(), id.clone(), context.clock.now());
    let begun = context.db.write(move |tx| {
        let upload = match db::uploads::get(tx, &scope, &id) {
            Err(db::Error::NotFound { .. }) => return Ok(None),
            upload => upload?,
        };
        if !OPEN.contains(&upload.state) {
            return Ok(None);
        }
        db::uploads::set_state(tx, &scope, &id, &OPEN, &NextState::Processing, now)?;
        Ok(Some(upload))
    });
    Ok(begun.await?)
}

/// Ends a job whose upload is done, cancelled or gone.
async fn end_idle(context: &Context, lease: &Lease, id: &UploadId) -> Result<(), Error> {
    let (lease, now) = (lease.clone(), context.clock.now());
    context.db.write(move |tx| queue::complete(tx, &lease, now)).await?;
    remove_parts(context, id).await;
    Ok(())
}

/// Does all that needs no transaction: fetch, unpack, detect, store.
async fn prepare(context: &Context, lease: &Lease, upload: &Upload) -> Result<Result<Content, Refused>, Error> {
    let spool = Spool::make(&context.config.spool_folder)?;
    if let Err(refused) = fetch(context, &spool, upload).await? {
        return Ok(Err(refused));
    }
    stages::reach(context, lease, upload, Stage::Verified).await?;
    let format: ArchiveFormat = upload.archive_format.parse().map_err(internal)?;
    let unpacked = match spool.unpack(format, context.config.limits()).await {
        Ok(unpacked) => unpacked,
        Err(error) => return split(error, "unpacking").map(Err),
    };
    let known = match known_files(context, lease, upload, &unpacked).await? {
        Ok(known) => known,
        Err(refused) => return Ok(Err(refused)),
    };
    stages::reach(context, lease, upload, Stage::Unpacked).await?;
    let sources = Sources::new(context.store.clone(), &unpacked, &known);
    let inputs = inputs(&unpacked, &known);
    let detected = match detect_files(upload, inputs.clone(), sources.clone()).await {
        Ok(detected) => detected,
        Err(error) => return split(error, "looking at the files").map(Err),
    };
    let source_map = inputs.into_iter().find(|input| Some(&input.path) == detected.source_map.as_ref());
    let map = source_map.as_ref().map(|map| map.sha256);
    let inside = match inside::look(context, lease, upload, &detected, (sources, map)).await? {
        Ok(inside) => inside,
        Err(error) => return split(error, "looking into the files").map(Err),
    };
    stages::reach(context, lease, upload, Stage::Parsed).await?;
    let mut content = Content { detected, inside, source_map, blobs: Vec::new() };
    content.blobs = store_blobs(context, &content, &unpacked).await?;
    stages::reach(context, lease, upload, Stage::Stored).await?;
    Ok(Ok(content))
}

/// Brings the archive here. A store or a network that spoils bytes does so differently each time: only what is wrong twice in the same way
/// is the upload's own fault.
async fn fetch(context: &Context, spool: &Spool, upload: &Upload) -> Result<Result<(), Refused>, Error> {
    let once = async || {
        let reader = context.store.open_upload(&upload.id).await?;
        spool.fetch(reader, upload.archive_size_bytes, &upload.archive_sha256).await
    };
    let Err(refused) = once().await? else { return Ok(Ok(())) };
    if failpoint::is_broken("worker.reads-twice") {
        return Ok(Err(refused));
    }
    match once().await? {
        Err(again) if again != refused => Err(internal(format!("the store reads wrongly: {refused}, then {again}"))),
        result => Ok(result),
    }
}

/// Tells the upload's faults from the machinery's.
fn split(error: bundle::Error, action: &'static str) -> Result<Refused, Error> {
    match error {
        bundle::Error::Refused(refusal) => Ok(refusal.into()),
        bundle::Error::Sink(cause) => match cause.downcast::<blob::Error>() {
            Ok(error) => Err(Error::Store(error)),
            Err(cause) => Err(Error::Spool { action, cause }),
        },
        bundle::Error::Local { cause, .. } => Err(Error::Spool { action, cause }),
    }
}

/// Returns the files that were not sent, after checking that the organization has them. One that was sent all the same is dropped.
async fn known_files(
    context: &Context,
    lease: &Lease,
    upload: &Upload,
    unpacked: &[Unpacked],
) -> Result<Result<Vec<KnownFile>, Refused>, Error> {
    let mut known: Vec<KnownFile> = serde_json::from_str(&upload.known_files).map_err(internal)?;
    let sent: HashMap<&str, Sha256> = unpacked.iter().map(|file| (file.path.as_str(), file.blob.sha256)).collect();
    known.retain(|file| sent.get(file.path.as_str()) != Some(&file.sha256));
    let (scope, hashes) = (lease.scope(), known.iter().map(|file| file.sha256).collect::<Vec<_>>());
    let stored = context.db.read(move |conn| db::blobs::find_many(conn, &scope, &hashes)).await?;
    let sizes: HashMap<Sha256, u64> = stored.into_iter().map(|blob| (blob.sha256, blob.size_bytes)).collect();
    match known.iter().find(|file| sizes.get(&file.sha256) != Some(&file.size_bytes)) {
        Some(file) => Ok(Err(Refused::bundle(format!("{:?} was not sent, and is not stored either", file.path)))),
        None => Ok(Ok(known)),
    }
}

async fn detect_files(upload: &Upload, inputs: Vec<Input>, sources: Sources) -> Result<Detected, bundle::Error> {
    let platform = upload.platform;
    let work = tokio::task::spawn_blocking(move || {
        detect(&inputs, platform, &mut |path, max_bytes| sources.start(path, max_bytes))
    });
    work.await.map_err(|error| bundle::Error::Sink(io::Error::other(error)))?
}

/// Every file of the upload, sent or not.
fn inputs(unpacked: &[Unpacked], known: &[KnownFile]) -> Vec<Input> {
    let input = |path: &str, sha256, size_bytes| Input { path: path.to_owned(), sha256, size_bytes };
    let sent = unpacked.iter().map(|file| input(&file.path, file.blob.sha256, file.blob.size_bytes));
    sent.chain(known.iter().map(|file| input(&file.path, file.sha256, file.size_bytes))).collect()
}

/// Stores what the bundle needs of the archive, each different content once, and what is private.
async fn store_blobs(context: &Context, content: &Content, unpacked: &[Unpacked]) -> Result<Vec<Blob>, Error> {
    let by_hash: BTreeMap<Sha256, &Unpacked> = unpacked.iter().map(|file| (file.blob.sha256, file)).collect();
    let map = content.source_map.as_ref().map(|map| map.sha256);
    let wanted: BTreeSet<Sha256> = content.detected.files.iter().map(|file| file.sha256).chain(map).collect();
    let needed: Vec<&Unpacked> = wanted.iter().filter_map(|sha256| by_hash.get(sha256).copied()).collect();
    let mut announced: Vec<Sha256> = needed.iter().map(|file| file.blob.sha256).collect();
    announced.extend(content.inside.as_ref().map(|inside| inside.blob.sha256));
    context.db.write(move |tx| db::condemned::announce(tx, &announced)).await?;
    let mut blobs = Vec::with_capacity(needed.len() + 1);
    if let Some(inside) = &content.inside {
        context.store.put(&inside.blob, inside.bytes.as_slice()).await?;
        blobs.push(inside.blob.clone());
    }
    let mut puts = JoinSet::new();
    for file in needed {
        if puts.len() >= PUTS_AT_ONCE
            && let Some(stored) = puts.join_next().await
        {
            stored??;
        }
        blobs.push(file.blob.clone());
        puts.spawn(put(context.store.clone(), file.clone()));
    }
    while let Some(stored) = puts.join_next().await {
        stored??;
    }
    Ok(blobs)
}

async fn put(store: Store, file: Unpacked) -> Result<(), Error> {
    let reader = tokio::fs::File::open(&file.location).await.map_err(Error::spool("opening a file"))?;
    store.put(&file.blob, reader).await?;
    Ok(())
}

async fn commit(context: &Context, lease: &Lease, upload: &Upload, content: Content) -> Result<(), Error> {
    let now = context.clock.now();
    let row = bundle_row(upload, &content.detected, now);
    let (lease, upload, content) = (lease.clone(), upload.clone(), Arc::new(content));
    let id = upload.id.clone();
    let write = move |tx: &mut Tx<'_>| {
        if !failpoint::is_broken("worker.one-transaction") {
            queue::complete(tx, &lease, now)?;
        }
        let scope = lease.scope();
        db::blobs::insert_missing(tx, &scope, &content.blobs, now)?;
        let stored = db::bundles::insert_with_files(tx, &scope, &row, &content.detected.files)?;
        set_private(tx, &scope, &stored.id, &content, now)?;
        let warnings = warnings(tx, &scope, &stored)?;
        db::uploads::set_warnings(tx, &scope, &upload.id, &warnings)?;
        let ready = NextState::Ready(stored.id.clone());
        db::uploads::set_state(tx, &scope, &upload.id, &[UploadState::Processing], &ready, now)?;
        upload_news::ready(tx, &scope, &upload, &stored.id, now)?;
        Ok(stored.id)
    };
    let bundle = context.db.write(write).await?;
    tracing::info!(upload = %id, %bundle, "ready");
    Ok(())
}

/// Returns the bundle's warnings, and that none of the app's binaries can run it. Whether those can that a release is for is looked at
/// when it is made.
fn warnings(conn: &mut DbConn, scope: &Scope, bundle: &Bundle) -> db::Result<Vec<Warning>> {
    let mut warnings = bundle.warnings.clone();
    if let Some(version) = bundle.hermes_version {
        let known = db::binaries::with_hermes_version(conn, scope, &bundle.app, bundle.platform)?;
        let known: Vec<(String, u32)> = known.into_iter().map(|(binary, runs)| (binary.version, runs)).collect();
        let is_run = known.iter().any(|(_, runs)| *runs == version);
        warnings.extend(hermes_mismatch(version, &known).filter(|_| !is_run));
    }
    Ok(warnings)
}

/// Keeps what only the organization may see.
fn set_private(tx: &mut Tx<'_>, scope: &Scope, bundle: &BundleId, content: &Content, now: Timestamp) -> db::Result<()> {
    if let Some(inside) = &content.inside {
        db::bundle_contents::set(tx, scope, &inside.row(bundle.clone(), now))?;
    }
    if let Some(Input { path, sha256, size_bytes }) = content.source_map.clone() {
        let row = SourceMap { bundle: bundle.clone(), path, sha256, size_bytes, created_at: now };
        db::source_maps::set(tx, scope, &row)?;
    }
    Ok(())
}

fn bundle_row(upload: &Upload, detected: &Detected, now: Timestamp) -> Bundle {
    Bundle {
        id: BundleId::from_parts(now, runtime::random::bytes()),
        app: upload.app.clone(),
        platform: upload.platform,
        content_hash: content_hash(&detected.files),
        engine: detected.engine,
        hermes_version: detected.hermes_version,
        launch_path: detected.launch_path.clone(),
        file_count: u32::try_from(detected.files.len()).unwrap_or(u32::MAX),
        total_size_bytes: detected.files.iter().map(|file| file.size_bytes).sum(),
        warnings: detected.warnings.clone(),
        created_at: now,
    }
}

async fn refuse(context: &Context, lease: &Lease, upload: &Upload, refused: Refused) -> Result<(), Error> {
    tracing::info!(upload = %upload.id, reason = refused.reason, message = refused.message, "refused");
    let (lease, upload, now) = (lease.clone(), upload.clone(), context.clock.now());
    let failed = NextState::Failed { reason: refused.reason.to_owned(), message: refused.message };
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        let scope = lease.scope();
        db::uploads::set_state(tx, &scope, &upload.id, &[UploadState::Processing], &failed, now)?;
        upload_news::failed(tx, &scope, &upload, &failed, now)
    };
    Ok(context.db.write(write).await?)
}

/// Best effort, after the commit: what stays is found by sweeps.
async fn remove_parts(context: &Context, id: &UploadId) {
    if let Err(error) = context.store.remove_upload(id).await {
        tracing::warn!(upload = %id, %error, "the parts of the upload stay in the store");
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}
