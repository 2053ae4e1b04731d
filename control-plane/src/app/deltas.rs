//! This file's job is to have deltas made that edges miss: devices run bundles that nobody thought of when the release was made.

use crate::app::jobs;
use crate::context::Context;
use crate::error::Result;
use db::{DbConn, Scope};
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

/// What edges asked for.
pub struct Wishes {
    remembered: moka::sync::Cache<(AppId, Sha256, Sha256), ()>,
}

/// A delta that can be made.
struct Missing {
    organization: OrganizationId,
    from: BundleId,
    to: BundleId,
}

impl Default for Wishes {
    fn default() -> Self {
        let remembered = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { remembered }
    }
}

impl Wishes {
    /// Queues the delta between two bundles, named by their content hashes, when the app has both and there is none. An edge's word
    /// is not trusted: nothing happens otherwise.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hear(&self, context: &Context, key: &ChannelKey, from: Sha256, to: Sha256) -> Result<()> {
        let name = (key.app.clone(), from, to);
        if self.remembered.contains_key(&name) {
            return Ok(());
        }
        let app = key.app.clone();
        let missing = context.db.read(move |conn| find(conn, &app, &from, &to)).await?;
        if let Some(Missing { organization, from, to }) = missing {
            let (app, now) = (key.app.clone(), context.clock.now());
            let work = Job::MakeDelta { from, to, effort: DeltaEffort::Quick };
            let enqueue = move |tx: &mut db::Tx<'_>| jobs::enqueue_for(tx, &organization, &app, work.clone(), 0, now);
            context.db.write(enqueue).await?;
        }
        self.remembered.insert(name, ());
        Ok(())
    }
}

fn find(conn: &mut DbConn, app: &AppId, from: &Sha256, to: &Sha256) -> db::Result<Option<Missing>> {
    let Some(organization) = db::apps::find_organization(conn, app)? else { return Ok(None) };
    let scope = Scope::authorized(organization.clone());
    for &platform in Platform::ALL {
        let mut bundle = |hash| db::bundles::find_by_hash(conn, &scope, app, platform, hash);
        let (Some(from), Some(to)) = (bundle(from)?, bundle(to)?) else { continue };
        let known = db::deltas::list_for(conn, std::slice::from_ref(&to.id))?;
        let bases: BTreeSet<_> = known.into_iter().map(|delta| delta.from_bundle).collect();
        if bases.contains(&from.id) || bases.len() >= BASES_MAX {
            return Ok(None);
        }
        return Ok(Some(Missing { organization, from: from.id, to: to.id }));
    }
    Ok(None)
}
