//! This file's job is to make the package of a release that CodePush's clients get, and to ask for the diffs that lead to it.

use super::package_file::{self, Packing};
use crate::context::Context;
use crate::error::Error;
use db::packages::Package;
use db::queue::{self, Lease, NewJob};
use db::releases::Release;
use db::{DbConn, Scope, Tx};
use domain::bundle::BundleFile;
use domain::codepush::{DIFFS_PLANNED_MAX, package_hash};
use domain::id::{BundleId, JobId, ReleaseId};
use domain::job::Job;
use std::collections::BTreeSet;

/// How far back releases are looked through for packages that devices may have.
const RELEASES_MAX: u32 = 50;

/// So many of a platform's newest releases get diffs: those that devices are sent to. The whole package is enough for the others.
const DIFFED_MAX: usize = 10;

/// What is to be done.
struct Plan {
    bundle: BundleId,
    files: Vec<BundleFile>,
    is_made: bool,
    /// Bundles of earlier releases, each with another package; none when hardly any device is sent to the release.
    bases: Vec<BundleId>,
}

/// Makes the package, unless there is one, and completes the job.
pub(crate) async fn run(context: &Context, lease: &Lease, release: &ReleaseId) -> Result<(), Error> {
    let (scope, release) = (lease.scope(), release.clone());
    let plan = context.db.read(move |conn| plan(conn, &scope, &release)).await?;
    let made = match &plan {
        Some(plan) if !plan.is_made => {
            let file = package_file::make(context, Packing::Whole(plan.files.clone())).await?;
            Some((plan.bundle.clone(), package_hash(&plan.files), file.store(context).await?))
        }
        Some(_) | None => None,
    };
    let diffs: Vec<Job> = plan.map_or_else(Vec::new, |plan| {
        let to = plan.bundle;
        plan.bases.into_iter().map(|from| Job::MakePackageDiff { from, to: to.clone() }).collect()
    });
    let (lease, now) = (lease.clone(), context.clock.now());
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        if let Some((bundle, package_hash, blob)) = &made {
            let scope = lease.scope();
            db::blobs::insert_missing(tx, &scope, std::slice::from_ref(blob), now)?;
            let (bundle, package_hash, blob_sha256) = (bundle.clone(), *package_hash, blob.sha256);
            db::packages::insert(tx, &scope, &Package { bundle, package_hash, blob_sha256, created_at: now })?;
        }
        for work in &diffs {
            let id = JobId::from_parts(now, runtime::random::bytes());
            let (tier, organization, app) = (lease.tier, lease.organization.clone(), lease.app.clone());
            let job = NewJob { id, tier, organization, app, work: work.clone(), cost: 1, run_at: now };
            queue::enqueue(tx, &job, now)?;
        }
        Ok(())
    };
    Ok(context.db.write(write).await?)
}

/// Finds out what is to be done; none when the release is gone or brings no bundle.
fn plan(conn: &mut DbConn, scope: &Scope, id: &ReleaseId) -> db::Result<Option<Plan>> {
    let release = match db::releases::get(conn, scope, id) {
        Err(db::Error::NotFound { .. }) => return Ok(None),
        release => release?,
    };
    let Some(bundle) = release.bundle.clone() else { return Ok(None) };
    let files = db::bundles::files(conn, scope, &bundle)?;
    let is_made = db::packages::find(conn, scope, &bundle)?.is_some();
    let bases = if is_diffed(conn, scope, &release)? { bases(conn, scope, &release, &files)? } else { Vec::new() };
    Ok(Some(Plan { bundle, files, is_made, bases }))
}

fn is_diffed(conn: &mut DbConn, scope: &Scope, release: &Release) -> db::Result<bool> {
    let newest = db::releases::list(conn, scope, &release.channel, None, RELEASES_MAX)?;
    let of_platform = newest.into_iter().filter(|other| other.platform == release.platform);
    Ok(of_platform.take(DIFFED_MAX).any(|other| other.id == release.id))
}

fn bases(conn: &mut DbConn, scope: &Scope, release: &Release, files: &[BundleFile]) -> db::Result<Vec<BundleId>> {
    let mut seen = BTreeSet::from([package_hash(files)]);
    let mut bases = Vec::new();
    let earlier = db::releases::list(conn, scope, &release.channel, Some(release.seq), RELEASES_MAX)?;
    for base in earlier.into_iter().filter(|other| other.platform == release.platform).filter_map(|other| other.bundle)
    {
        if bases.len() < DIFFS_PLANNED_MAX
            && !bases.contains(&base)
            && seen.insert(package_hash(&db::bundles::files(conn, scope, &base)?))
        {
            bases.push(base);
        }
    }
    Ok(bases)
}
