//! This file's job is to write the audit entry of a change, in the change's own transaction.

use crate::auth::caller::{Actor, Caller};
use crate::context::{Change, OperatorChange};
use crate::error::Result;
use db::{AuditOutcome, Tx};
use domain::Timestamp;
use domain::id::{AuditId, OrganizationId, UserId};

/// Notes that the change was made. The facts must not be secrets. Comes last in a transaction: others of the organization that note
/// something wait for its end.
///
/// # Errors
/// Those of the database.
pub fn done(tx: &mut Tx<'_>, change: &Change, action: &str, resource: String, facts: &[(&str, &str)]) -> Result<()> {
    let organization = change.caller.organization();
    insert(tx, &change.caller.actor, organization, change.now, (action, resource), facts)
}

/// Notes that the operator changed the organization, in its own log.
///
/// # Errors
/// Those of the database.
pub fn operated(
    tx: &mut Tx<'_>,
    change: &OperatorChange,
    organization: &OrganizationId,
    action: &str,
    facts: &[(&str, &str)],
) -> Result<()> {
    operated_on(tx, change, organization, (action, crate::names::of_organization(organization)), facts)
}

/// Notes that the operator changed something of an organization's, in that organization's log.
///
/// # Errors
/// Those of the database.
pub fn operated_on(
    tx: &mut Tx<'_>,
    change: &OperatorChange,
    organization: &OrganizationId,
    (action, resource): (&str, String),
    facts: &[(&str, &str)],
) -> Result<()> {
    insert(tx, &change.operator.actor, organization, change.now, (action, resource), facts)
}

/// Notes what a person did with their own account, in every organization that they belong to.
///
/// # Errors
/// Those of the database.
pub fn person_did(
    tx: &mut Tx<'_>,
    person: &UserId,
    actor: &Actor,
    now: Timestamp,
    action: &str,
    facts: &[(&str, &str)],
) -> Result<()> {
    for (organization, _) in db::members::list_of_account(tx, person)? {
        insert(tx, actor, &organization.id, now, (action, format!("people/{person}")), facts)?;
    }
    Ok(())
}

/// Notes what a person did in an organization without acting for it: making it, or becoming a member.
///
/// # Errors
/// Those of the database.
pub fn in_organization(
    tx: &mut Tx<'_>,
    organization: &OrganizationId,
    actor: &Actor,
    now: Timestamp,
    action: &str,
    facts: &[(&str, &str)],
) -> Result<()> {
    insert(tx, actor, organization, now, (action, format!("people/{}", actor.id)), facts)
}

/// Notes what somebody did who is no caller of an organization, in its log.
///
/// # Errors
/// Those of the database.
pub fn by(
    tx: &mut Tx<'_>,
    actor: &Actor,
    organization: &OrganizationId,
    now: Timestamp,
    what: (&str, String),
    facts: &[(&str, &str)],
) -> Result<()> {
    insert(tx, actor, organization, now, what, facts)
}

/// Notes that a caller was refused.
///
/// # Errors
/// Those of the database.
pub fn denied(tx: &mut Tx<'_>, caller: &Caller, action: &str, now: Timestamp) -> db::Result<()> {
    let entry = db::audit::Entry {
        outcome: AuditOutcome::Denied,
        ..entry(&caller.actor, caller.organization(), now, (action, String::new()), &[])
    };
    db::audit::insert(tx, &entry)
}

fn insert(
    tx: &mut Tx<'_>,
    actor: &Actor,
    organization: &OrganizationId,
    now: Timestamp,
    what: (&str, String),
    facts: &[(&str, &str)],
) -> Result<()> {
    Ok(db::audit::insert(tx, &entry(actor, organization, now, what, facts))?)
}

fn entry(
    actor: &Actor,
    organization: &OrganizationId,
    now: Timestamp,
    (action, resource): (&str, String),
    facts: &[(&str, &str)],
) -> db::audit::Entry {
    let detail: serde_json::Map<_, _> = facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    db::audit::Entry {
        id: AuditId::from_parts(now, runtime::random::bytes()),
        organization: organization.clone(),
        actor_kind: actor.kind.to_string(),
        actor_id: actor.id.clone(),
        credential_id: Some(actor.credential.clone()),
        action: action.to_owned(),
        resource,
        outcome: AuditOutcome::Done,
        detail: serde_json::Value::Object(detail).to_string(),
        at: now,
    }
}
