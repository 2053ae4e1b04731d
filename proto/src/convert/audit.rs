//! This file's job is to read the entries of the audit log as links of its chain.

use crate::v1;
use domain::Timestamp;
use domain::audit::Link;

/// Reads an entry as a link. Whether its hashes fit, [`Link::hash`] tells.
#[must_use]
pub fn link_from_wire(entry: &v1::AuditEntry) -> Link<'_> {
    let texts = [
        entry.id.as_str(),
        &entry.organization_id,
        &entry.actor_kind,
        &entry.actor_id,
        &entry.credential,
        &entry.action,
        &entry.resource,
        &entry.outcome,
        &entry.detail,
    ];
    Link { seq: entry.seq, at: Timestamp::from_us(entry.at_us), texts }
}
