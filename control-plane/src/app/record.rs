//! This file's job is to write the audit entry of a change, in the change's own transaction.

use crate::context::Change;
use crate::error::Result;
use db::{AuditOutcome, Tx};
use domain::id::AuditId;

/// Notes that the change was made. The facts must not be secrets.
///
/// # Errors
/// Those of the database.
pub fn done(tx: &mut Tx<'_>, change: &Change, action: &str, resource: String, facts: &[(&str, &str)]) -> Result<()> {
    let detail: serde_json::Map<_, _> = facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let entry = db::audit::Entry {
        id: AuditId::from_parts(change.now, runtime::random::bytes()),
        organization: change.caller.organization().clone(),
        actor_kind: change.caller.actor.kind.to_string(),
        actor_id: change.caller.actor.id.clone(),
        credential_id: Some(change.caller.actor.credential.clone()),
        action: action.to_owned(),
        resource,
        outcome: AuditOutcome::Done,
        detail: serde_json::Value::Object(detail).to_string(),
        at: change.now,
    };
    Ok(db::audit::insert(tx, &entry)?)
}
