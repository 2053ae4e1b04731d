//! This file's job is to read and write organizations.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::organization;
use crate::{DbConn, Error, Result, Scope, Tx, channels, credential_changes};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::OrganizationId;
use domain::job::Tier;
use domain::name::OrganizationSlug;
use domain::plan::{Plan, PlanName};

row! {
    /// A tenant.
    pub struct Organization as OrganizationRow in organization {
        /// Its id.
        pub id: OrganizationId,
        /// Its name in addresses; unique.
        pub slug: String,
        /// Its name for people.
        pub name: String,
        /// The queue tier of its plan.
        pub tier: Tier,
        /// Whether it may publish.
        pub suspended: bool,
        /// Its plan.
        pub plan: PlanName,
        /// Whether its devices get nothing while it is suspended.
        pub devices_blocked: bool,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds an organization; `AlreadyExists` when the slug is taken, or looks like one that is.
pub fn insert(tx: &mut Tx<'_>, row: &Organization) -> Result<()> {
    let skeleton = row.slug.parse::<OrganizationSlug>()?.skeleton();
    let values = || (OrganizationRow::from(row), organization::slug_skeleton.eq(&skeleton));
    db!(tx, |c| diesel::insert_into(organization::table).values(values()).execute(c))
        .map_err(|error| Error::from(error).exists_as("organization"))?;
    Ok(())
}

/// Returns the caller's organization.
pub fn get(conn: &mut DbConn, scope: &Scope) -> Result<Organization> {
    let found = db!(conn, |c| {
        organization::table.find(scope.as_str()).select(OrganizationRow::as_select()).first(c).optional()
    })?;
    found.ok_or(Error::not_found("organization"))?.try_into()
}

/// Returns the oldest organization, none before the first start has made one.
pub fn find_first(conn: &mut DbConn) -> Result<Option<Organization>> {
    let found = db!(conn, |c| {
        organization::table.order(organization::id).select(OrganizationRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns an organization by id. Not scoped: for the operator.
pub fn get_any(conn: &mut DbConn, id: &OrganizationId) -> Result<Organization> {
    get(conn, &Scope::authorized(id.clone()))
}

/// Lists all organizations, oldest first. Not scoped: for the operator.
pub fn list_all(conn: &mut DbConn, after: Option<&str>, limit: u32) -> Result<Vec<Organization>> {
    let rows: Vec<OrganizationRow> = db!(conn, |c| {
        organization::table
            .filter(organization::id.gt(after.unwrap_or_default()))
            .order(organization::id)
            .limit(page(limit))
            .select(OrganizationRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Lists the ids of all organizations with a plan, oldest first. Not scoped: for the operator.
pub fn list_ids_of_plan(conn: &mut DbConn, plan: PlanName) -> Result<Vec<OrganizationId>> {
    let ids: Vec<String> = db!(conn, |c| {
        organization::table
            .filter(organization::plan.eq(plan.as_str()))
            .order(organization::id)
            .select(organization::id)
            .load(c)
    })?;
    ids.iter().map(|id| Ok(id.parse()?)).collect()
}

/// Gives an organization another plan; its jobs wait in that plan's tier from now on.
pub fn set_plan(tx: &mut Tx<'_>, id: &OrganizationId, plan: &Plan, now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(organization::table.find(id.as_str()))
            .set((organization::plan.eq(plan.name.as_str()), organization::tier.eq(plan.tier.to_sql())))
            .execute(c)
    })?;
    changed_one(tx, id, changed, now)?;
    crate::device_counts::settle(tx, id, now).map(drop)
}

/// Suspends or resumes an organization, from the commit on. Blocking or unblocking its devices reaches edges like any change.
pub fn set_suspended(
    tx: &mut Tx<'_>,
    id: &OrganizationId,
    suspended: bool,
    devices_blocked: bool,
    now: Timestamp,
) -> Result<()> {
    let before = get_any(tx, id)?;
    let changed = db!(tx, |c| {
        diesel::update(organization::table.find(id.as_str()))
            .set((organization::suspended.eq(suspended), organization::devices_blocked.eq(devices_blocked)))
            .execute(c)
    })?;
    if before.devices_blocked != devices_blocked {
        channels::touch_all_of(tx, id, now)?;
    }
    changed_one(tx, id, changed, now)
}

/// Every replica looks the organization's credentials up again.
fn changed_one(tx: &mut Tx<'_>, id: &OrganizationId, changed: usize, now: Timestamp) -> Result<()> {
    if changed == 0 {
        return Err(Error::not_found("organization"));
    }
    credential_changes::append(tx, id.as_str(), now)
}
