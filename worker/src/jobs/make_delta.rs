//! This file's job is to make the patches that turn one bundle's launch file into another's, in every format that suits it.
//!
//! The quick patches come first and are offered at once; the same job at the best effort follows and replaces what it makes smaller.

mod products;

use crate::context::Context;
use crate::error::Error;
use crate::jobs::make_delta::products::{Known, Wanted};
use blob::Store;
use db::deltas::Delta;
use db::queue::{self, Lease, NewJob};
use db::{DbConn, Scope, Tx};
use delta::{Budget, Effort};
use domain::bundle::{Blob, Engine, FileRole};
use domain::id::{BundleId, JobId};
use domain::job::{DeltaEffort, Job};
use domain::{Sha256, Timestamp};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The launch files of two bundles, and the patches that there are.
struct Pair {
    base: Sha256,
    target: Sha256,
    engine: Engine,
    known: Vec<Known>,
}

/// A patch with its row.
type Made = (Delta, Blob);

/// Makes the patches that are worth it, and completes the job.
pub(crate) async fn run(
    context: &Context,
    lease: &Lease,
    (from, to): (&BundleId, &BundleId),
    effort: DeltaEffort,
) -> Result<(), Error> {
    let (scope, ids) = (lease.scope(), (from.clone(), to.clone()));
    let pair = context.db.read(move |conn| find_pair(conn, &scope, &ids.0, &ids.1)).await?;
    let now = context.clock.now();
    let is_known = pair.as_ref().is_some_and(|pair| !pair.known.is_empty());
    let mut made = Vec::new();
    if let Some(pair) = pair {
        for (format, patch) in make(context, &pair, effort).await? {
            let blob = Blob::of(&patch);
            let announced = [blob.sha256];
            context.db.write(move |tx| db::condemned::announce(tx, &announced)).await?;
            context.store.put(&blob, patch.as_slice()).await?;
            let (from_bundle, to_bundle, format) = (from.clone(), to.clone(), format.as_str().to_owned());
            let (base_sha256, blob_sha256) = (pair.base, blob.sha256);
            made.push((Delta { from_bundle, to_bundle, format, base_sha256, blob_sha256, created_at: now }, blob));
        }
    }
    // Where no quick patch is worth it, the smallest one is rarely.
    let goes_on = effort == DeltaEffort::Quick && (is_known || !made.is_empty());
    let better = goes_on.then(|| follow_up(lease, from, to, now));
    let lease = lease.clone();
    Ok(context.db.write(move |tx| complete(tx, &lease, &made, better.as_ref(), now)).await?)
}

/// Returns the job that makes the same patches smaller.
fn follow_up(lease: &Lease, from: &BundleId, to: &BundleId, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::from_parts(now, runtime::random::bytes()),
        tier: lease.tier,
        organization: lease.organization.clone(),
        app: lease.app.clone(),
        work: Job::MakeDelta { from: from.clone(), to: to.clone(), effort: DeltaEffort::Best },
        cost: 1,
        run_at: now,
    }
}

fn complete(tx: &mut Tx<'_>, lease: &Lease, made: &[Made], better: Option<&NewJob>, now: Timestamp) -> db::Result<()> {
    queue::complete(tx, lease, now)?;
    for (row, blob) in made {
        db::blobs::insert_missing(tx, &lease.scope(), std::slice::from_ref(blob), now)?;
        db::deltas::apply(tx, &lease.scope(), row)?;
    }
    if let Some(job) = better {
        queue::enqueue(tx, job, now)?;
    }
    Ok(())
}

/// Returns the two launch files; none when there is nothing to do (any more).
fn find_pair(conn: &mut DbConn, scope: &Scope, from: &BundleId, to: &BundleId) -> db::Result<Option<Pair>> {
    let (Some(base), Some(target)) = (launch_file(conn, scope, from)?, launch_file(conn, scope, to)?) else {
        return Ok(None);
    };
    let (before, engine) = (db::bundles::get(conn, scope, from)?.engine, db::bundles::get(conn, scope, to)?.engine);
    if base == target || before != engine {
        return Ok(None);
    }
    let mut known = Vec::new();
    for delta in db::deltas::list_for(conn, std::slice::from_ref(to))? {
        if delta.from_bundle == *from
            && let Ok(format) = delta.format.parse()
        {
            let blob = db::blobs::get(conn, scope, &delta.blob_sha256)?;
            known.push(Known { format, size_bytes: blob.size_bytes });
        }
    }
    Ok(Some(Pair { base, target, engine, known }))
}

/// Returns the hash of the bundle's launch file; none when the bundle is gone, or the file too large for a patch.
fn launch_file(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> db::Result<Option<Sha256>> {
    let files = match db::bundles::files(conn, scope, bundle) {
        Err(db::Error::NotFound { .. }) => return Ok(None),
        files => files?,
    };
    let launch = files.into_iter().find(|file| file.role == FileRole::Launch);
    let fits = |size_bytes| size_bytes <= delta::INPUT_MAX_BYTES as u64;
    Ok(launch.filter(|file| fits(file.size_bytes)).map(|file| file.sha256))
}

/// Makes the patches on a thread for blocking work, which stops soon after this future is dropped, and when its time is over.
async fn make(context: &Context, pair: &Pair, effort: DeltaEffort) -> Result<Vec<products::Product>, Error> {
    let base = read(&context.store, &pair.base).await?;
    let target = read(&context.store, &pair.target).await?;
    let (effort, time_ms) = match effort {
        DeltaEffort::Quick => (Effort::Quick, context.config.delta_quick_ms),
        DeltaEffort::Best => (Effort::Best, context.config.delta_best_ms),
    };
    let memory_max_bytes = usize::try_from(context.config.delta_memory_max_bytes).unwrap_or(usize::MAX);
    let (engine, known) = (pair.engine, pair.known.clone());
    let dropped = CancellationToken::new();
    let guard = dropped.clone().drop_guard();
    let work = tokio::task::spawn_blocking(move || {
        let until = Instant::now() + Duration::from_millis(time_ms);
        let should_stop = || dropped.is_cancelled() || Instant::now() >= until;
        let budget = Budget { memory_max_bytes, should_stop: &should_stop };
        products::make(&Wanted { base: &base, target: &target, engine, known: &known }, effort, &budget)
    });
    let made = work.await?;
    drop(guard);
    made
}

async fn read(store: &Store, sha256: &Sha256) -> Result<Vec<u8>, Error> {
    Ok(store.read(sha256, delta::INPUT_MAX_BYTES as u64).await?.into())
}
