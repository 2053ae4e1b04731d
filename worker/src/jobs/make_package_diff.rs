//! This file's job is to make what differs between the packages of two bundles, when that is smaller than the whole package.

use super::package_file::{self, Packing};
use crate::context::Context;
use crate::error::Error;
use db::packages::Diff;
use db::queue::{self, Lease};
use db::{DbConn, Scope, Tx};
use domain::Sha256;
use domain::bundle::{Blob, BundleFile};
use domain::codepush::package_hash;
use domain::id::BundleId;

/// Two bundles that diffs lead between.
struct Pair {
    from: Vec<BundleFile>,
    to: Vec<BundleFile>,
    /// Size of the package that the diff would save.
    whole_bytes: u64,
}

/// Makes the diff and completes the job.
pub(crate) async fn run(context: &Context, lease: &Lease, (from, to): (&BundleId, &BundleId)) -> Result<(), Error> {
    let (scope, ids) = (lease.scope(), (from.clone(), to.clone()));
    let pair = context.db.read(move |conn| find_pair(conn, &scope, &ids.0, &ids.1)).await?;
    let made = match pair {
        Some(pair) => make(context, pair).await?,
        None => None,
    };
    let (lease, to_bundle, now) = (lease.clone(), to.clone(), context.clock.now());
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        if let Some((from_package_hash, blob)) = &made {
            let (scope, to_bundle, from_package_hash) = (lease.scope(), to_bundle.clone(), *from_package_hash);
            db::blobs::insert_missing(tx, &scope, std::slice::from_ref(blob), now)?;
            let row = Diff { to_bundle, from_package_hash, blob_sha256: blob.sha256, created_at: now };
            db::packages::insert_diff(tx, &scope, &row)?;
        }
        Ok(())
    };
    Ok(context.db.write(write).await?)
}

/// Returns the files of both; none when a bundle is gone, or there is no package to save.
fn find_pair(conn: &mut DbConn, scope: &Scope, from: &BundleId, to: &BundleId) -> db::Result<Option<Pair>> {
    let found = (|| {
        let (from, package) = (db::bundles::files(conn, scope, from)?, db::packages::find(conn, scope, to)?);
        let Some(package) = package else { return Ok(None) };
        let whole_bytes = db::blobs::get(conn, scope, &package.blob_sha256)?.size_bytes;
        Ok(Some(Pair { from, to: db::bundles::files(conn, scope, to)?, whole_bytes }))
    })();
    match found {
        Err(db::Error::NotFound { .. }) => Ok(None),
        found => found,
    }
}

/// Returns the diff with the hash of the package that it is for; none when it is not worth it.
async fn make(context: &Context, pair: Pair) -> Result<Option<(Sha256, Blob)>, Error> {
    let (from_hash, to_hash) = (package_hash(&pair.from), package_hash(&pair.to));
    if from_hash == to_hash {
        return Ok(None);
    }
    let file = package_file::make(context, Packing::Diff(pair.from, pair.to)).await?;
    if file.blob.size_bytes >= pair.whole_bytes {
        return Ok(None);
    }
    Ok(Some((from_hash, file.store(context).await?)))
}
