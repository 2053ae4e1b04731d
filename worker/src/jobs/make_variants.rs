//! This file's job is to compress the files of a bundle, for devices that have nothing to make them from.
//!
//! The quick forms come first and are offered at once; the same job at the best effort follows and replaces what it makes smaller.

use crate::context::Context;
use crate::error::Error;
use bundle::{Allowed, COMPRESSED_MIN_BYTES};
use db::queue::{self, Lease, NewJob};
use db::variants::Variant;
use db::{DbConn, Scope, Tx};
use domain::bundle::{Blob, BundleFile, Coding, FileRole};
use domain::id::{BundleId, JobId};
use domain::job::{DeltaEffort, Job};
use domain::{Sha256, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Files of one bundle that are compressed, the largest ones: every form stands in snapshots, and the small files of a bundle with more
/// gain little.
const FILES_MAX: usize = 200;
/// A form that saves less is not worth a second thing to store and to verify; a file where Gzip saves less is no text.
const WORTH_PERCENT: u64 = 95;

/// A file to compress, and the forms of it that there are with their sizes.
#[derive(Debug, Clone)]
struct Wanted {
    sha256: Sha256,
    size_bytes: u64,
    known: Vec<(Variant, u64)>,
}

/// A form with its bytes; none where it is one that there was.
type Made = (Variant, Option<Vec<u8>>);

/// Compresses what gets smaller by it, and completes the job.
pub(crate) async fn run(context: &Context, lease: &Lease, bundle: &BundleId, effort: DeltaEffort) -> Result<(), Error> {
    let (scope, id, now) = (lease.scope(), bundle.clone(), context.clock.now());
    let wanted = context.db.read(move |conn| list_wanted(conn, &scope, &id)).await?;
    let until = Instant::now() + time(context, effort);
    let (mut rows, mut blobs, mut is_improvable) = (Vec::new(), Vec::new(), false);
    for file in wanted {
        is_improvable |= file.known.iter().any(|(variant, _)| variant.effort == DeltaEffort::Quick);
        if Instant::now() >= until {
            break;
        }
        for (variant, bytes) in make(context, &file, effort, until).await? {
            if let Some(bytes) = bytes {
                let blob = Blob::of(&bytes);
                let announced = [blob.sha256];
                context.db.write(move |tx| db::condemned::announce(tx, &announced)).await?;
                context.store.put(&blob, bytes.as_slice()).await?;
                blobs.push(blob);
            }
            is_improvable |= variant.effort == DeltaEffort::Quick;
            rows.push(variant);
        }
    }
    let better = (effort == DeltaEffort::Quick && is_improvable).then(|| follow_up(lease, bundle, now));
    let (lease, bundle) = (lease.clone(), bundle.clone());
    Ok(context.db.write(move |tx| complete(tx, &lease, &bundle, (&rows, &blobs), better.as_ref(), now)).await?)
}

const fn time(context: &Context, effort: DeltaEffort) -> Duration {
    Duration::from_millis(match effort {
        DeltaEffort::Quick => context.config.delta_quick_ms,
        DeltaEffort::Best => context.config.delta_best_ms,
    })
}

/// Returns the job that makes the same forms smaller.
fn follow_up(lease: &Lease, bundle: &BundleId, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::from_parts(now, runtime::random::bytes()),
        tier: lease.tier,
        organization: lease.organization.clone(),
        app: lease.app.clone(),
        work: Job::MakeVariants { bundle: bundle.clone(), effort: DeltaEffort::Best },
        cost: 1,
        run_at: now,
    }
}

fn complete(
    tx: &mut Tx<'_>,
    lease: &Lease,
    bundle: &BundleId,
    (rows, blobs): (&[Variant], &[Blob]),
    better: Option<&NewJob>,
    now: Timestamp,
) -> db::Result<()> {
    queue::complete(tx, lease, now)?;
    db::blobs::insert_missing(tx, &lease.scope(), blobs, now)?;
    match db::variants::apply(tx, &lease.scope(), bundle, rows, now) {
        // Deleted meanwhile.
        Err(db::Error::NotFound { .. }) => return Ok(()),
        applied => applied?,
    }
    better.map_or(Ok(()), |job| queue::enqueue(tx, job, now).map(drop))
}

