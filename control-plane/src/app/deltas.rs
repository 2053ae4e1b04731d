//! This file's job is to have patches made that edges miss: devices run what nobody thought of when the release was made.

use crate::app::jobs;
use crate::context::Context;
use crate::error::Result;
use db::bundles::Bundle;
use db::{DbConn, Scope};
use domain::codepush::DIFFS_PER_BUNDLE_MAX;
use domain::id::{AppId, BundleId, OrganizationId};
use domain::job::{DeltaEffort, Job};
use domain::snapshot::ChannelKey;
use domain::{Platform, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// Bundles that deltas to one bundle are made from. Devices may claim to run anything, and snapshots name every delta.
const BASES_MAX: usize = 50;
/// Wishes that this replica remembers, so that what cannot be met is not looked into again and again.
const REMEMBERED_MAX: u64 = 10_000;
/// A bundle that was not there may be uploaded later.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

/// What devices have that are offered something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// A bundle, by its content hash: they take deltas.
    Bundle(Sha256),
    /// One of CodePush's packages, by its hash: they take diffs of packages.
    Package(Sha256),
}

/// What edges asked for.
pub struct Wishes {
    remembered: moka::sync::Cache<(AppId, Base, Sha256), ()>,
}

/// A patch that can be made.
struct Missing {
    organization: OrganizationId,
    work: Job,
}

impl Default for Wishes {
    fn default() -> Self {
        let remembered = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { remembered }
    }
}

impl Wishes {
    /// Queues the patch to a bundle, named by its content hash, when the app has both sides and there is none. An edge's word is not
    /// trusted: nothing happens otherwise.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hear(&self, context: &Context, key: &ChannelKey, from: Base, to: Sha256) -> Result<()> {
        let name = (key.app.clone(), from, to);
        if self.remembered.contains_key(&name) {
            return Ok(());
        }
        let app = key.app.clone();
        let missing = context.db.read(move |conn| find(conn, &app, from, &to)).await?;
        if let Some(Missing { organization, work }) = missing {
            let (app, now) = (key.app.clone(), context.clock.now());
            let enqueue = move |tx: &mut db::Tx<'_>| jobs::enqueue_for(tx, &organization, &app, work.clone(), 0, now);
            context.db.write(enqueue).await?;
        }
        self.remembered.insert(name, ());
        Ok(())
    }
}

fn find(conn: &mut DbConn, app: &AppId, from: Base, to: &Sha256) -> db::Result<Option<Missing>> {
    let Some(organization) = db::apps::find_organization(conn, app)? else { return Ok(None) };
    let scope = Scope::authorized(organization.clone());
    for &platform in Platform::ALL {
        let Some(to) = db::bundles::find_by_hash(conn, &scope, app, platform, to)? else { continue };
        let work = match from {
            Base::Bundle(from) => delta(conn, &scope, &from, to)?,
            Base::Package(from) => package_diff(conn, &scope, &from, to)?,
        };
        if let Some(work) = work {
            return Ok(Some(Missing { organization, work }));
        }
    }
    Ok(None)
}

fn delta(conn: &mut DbConn, scope: &Scope, from: &Sha256, to: Bundle) -> db::Result<Option<Job>> {
    let Some(from) = db::bundles::find_by_hash(conn, scope, &to.app, to.platform, from)? else { return Ok(None) };
    let known = db::deltas::list_for(conn, std::slice::from_ref(&to.id))?;
    let bases: BTreeSet<BundleId> = known.into_iter().map(|delta| delta.from_bundle).collect();
    let is_wanted = !bases.contains(&from.id) && bases.len() < BASES_MAX;
    Ok(is_wanted.then_some(Job::MakeDelta { from: from.id, to: to.id, effort: DeltaEffort::Quick }))
}

fn package_diff(conn: &mut DbConn, scope: &Scope, from: &Sha256, to: Bundle) -> db::Result<Option<Job>> {
    let known = db::packages::list_diffs_for(conn, std::slice::from_ref(&to.id))?;
    if known.len() >= DIFFS_PER_BUNDLE_MAX || known.iter().any(|diff| diff.from_package_hash == *from) {
        return Ok(None);
    }
    let base = db::packages::find_bundle(conn, scope, &to.app, to.platform, from)?;
    Ok(base.map(|from| Job::MakePackageDiff { from, to: to.id }))
}
