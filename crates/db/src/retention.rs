//! This file's job is to let go of releases and bundles that are of no use to anybody any more.
//!
//! A release goes when it was last changed longer ago than the plan keeps things, decisions can offer neither it nor the one after it
//! (see [`domain::snapshot::offered_releases`]), it is not among the newest of its channel, and no report that is kept names it: no device
//! has run it of late. A bundle goes when no release brings it, no binary came with it, and no upload of late became it. Its blobs go
//! when nothing else needs them ([`crate::unused`]).

use crate::column::{Column as _, all, page};
use crate::dialect::db;
use crate::releases::{Release, ReleaseRow};
use crate::schema::{app, binary_build, bundle, channel, delta, event, organization, release, upload};
use crate::{DbConn, Result, Tx, channels, snapshots};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use domain::id::{AppId, BundleId, ChannelId, OrganizationId};
use domain::plan::PlanName;
use domain::{Platform, Timestamp};
use std::collections::BTreeMap;

/// The newest releases of a channel for each platform stay whatever their age: people go back to them and promote them.
pub const NEWEST_KEPT: usize = 10;

/// Releases of a channel that are looked at together, some 5 MB. Those behind them get their turn when some of these are gone.
const LOOKED_AT_MAX: i64 = 10_000;

/// A channel with releases that are old enough to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldChannel {
    /// The channel.
    pub id: ChannelId,
    /// Whose it is.
    pub organization: OrganizationId,
}

/// A bundle that was let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldBundle {
    /// The bundle.
    pub id: BundleId,
    /// Its app.
    pub app: AppId,
    /// Whose it was.
    pub organization: OrganizationId,
}

/// Lists channels of a plan's organizations that have releases which nobody changed since `before`, in pages by id.
pub fn list_channels(
    conn: &mut DbConn,
    plan: PlanName,
    before: Timestamp,
    after: Option<&ChannelId>,
    limit: u32,
) -> Result<Vec<OldChannel>> {
    let old = release::table.filter(release::channel.eq(channel::id)).filter(release::updated_at.lt(before.as_us()));
    let rows: Vec<(String, String)> = db!(conn, |c| {
        channel::table
            .inner_join(app::table.inner_join(organization::table))
            .filter(organization::plan.eq(plan.as_str()))
            .filter(channel::id.gt(after.map_or("", ChannelId::as_str)))
            .filter(exists(old))
            .order(channel::id)
            .limit(page(limit))
            .select((channel::id, app::organization))
            .load(c)
    })?;
    let read = |(id, organization)| {
        Ok(OldChannel { id: ChannelId::from_sql(id)?, organization: OrganizationId::from_sql(organization)? })
    };
    rows.into_iter().map(read).collect()
}

/// Deletes the oldest of a channel's releases that may go, at most `limit`, and returns them. Their numbers are not given out again.
pub fn take_releases(
    tx: &mut Tx<'_>,
    channel: &ChannelId,
    before: Timestamp,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Release>> {
    let offered = snapshots::offered_releases(tx, channel)?;
    let rows: Vec<ReleaseRow> = db!(tx, |c| {
        release::table
            .filter(release::channel.eq(channel.as_str()))
            .order(release::seq.desc())
            .limit(LOOKED_AT_MAX)
            .select(ReleaseRow::as_select())
            .load(c)
    })?;
    let mut newer: BTreeMap<Platform, usize> = BTreeMap::new();
    let mut old: Vec<Release> = all(rows)?;
    old.retain(|row| {
        let newer = newer.entry(row.platform).or_default();
        *newer += 1;
        *newer > NEWEST_KEPT && row.updated_at < before && !offered.contains(&row.id)
    });
    let mut taken = Vec::new();
    while let Some(row) = old.pop().filter(|_| taken.len() < limit) {
        if !is_reported(tx, &row)? {
            db!(tx, |c| diesel::delete(release::table.find(row.id.as_str())).execute(c))?;
            taken.push(row);
        }
    }
    if !taken.is_empty() {
        channels::touch(tx, channel, now)?;
    }
    Ok(taken)
}

/// Says whether a report names the release. Reports are kept as long as releases.
fn is_reported(conn: &mut DbConn, row: &Release) -> Result<bool> {
    let reports = event::table.filter(event::app.eq(row.app.as_str())).filter(event::release.eq(row.id.as_str()));
    Ok(db!(conn, |c| diesel::select(exists(reports)).get_result(c))?)
}

/// Deletes the oldest of the bundles of a plan's organizations that may go, at most `limit`, and returns them. The patches from them go,
/// too, so edges learn of that.
pub fn take_bundles(
    tx: &mut Tx<'_>,
    plan: PlanName,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<OldBundle>> {
    let rows: Vec<(String, String, String)> = db!(tx, |c| {
        let came_with = binary_build::table
            .filter(binary_build::app.eq(bundle::app))
            .filter(binary_build::embedded_bundle_hash.eq(bundle::content_hash.nullable()));
        let uploaded = upload::table
            .filter(upload::bundle.eq(bundle::id.nullable()))
            .filter(upload::updated_at.ge(before.as_us()));
        bundle::table
            .inner_join(app::table.on(app::id.eq(bundle::app)))
            .inner_join(organization::table.on(organization::id.eq(app::organization)))
            .filter(organization::plan.eq(plan.as_str()))
            .filter(bundle::created_at.lt(before.as_us()))
            .filter(not(exists(release::table.filter(release::bundle.eq(bundle::id.nullable())))))
            .filter(not(exists(came_with)))
            .filter(not(exists(uploaded)))
            .order(bundle::id)
            .limit(page(limit))
            .select((bundle::id, bundle::app, app::organization))
            .load(c)
    })?;
    let ids: Vec<&str> = rows.iter().map(|(id, _, _)| id.as_str()).collect();
    touch_offering_patches(tx, &ids, now)?;
    db!(tx, |c| diesel::delete(bundle::table.filter(bundle::id.eq_any(&ids))).execute(c))?;
    let read = |(id, app, organization)| {
        let (id, app) = (BundleId::from_sql(id)?, AppId::from_sql(app)?);
        Ok(OldBundle { id, app, organization: OrganizationId::from_sql(organization)? })
    };
    rows.into_iter().map(read).collect()
}

/// Touches every channel that offers a patch from one of the bundles.
fn touch_offering_patches(tx: &mut Tx<'_>, from: &[&str], now: Timestamp) -> Result<()> {
    let channels: Vec<String> = db!(tx, |c| {
        release::table
            .inner_join(delta::table.on(release::bundle.eq(delta::to_bundle.nullable())))
            .filter(delta::from_bundle.eq_any(from))
            .select(release::channel)
            .distinct()
            .order(release::channel)
            .load(c)
    })?;
    channels.into_iter().try_for_each(|id| channels::touch(tx, &ChannelId::from_sql(id)?, now))
}
