//! This file's job is to choose which ready jobs a claim takes: smallest tags first, passing over tenants that run as many as they may.

use super::Claim;
use crate::column::Column as _;
use crate::dialect::db;
use crate::schema::{job, job_flow, job_turn};
use crate::{DbConn, JobState, Result};
use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use domain::job::{Lane, Tier};
use std::collections::BTreeMap;

/// Jobs that are looked at one by one when those at the head belong to full tenants. Behind that, tenants are asked for their heads,
/// so that a full tenant's flood costs nothing.
const WINDOW: i64 = 256;

/// Where a job stands in its lane.
type Place = (i64, String);

/// A ready job as the choice sees it.
#[derive(Queryable)]
struct Candidate {
    vstart: i64,
    id: String,
    tenant: String,
    /// What the tenant may run at once, if that is not what all tenants may.
    own_max: Option<i64>,
}

/// How many more jobs tenants may run. Counted from the leases themselves: a counter would drift.
struct Room {
    tier: Tier,
    most: Option<i64>,
    /// Counted once somebody is met who has a limit.
    running: Option<BTreeMap<String, i64>>,
    left: BTreeMap<String, Option<i64>>,
}

impl Room {
    fn new(claim: &Claim) -> Self {
        Self { tier: claim.tier, most: claim.tenant_max.map(i64::from), running: None, left: BTreeMap::new() }
    }

    fn count_running(&mut self, conn: &mut DbConn) -> Result<&BTreeMap<String, i64>> {
        let running = match self.running.take() {
            Some(running) => running,
            None => {
                let counted: Vec<(String, i64)> = db!(conn, |c| {
                    job::table
                        .filter(job::tier.eq(self.tier.to_sql()).and(job::lease_until.is_not_null()))
                        .group_by(job::tenant)
                        .select((job::tenant, count_star()))
                        .load(c)
                })?;
                counted.into_iter().collect()
            }
        };
        Ok(self.running.insert(running))
    }

    /// Notes how many more jobs the tenant may run, if it was not met before.
    fn learn(&mut self, conn: &mut DbConn, tenant: &str, own_max: Option<i64>) -> Result<()> {
        if self.left.contains_key(tenant) {
            return Ok(());
        }
        let left = match own_max.or(self.most) {
            Some(most) => Some((most - self.count_running(conn)?.get(tenant).copied().unwrap_or(0)).max(0)),
            None => None,
        };
        self.left.insert(tenant.to_owned(), left);
        Ok(())
    }

    /// Takes one place of the tenant; false when it has none left.
    fn take(&mut self, tenant: &str) -> bool {
        match self.left.get_mut(tenant) {
            Some(Some(0)) => false,
            Some(Some(left)) => {
                *left -= 1;
                true
            }
            Some(None) | None => true,
        }
    }

    fn is_full(&self, tenant: &str) -> bool {
        self.left.get(tenant) == Some(&Some(0))
    }
}

/// Returns the ids of the jobs to lease, from both lanes.
pub(super) fn pick(conn: &mut DbConn, claim: &Claim) -> Result<Vec<String>> {
    let limit = usize::try_from(claim.limit.min(crate::PAGE_MAX)).unwrap_or(0);
    let mut room = Room::new(claim);
    let mut picked = Vec::new();
    for lane in [claim.first, claim.first.other()] {
        let most = match lane {
            Lane::Foreground => limit,
            Lane::Background => usize::try_from(claim.background_max).unwrap_or(limit),
        };
        let wanted = most.min(limit - picked.len());
        if wanted > 0 {
            picked.extend(pick_lane(conn, &mut room, lane, wanted)?);
        }
    }
    Ok(picked)
}

fn pick_lane(conn: &mut DbConn, room: &mut Room, lane: Lane, wanted: usize) -> Result<Vec<String>> {
    let mut picked = Vec::with_capacity(wanted);
    let mut after: Place = (i64::MIN, String::new());
    for window in [i64::try_from(wanted).unwrap_or(WINDOW), WINDOW] {
        let candidates = ready(conn, room.tier, lane, None, &after, window)?;
        let is_end = i64::try_from(candidates.len()).unwrap_or(window) < window;
        for candidate in candidates {
            room.learn(conn, &candidate.tenant, candidate.own_max)?;
            after = (candidate.vstart, candidate.id.clone());
            if picked.len() < wanted && room.take(&candidate.tenant) {
                picked.push(candidate.id);
            }
        }
        if is_end || picked.len() == wanted {
            return Ok(picked);
        }
    }
    let missing = wanted - picked.len();
    picked.extend(pick_by_tenant(conn, room, lane, &after, missing)?);
    Ok(picked)
}

