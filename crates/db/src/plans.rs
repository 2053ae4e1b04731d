//! This file's job is to read and change what plans allow, and to count what they limit.

use crate::apps::apps_of;
use crate::column::{Column as _, row};
use crate::device_counts;
use crate::dialect::{self, db};
use crate::schema::{build_usage, organization, plan, upload};
use crate::{DbConn, Error, Result, Scope, Tx, UploadState};
use diesel::prelude::*;
use domain::Timestamp;
use domain::job::Tier;
use domain::month::Month;
use domain::plan::{Plan, PlanName};

row! {
    /// A stored plan.
    pub(crate) struct StoredPlan as StoredPlanRow in plan {
        pub name: PlanName,
        pub tier: Tier,
        pub uploads_max: u32,
        pub archive_max_bytes: u64,
        pub builds_per_month: u32,
        pub requests_per_minute: u32,
        pub devices_max: u64,
        pub retention_days: u32,
    }
}

impl From<StoredPlan> for Plan {
    fn from(row: StoredPlan) -> Self {
        let StoredPlan { name, tier, uploads_max, archive_max_bytes, .. } = row;
        let StoredPlan { builds_per_month, requests_per_minute, devices_max, retention_days, .. } = row;
        Self {
            name,
            tier,
            uploads_max,
            archive_max_bytes,
            builds_per_month,
            requests_per_minute,
            devices_max,
            retention_days,
        }
    }
}

/// What an organization uses of its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Uploads that still wait for bytes.
    pub open_uploads: u64,
    /// Uploads that have all their bytes and are not processed yet.
    pub builds_under_way: u64,
    /// Processed uploads of the month.
    pub builds: u64,
    /// Registered devices.
    pub devices: u64,
}

/// Returns a plan.
pub fn get(conn: &mut DbConn, name: PlanName) -> Result<Plan> {
    let found = db!(conn, |c| plan::table.find(name.as_str()).select(StoredPlanRow::as_select()).first(c).optional())?;
    StoredPlan::try_from(found.ok_or(Error::not_found("plan"))?).map(Into::into)
}

/// Returns the plan of the scope's organization.
pub fn of(conn: &mut DbConn, scope: &Scope) -> Result<Plan> {
    let name: Option<String> =
        db!(conn, |c| { organization::table.find(scope.as_str()).select(organization::plan).first(c).optional() })?;
    get(conn, PlanName::from_sql(name.ok_or(Error::not_found("organization"))?)?)
}

/// Lists all plans, least first.
pub fn list(conn: &mut DbConn) -> Result<Vec<Plan>> {
    PlanName::ALL.iter().map(|name| get(conn, *name)).collect()
}

/// Changes what a plan allows. Its organizations' jobs wait in its tier from now on.
pub fn apply(tx: &mut Tx<'_>, to: &Plan, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(plan::table.find(to.name.as_str()))
            .set((
                plan::tier.eq(to.tier.to_sql()),
                plan::uploads_max.eq(to.uploads_max.to_sql()),
                plan::archive_max_bytes.eq(to.archive_max_bytes.to_sql()),
                plan::builds_per_month.eq(to.builds_per_month.to_sql()),
                plan::requests_per_minute.eq(to.requests_per_minute.to_sql()),
                plan::devices_max.eq(to.devices_max.to_sql()),
                plan::retention_days.eq(to.retention_days.to_sql()),
            ))
            .execute(c)?;
        diesel::update(organization::table.filter(organization::plan.eq(to.name.as_str())))
            .set(organization::tier.eq(to.tier.to_sql()))
            .execute(c)
    })?;
    for organization in crate::organizations::list_ids_of_plan(tx, to.name)? {
        device_counts::settle(tx, &organization, now)?;
    }
    Ok(())
}

/// Lets only one transaction of the organization at a time compare its usage with its plan, until that transaction ends.
pub fn lock_usage(tx: &mut Tx<'_>, scope: &Scope) -> Result<()> {
    dialect::lock_unique_key(tx, &format!("usage:{}", scope.as_str()))
}

/// Counts what the organization uses, uploads from live rows.
pub fn usage(conn: &mut DbConn, scope: &Scope, now: Timestamp) -> Result<Usage> {
    // A key that is limited to some apps uses the same plan as everybody.
    let whole = Scope::authorized(scope.organization().clone());
    let month = Month::of(now).to_string();
    let builds: Option<i64> = db!(conn, |c| {
        build_usage::table.find((whole.as_str(), month.as_str())).select(build_usage::builds).first(c).optional()
    })?;
    Ok(Usage {
        open_uploads: count(conn, &whole, &[UploadState::Receiving])?,
        builds_under_way: count(conn, &whole, &[UploadState::Queued, UploadState::Processing])?,
        builds: u64::from_sql(builds.unwrap_or(0))?,
        devices: device_counts::count(conn, &whole)?,
    })
}

fn count(conn: &mut DbConn, scope: &Scope, states: &[UploadState]) -> Result<u64> {
    let states = states.iter().map(|state| state.as_str());
    let count: i64 = db!(conn, |c| {
        upload::table
            .filter(upload::app.eq_any(apps_of!(scope)))
            .filter(upload::state.eq_any(states))
            .count()
            .get_result(c)
    })?;
    u64::from_sql(count)
}

/// Counts one build, in the transaction that makes its bundle ready.
pub(crate) fn count_build(tx: &mut Tx<'_>, scope: &Scope, now: Timestamp) -> Result<()> {
    let month = Month::of(now).to_string();
    db!(tx, |c| {
        diesel::insert_into(build_usage::table)
            .values((
                build_usage::organization.eq(scope.as_str()),
                build_usage::month.eq(month),
                build_usage::builds.eq(1),
            ))
            .on_conflict((build_usage::organization, build_usage::month))
            .do_update()
            .set(build_usage::builds.eq(build_usage::builds + 1))
            .execute(c)
    })?;
    Ok(())
}
