//! This file's job is to choose what is made smaller for a new release: its files, and deltas from the bundles of binaries and from those
//! that most devices run.

use crate::context::Context;
use crate::error::Error;
use db::queue::{self, Lease, NewJob};
use db::releases::Release;
use db::{DbConn, Scope, Tx, telemetry};
use domain::bundle::Engine;
use domain::id::{BundleId, JobId, ReleaseId};
use domain::job::{DeltaEffort, Job};

/// Older binaries have few devices; what they run shows in the telemetry.
const EMBEDDED_MAX: usize = 3;
/// How many binaries are looked through, from the newest on, as most may bring a bundle that was never uploaded.
const BINARIES_MAX: u32 = 500;
/// How far back releases are looked through; a channel without telemetry gets its bases from there.
const RELEASES_MAX: u32 = 50;

/// Queues a job for the files and one for each base, and completes this one.
pub(crate) async fn run(context: &Context, lease: &Lease, release: &ReleaseId) -> Result<(), Error> {
    let (scope, release, now) = (lease.scope(), release.clone(), context.clock.now());
    let bases_max = context.config.delta_bases as usize;
    let planned = context.db.read(move |conn| plan(conn, &scope, &release, bases_max)).await?;
    let lease = lease.clone();
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        for work in &planned {
            let id = JobId::from_parts(now, runtime::random::bytes());
            let (tier, organization, app) = (lease.tier, lease.organization.clone(), lease.app.clone());
            let job = NewJob { id, tier, organization, app, work: work.clone(), cost: 1, run_at: now };
            queue::enqueue(tx, &job, now)?;
        }
        Ok(())
    };
    Ok(context.db.write(write).await?)
}

/// Returns the jobs, the most useful first; none when the release is gone or brings no bundle.
fn plan(conn: &mut DbConn, scope: &Scope, id: &ReleaseId, bases_max: usize) -> db::Result<Vec<Job>> {
    let release = match db::releases::get(conn, scope, id) {
        Err(db::Error::NotFound { .. }) => return Ok(Vec::new()),
        release => release?,
    };
    let Some(to) = release.bundle.clone() else { return Ok(Vec::new()) };
    let engine = db::bundles::get(conn, scope, &to)?.engine;
    let mut bases = Bases { conn, scope, release: &release, to: &to, engine, found: Vec::new() };
    bases.add_embedded()?;
    let embedded = bases.found.len();
    bases.add_used(embedded + bases_max)?;
    bases.add_released(embedded + bases_max)?;
    let effort = DeltaEffort::Quick;
    let deltas = bases.found.into_iter().map(|from| Job::MakeDelta { from, to: to.clone(), effort });
    // Devices that have nothing to start from wait longest.
    Ok(std::iter::once(Job::MakeVariants { bundle: to.clone(), effort }).chain(deltas).collect())
}

/// The bases that were found.
struct Bases<'a> {
    conn: &'a mut DbConn,
    scope: &'a Scope,
    release: &'a Release,
    to: &'a BundleId,
    engine: Engine,
    found: Vec<BundleId>,
}

impl Bases<'_> {
    /// Adds a bundle of which a patch can be small.
    fn add(&mut self, base: BundleId) -> db::Result<()> {
        if base != *self.to && !self.found.contains(&base) {
            let engine = db::bundles::get(self.conn, self.scope, &base)?.engine;
            if engine == self.engine {
                self.found.push(base);
            }
        }
        Ok(())
    }

    fn add_by_hash(&mut self, hash: &domain::Sha256) -> db::Result<()> {
        let (app, platform) = (&self.release.app, self.release.platform);
        match db::bundles::find_by_hash(self.conn, self.scope, app, platform, hash)? {
            Some(bundle) => self.add(bundle.id),
            None => Ok(()),
        }
    }

    /// Adds the bundles of the newest binaries, as far as they were uploaded.
    fn add_embedded(&mut self) -> db::Result<()> {
        let (app, platform) = (&self.release.app, self.release.platform);
        for hash in db::binaries::embedded_bundles(self.conn, self.scope, app, platform, BINARIES_MAX)? {
            if self.found.len() < EMBEDDED_MAX {
                self.add_by_hash(&hash)?;
            }
        }
        Ok(())
    }

    /// Adds those that devices started most often of late.
    fn add_used(&mut self, bases_max: usize) -> db::Result<()> {
        let (app, platform) = (&self.release.app, self.release.platform);
        for hash in telemetry::most_launched_bundles(self.conn, app, platform, bases_max)? {
            if self.found.len() < bases_max {
                self.add_by_hash(&hash)?;
            }
        }
        Ok(())
    }

    /// Adds those of the releases before.
    fn add_released(&mut self, bases_max: usize) -> db::Result<()> {
        let before = Some(self.release.seq);
        let releases = db::releases::list(self.conn, self.scope, &self.release.channel, before, RELEASES_MAX)?;
        let offered = releases.into_iter().filter(|other| other.enabled && other.platform == self.release.platform);
        for base in offered.filter_map(|other| other.bundle) {
            if self.found.len() < bases_max {
                self.add(base)?;
            }
        }
        Ok(())
    }
}
