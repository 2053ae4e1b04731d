//! This file's job is to keep who did what.

use crate::column::{all, page, row};
use crate::dialect::db;
use crate::schema::audit;
use crate::{AuditOutcome, DbConn, Result, Scope, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AuditId, OrganizationId};

row! {
    /// One audited call. Never changed, never deleted by a caller.
    pub struct Entry as EntryRow in audit {
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
}

/// Adds an entry, in the transaction of what it tells of.
pub fn insert(tx: &mut Tx<'_>, row: &Entry) -> Result<()> {
    db!(tx, |c| diesel::insert_into(audit::table).values(EntryRow::from(row)).execute(c))?;
    Ok(())
}

/// Lists the organization's entries, newest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&str>, limit: u32) -> Result<Vec<Entry>> {
    let rows: Vec<EntryRow> = db!(conn, |c| {
        audit::table
            .filter(audit::organization.eq(scope.as_str()))
            .filter(audit::id.lt(after.unwrap_or(crate::column::ID_END)))
            .order(audit::id.desc())
            .limit(page(limit))
            .select(EntryRow::as_select())
            .load(c)
    })?;
    all(rows)
}
