//! This file's job is to make the patch that turns one bundle's launch file into another's.

use crate::context::Context;
use crate::error::Error;
use blob::Store;
use db::deltas::Delta;
use db::queue::{self, Lease};
use db::{DbConn, Scope, Tx};
use domain::Sha256;
use domain::bundle::{Blob, FileRole};
use domain::id::BundleId;

/// The launch files of two bundles.
struct Pair {
    base: Sha256,
    target: Sha256,
}

/// Makes the delta, unless it exists or is not worth it, and completes the job.
pub(crate) async fn run(context: &Context, lease: &Lease, from: &BundleId, to: &BundleId) -> Result<(), Error> {
    let (scope, pair) = (lease.scope(), (from.clone(), to.clone()));
    let pair = context.db.read(move |conn| find_pair(conn, &scope, &pair.0, &pair.1)).await?;
    let patch = match pair {
        Some(pair) => make(context, &pair).await?.map(|patch| (pair, patch)),
        None => None,
    };
    let now = context.clock.now();
    let made = match patch {
        Some((pair, patch)) => {
            let blob = Blob::of(&patch);
            context.store.put(&blob, patch.as_slice()).await?;
            let (from_bundle, to_bundle, format) = (from.clone(), to.clone(), delta::FORMAT.to_owned());
            let blob_sha256 = blob.sha256;
            let row = Delta { from_bundle, to_bundle, format, base_sha256: pair.base, blob_sha256, created_at: now };
            Some((row, blob))
        }
        None => None,
    };
    let lease = lease.clone();
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        if let Some((row, blob)) = &made {
            db::blobs::insert_missing(tx, &lease.scope(), std::slice::from_ref(blob), now)?;
            db::deltas::insert(tx, &lease.scope(), row)?;
        }
        Ok(())
    };
    Ok(context.db.write(write).await?)
}

/// Returns the two launch files; none when there is nothing to do (any more).
fn find_pair(conn: &mut DbConn, scope: &Scope, from: &BundleId, to: &BundleId) -> db::Result<Option<Pair>> {
    let existing = db::deltas::list_for(conn, std::slice::from_ref(to))?;
    if existing.iter().any(|delta| delta.from_bundle == *from && delta.format == delta::FORMAT) {
        return Ok(None);
    }
    let (Some(base), Some(target)) = (launch_file(conn, scope, from)?, launch_file(conn, scope, to)?) else {
        return Ok(None);
    };
    Ok((base != target).then_some(Pair { base, target }))
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

/// Makes the patch and applies it once, so that no device gets one that does not work.
async fn make(context: &Context, pair: &Pair) -> Result<Option<Vec<u8>>, Error> {
    let base = read(&context.store, &pair.base).await?;
    let target = read(&context.store, &pair.target).await?;
    let level = context.config.delta_level;
    let work = tokio::task::spawn_blocking(move || -> Result<Option<Vec<u8>>, Error> {
        let Some(patch) = delta::encode(&base, &target, level)? else { return Ok(None) };
        if delta::decode(&base, &patch, target.len())? != target {
            return Err(Error::Internal("a patch makes another file than it should".to_owned()));
        }
        Ok(Some(patch))
    });
    work.await?
}

async fn read(store: &Store, sha256: &Sha256) -> Result<Vec<u8>, Error> {
    Ok(store.read(sha256, delta::INPUT_MAX_BYTES as u64).await?.into())
}
