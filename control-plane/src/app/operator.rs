//! This file's job is to change what organizations have and may: the operator's use cases.

use crate::app::{news, record};
use crate::context::OperatorChange;
use crate::error::{Error, Result};
use db::Tx;
use db::organizations::Organization;
use domain::id::OrganizationId;
use domain::plan::{Plan, PlanName};

/// One or two sentences for the audit log.
const REASON_MAX_BYTES: usize = 512;

/// How to suspend.
#[derive(Debug, Clone)]
pub struct Suspension {
    /// Why.
    pub reason: String,
    /// Whether devices get nothing meanwhile.
    pub block_devices: bool,
}

impl Suspension {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument when the reason is too long.
    pub fn new(reason: &str, block_devices: bool) -> Result<Self> {
        if reason.len() > REASON_MAX_BYTES {
            return Err(Error::field("reason", "must be at most 512 bytes"));
        }
        Ok(Self { reason: reason.to_owned(), block_devices })
    }
}

/// Gives the organization another plan.
///
/// # Errors
/// Not found.
pub fn change_plan(
    tx: &mut Tx<'_>,
    change: &OperatorChange,
    id: &OrganizationId,
    name: PlanName,
) -> Result<Organization> {
    let before = db::organizations::get_any(tx, id)?;
    let plan = db::plans::get(tx, name)?;
    db::organizations::set_plan(tx, id, &plan, change.now)?;
    news::plan(tx, change, id, &plan)?;
    record::operated(tx, change, id, "ChangePlan", &[("from", before.plan.as_str()), ("to", name.as_str())])?;
    Ok(db::organizations::get_any(tx, id)?)
}

/// Lets the organization only look, from the commit on.
///
/// # Errors
/// Not found.
pub fn suspend(
    tx: &mut Tx<'_>,
    change: &OperatorChange,
    id: &OrganizationId,
    how: &Suspension,
) -> Result<Organization> {
    db::organizations::set_suspended(tx, id, true, how.block_devices, change.now)?;
    let devices = if how.block_devices { "blocked" } else { "served" };
    record::operated(tx, change, id, "SuspendOrganization", &[("reason", &how.reason), ("devices", devices)])?;
    Ok(db::organizations::get_any(tx, id)?)
}

/// Ends the suspension.
///
/// # Errors
/// Not found.
pub fn resume(tx: &mut Tx<'_>, change: &OperatorChange, id: &OrganizationId) -> Result<Organization> {
    db::organizations::set_suspended(tx, id, false, false, change.now)?;
    record::operated(tx, change, id, "ResumeOrganization", &[])?;
    Ok(db::organizations::get_any(tx, id)?)
}

/// Changes what a plan allows.
///
/// # Errors
/// Those of the database.
pub fn update_plan(tx: &mut Tx<'_>, change: &OperatorChange, plan: &Plan) -> Result<()> {
    let before = db::plans::get(tx, plan.name)?;
    db::plans::apply(tx, plan, change.now)?;
    let (before, after) = (format!("{before:?}"), format!("{plan:?}"));
    for organization in db::organizations::list_ids_of_plan(tx, plan.name)? {
        news::plan(tx, change, &organization, plan)?;
        let facts = [("plan", plan.name.as_str()), ("before", before.as_str()), ("after", after.as_str())];
        record::operated(tx, change, &organization, "UpdatePlan", &facts)?;
    }
    Ok(())
}
