//! This file's job is to keep who did what, chained so that a changed or removed entry is noticed.

use crate::column::{Column as _, all, page, row};
use crate::dialect::{db, first_locked};
use crate::schema::{audit, audit_head};
use crate::{AuditOutcome, DbConn, Result, Scope, Tx};
use diesel::prelude::*;
use domain::audit::{GENESIS, Link};
use domain::id::{AuditId, OrganizationId};
use domain::{Sha256, Timestamp};

/// One audited call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// Whose resource it is about.
    pub organization: OrganizationId,
    /// The kind of caller, for instance `api-key`.
    pub actor_kind: String,
    /// The caller's id.
    pub actor_id: String,
    /// The credential that was shown.
    pub credential_id: Option<String>,
    /// What was done, for instance `release.create`.
    pub action: String,
    /// The resource's name.
    pub resource: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// More, as JSON; never a secret.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

row! {
    /// An entry as it stands in the chain. Never changed, never deleted by a caller.
    pub struct Linked as LinkedRow in audit {
        /// Its id.
        pub id: AuditId,
        /// Whose resource it is about.
        pub organization: OrganizationId,
        /// The kind of caller.
        pub actor_kind: String,
        /// The caller's id.
        pub actor_id: String,
        /// The credential that was shown.
        pub credential_id: Option<String>,
        /// What was done.
        pub action: String,
        /// The resource's name.
        pub resource: String,
        /// How it ended.
        pub outcome: AuditOutcome,
        /// More, as JSON.
        pub detail: String,
        /// When.
        pub at: Timestamp,
        /// Its number; the first one is 1, entries from before there was a chain have 0.
        pub seq: u64,
        /// The hash of the entry before.
        pub previous_hash: Option<Sha256>,
        /// Its own hash; see [`Link::hash`].
        pub hash: Option<Sha256>,
    }
}

/// Adds an entry, in the transaction of what it tells of. Other transactions of the organization that add one wait for this one to
/// end, so this belongs at a transaction's end.
pub fn insert(tx: &mut Tx<'_>, entry: &Entry) -> Result<()> {
    let organization = entry.organization.as_str();
    db!(tx, |c| {
        diesel::insert_into(audit_head::table)
            .values((
                audit_head::organization.eq(organization),
                audit_head::seq.eq(0),
                audit_head::hash.eq(GENESIS.to_sql()),
            ))
            .on_conflict_do_nothing()
            .execute(c)
    })?;
    let head = audit_head::table.find(organization).select((audit_head::seq, audit_head::hash));
    let (seq, hash) = first_locked!(tx, head, (i64, Vec<u8>))?;
    let (seq, previous) = (u64::from_sql(seq)? + 1, Sha256::from_sql(hash)?);
    let hash = link(entry, seq).hash(&previous);
    let row = linked(entry, seq, previous, hash);
    db!(tx, |c| {
        diesel::insert_into(audit::table).values(LinkedRow::from(&row)).execute(c)?;
        diesel::update(audit_head::table.find(organization))
            .set((audit_head::seq.eq(seq.to_sql()), audit_head::hash.eq(hash.to_sql())))
            .execute(c)
    })?;
    Ok(())
}

fn link(entry: &Entry, seq: u64) -> Link<'_> {
    let texts = [
        entry.id.as_str(),
        entry.organization.as_str(),
        &entry.actor_kind,
        &entry.actor_id,
        entry.credential_id.as_deref().unwrap_or_default(),
        &entry.action,
        &entry.resource,
        entry.outcome.as_str(),
        &entry.detail,
    ];
    Link { seq, at: entry.at, texts }
}

fn linked(entry: &Entry, seq: u64, previous: Sha256, hash: Sha256) -> Linked {
    let entry = entry.clone();
    Linked {
        id: entry.id,
        organization: entry.organization,
        actor_kind: entry.actor_kind,
        actor_id: entry.actor_id,
        credential_id: entry.credential_id,
        action: entry.action,
        resource: entry.resource,
        outcome: entry.outcome,
        detail: entry.detail,
        at: entry.at,
        seq,
        previous_hash: Some(previous),
        hash: Some(hash),
    }
}

/// Lists the organization's entries, newest first; `before` is the number of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, before: Option<u64>, limit: u32) -> Result<Vec<Linked>> {
    let rows: Vec<LinkedRow> = db!(conn, |c| {
        audit::table
            .filter(audit::organization.eq(scope.as_str()))
            .filter(audit::seq.lt(before.unwrap_or(u64::MAX).to_sql()))
            .filter(audit::seq.gt(0))
            .order(audit::seq.desc())
            .limit(page(limit))
            .select(LinkedRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Lists the organization's entries in their order, for those who check or copy the chain.
pub fn list_after(conn: &mut DbConn, scope: &Scope, after: u64, limit: u32) -> Result<Vec<Linked>> {
    let rows: Vec<LinkedRow> = db!(conn, |c| {
        audit::table
            .filter(audit::organization.eq(scope.as_str()))
            .filter(audit::seq.gt(after.to_sql()))
            .order(audit::seq)
            .limit(page(limit))
            .select(LinkedRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns the number and the hash of the newest entry; 0 and zeros when there is none.
pub fn head(conn: &mut DbConn, scope: &Scope) -> Result<(u64, Sha256)> {
    let found: Option<(i64, Vec<u8>)> = db!(conn, |c| {
        audit_head::table.find(scope.as_str()).select((audit_head::seq, audit_head::hash)).first(c).optional()
    })?;
    match found {
        Some((seq, hash)) => Ok((u64::from_sql(seq)?, Sha256::from_sql(hash)?)),
        None => Ok((0, GENESIS)),
    }
}
