//! This file's job is to write plans, organizations and audit entries as the contract's resources.

use crate::names;
use bytes::Bytes;
use db::audit::Linked;
use db::organizations::Organization;
use domain::Sha256;
use domain::plan::Plan;
use proto::v1;

/// Writes what a plan allows.
pub fn plan(plan: &Plan) -> v1::Plan {
    v1::Plan {
        plan: plan.name.to_string(),
        tier: plan.tier.to_string(),
        uploads_max: plan.uploads_max,
        archive_max_bytes: plan.archive_max_bytes,
        builds_per_month: plan.builds_per_month,
        requests_per_minute: plan.requests_per_minute,
        devices_max: plan.devices_max,
        retention_days: plan.retention_days,
    }
}

/// Writes an organization as the operator sees it.
pub fn organization(row: &Organization) -> v1::OrganizationSummary {
    v1::OrganizationSummary {
        name: names::of_organization(&row.id),
        organization_id: row.id.to_string(),
        slug: row.slug.clone(),
        display_name: row.name.clone(),
        plan: row.plan.to_string(),
        suspended: row.suspended,
        devices_blocked: row.devices_blocked,
        created_at_us: row.created_at.as_us(),
    }
}

/// Writes an audit entry.
pub fn audit_entry(row: &Linked) -> v1::AuditEntry {
    let hash = |hash: Option<Sha256>| hash.map(|hash| Bytes::copy_from_slice(hash.as_bytes())).unwrap_or_default();
    v1::AuditEntry {
        seq: row.seq,
        id: row.id.to_string(),
        organization_id: row.organization.to_string(),
        actor_kind: row.actor_kind.clone(),
        actor_id: row.actor_id.clone(),
        credential: row.credential_id.clone().unwrap_or_default(),
        action: row.action.clone(),
        resource: row.resource.clone(),
        outcome: row.outcome.to_string(),
        detail: row.detail.clone(),
        at_us: row.at.as_us(),
        previous_hash: hash(row.previous_hash),
        hash: hash(row.hash),
    }
}