/// Lists ready jobs behind a place, in order: of the tier's lane, or of one of its tenants.
fn ready(
    conn: &mut DbConn,
    tier: Tier,
    lane: Lane,
    tenant: Option<&str>,
    after: &Place,
    limit: i64,
) -> Result<Vec<Candidate>> {
    Ok(db!(conn, |c| {
        let own_max = job_flow::table
            .filter(job_flow::tier.eq(tier.to_sql()).and(job_flow::tenant.eq(job::tenant)))
            .select(job_flow::max_running)
            .single_value();
        let mut query = job::table
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Ready.as_str())))
            .filter(job::lane.eq(lane.as_str()))
            // Both databases seek to the first condition and check the second.
            .filter(job::vstart.ge(after.0))
            .filter(job::vstart.gt(after.0).or(job::id.gt(&after.1)))
            .order((job::vstart, job::id))
            .limit(limit)
            .select((job::vstart, job::id, job::tenant, own_max))
            .into_boxed();
        if let Some(tenant) = tenant {
            query = query.filter(job::tenant.eq(tenant));
        }
        query.load(c)
    })?)
}

/// Chooses among the tenants that are not full by the tags of their next jobs: one look at an index for each tenant of the tier.
fn pick_by_tenant(conn: &mut DbConn, room: &mut Room, lane: Lane, after: &Place, wanted: usize) -> Result<Vec<String>> {
    let mut heads = heads(conn, room.tier, lane, after.0)?;
    for head in &heads {
        room.learn(conn, &head.tenant, head.own_max)?;
    }
    heads.retain(|head| !room.is_full(&head.tenant));
    heads.sort_unstable_by(|a, b| (a.vstart, &a.tenant).cmp(&(b.vstart, &b.tenant)));
    heads.truncate(wanted);
    let mut candidates = Vec::new();
    for Head { tenant, .. } in heads {
        let limit = i64::try_from(wanted).unwrap_or(WINDOW);
        candidates.extend(ready(conn, room.tier, lane, Some(&tenant), after, limit)?);
    }
    candidates.sort_unstable_by(|a, b| (a.vstart, &a.id).cmp(&(b.vstart, &b.id)));
    let taken = candidates.into_iter().filter(|candidate| room.take(&candidate.tenant));
    Ok(taken.take(wanted).map(|candidate| candidate.id).collect())
}

/// A tenant's next job.
struct Head {
    vstart: i64,
    tenant: String,
    own_max: Option<i64>,
}

/// Returns the tag of every tenant's next job that is not before `vstart`.
fn heads(conn: &mut DbConn, tier: Tier, lane: Lane, vstart: i64) -> Result<Vec<Head>> {
    let rows: Vec<(Option<i64>, String, Option<i64>)> = db!(conn, |c| {
        let head = job::table
            .filter(job::tier.eq(tier.to_sql()).and(job::state.eq(JobState::Ready.as_str())))
            .filter(job::lane.eq(lane.as_str()).and(job::tenant.eq(job_turn::tenant)))
            .filter(job::vstart.ge(vstart))
            .select(min(job::vstart))
            .single_value();
        let own_max = job_flow::table
            .filter(job_flow::tier.eq(tier.to_sql()).and(job_flow::tenant.eq(job_turn::tenant)))
            .select(job_flow::max_running)
            .single_value();
        job_turn::table
            .filter(job_turn::tier.eq(tier.to_sql()).and(job_turn::lane.eq(lane.as_str())))
            .select((head, job_turn::tenant, own_max))
            .load(c)
    })?;
    let rows = rows.into_iter();
    Ok(rows.filter_map(|(vstart, tenant, own_max)| Some(Head { vstart: vstart?, tenant, own_max })).collect())
}