/// Returns the files that can be compressed, each content once: the launch file, then the largest; none when the bundle is gone.
fn list_wanted(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> db::Result<Vec<Wanted>> {
    let mut files = match db::bundles::files(conn, scope, bundle) {
        Err(db::Error::NotFound { .. }) => return Ok(Vec::new()),
        files => files?,
    };
    files.retain(is_wanted);
    files.sort_by_key(|file| (file.role != FileRole::Launch, std::cmp::Reverse(file.size_bytes), file.sha256));
    files.dedup_by_key(|file| file.sha256);
    files.truncate(FILES_MAX);
    let hashes: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
    let variants = db::variants::list_for(conn, scope, &hashes)?;
    let compressed: Vec<Sha256> = variants.iter().map(|variant| variant.blob_sha256).collect();
    let blobs = db::blobs::find_many(conn, scope, &compressed)?;
    let sizes: BTreeMap<Sha256, u64> = blobs.iter().map(|blob| (blob.sha256, blob.size_bytes)).collect();
    let mut known: BTreeMap<Sha256, Vec<(Variant, u64)>> = BTreeMap::new();
    for variant in variants {
        let size_bytes = sizes.get(&variant.blob_sha256).copied().unwrap_or(u64::MAX);
        known.entry(variant.sha256).or_default().push((variant, size_bytes));
    }
    let wanted = |file: BundleFile| Wanted {
        sha256: file.sha256,
        size_bytes: file.size_bytes,
        known: known.remove(&file.sha256).unwrap_or_default(),
    };
    Ok(files.into_iter().map(wanted).collect())
}

fn is_wanted(file: &BundleFile) -> bool {
    let fits = (COMPRESSED_MIN_BYTES..=delta::INPUT_MAX_BYTES as u64).contains(&file.size_bytes);
    fits && (file.role == FileRole::Launch || !bundle::is_compressed(&file.path))
}

/// Compresses one file on a thread for blocking work, which stops soon after this future is dropped, and when the time is over.
async fn make(context: &Context, file: &Wanted, effort: DeltaEffort, until: Instant) -> Result<Vec<Made>, Error> {
    if missing(file, effort).next().is_none() {
        return Ok(Vec::new());
    }
    let bytes = context.store.read(&file.sha256, delta::INPUT_MAX_BYTES as u64).await?;
    let memory_max_bytes = usize::try_from(context.config.delta_memory_max_bytes).unwrap_or(usize::MAX);
    let dropped = CancellationToken::new();
    let guard = dropped.clone().drop_guard();
    let file = file.clone();
    let work = tokio::task::spawn_blocking(move || {
        let should_stop = || dropped.is_cancelled() || Instant::now() >= until;
        compress(&file, &bytes, effort, &Allowed { memory_max_bytes, should_stop: &should_stop })
    });
    let made = work.await?;
    drop(guard);
    made
}

/// Returns the codings that there is something to do for, the quickest first: what it says decides about the others.
fn missing(file: &Wanted, effort: DeltaEffort) -> impl Iterator<Item = Coding> {
    [Coding::Gzip, Coding::Zstandard, Coding::Brotli].into_iter().filter(move |&coding| {
        let known = file.known.iter().find(|(variant, _)| variant.coding == coding);
        known.is_none_or(|(variant, _)| effort == DeltaEffort::Best && variant.effort == DeltaEffort::Quick)
    })
}

fn compress(file: &Wanted, bytes: &[u8], effort: DeltaEffort, allowed: &Allowed<'_>) -> Result<Vec<Made>, Error> {
    let failed = |cause| Error::Internal(format!("{} cannot be compressed: {cause}", file.sha256));
    let mut made = Vec::new();
    for coding in missing(file, effort) {
        let Some(compressed) = bundle::compress(bytes, coding, effort, allowed).map_err(failed)? else { continue };
        let is_worth = compressed.len() as u64 * 100 <= file.size_bytes * WORTH_PERCENT;
        if !is_worth && coding == Coding::Gzip {
            break;
        }
        let known = file.known.iter().find(|(variant, _)| variant.coding == coding);
        let effort = if bundle::gains_by_effort(coding) { effort } else { DeltaEffort::Best };
        match known {
            // It stays, and is not tried again.
            Some((variant, size_bytes)) if *size_bytes <= compressed.len() as u64 => {
                made.push((Variant { effort, ..variant.clone() }, None));
            }
            Some(_) | None if is_worth => {
                let back = bundle::decompress(&compressed, coding, bytes.len()).map_err(failed)?;
                if back != bytes {
                    return Err(Error::Internal(format!("{} in {coding} does not come back", file.sha256)));
                }
                let blob_sha256 = Sha256::of(&compressed);
                made.push((Variant { sha256: file.sha256, coding, effort, blob_sha256 }, Some(compressed)));
            }
            Some(_) | None => {}
        }
    }
    Ok(made)
}
