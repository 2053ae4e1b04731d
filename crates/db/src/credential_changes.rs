//! This file's job is to tell replicas which credentials they must look up again.
//!
//! Replicas compare the whole [`Head`] with the one they saw last, so that a clock that jumps and a row that becomes visible late
//! hide nothing.

use crate::column::{Column as _, page};
use crate::dialect::db;
use crate::schema::credential_change;
use crate::{DbConn, Result, Tx};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;
use domain::Timestamp;

/// The state of the table as a whole. When two are equal, nothing was committed between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    last: i64,
    count: i64,
}

impl Head {
    /// Returns how many rows were added since an earlier head, at most.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.last.saturating_sub(earlier.last).max(self.count.saturating_sub(earlier.count))).unwrap_or(0)
    }
}

/// Notes that a credential, or all of an organization's, changed; wakes subscribers after the commit.
pub fn append(tx: &mut Tx<'_>, subject: &str, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::insert_into(credential_change::table)
            .values((credential_change::subject.eq(subject), credential_change::at.eq(now.to_sql())))
            .execute(c)
    })?;
    tx.note_change();
    Ok(())
}

/// Returns the state of the table.
pub fn head(conn: &mut DbConn) -> Result<Head> {
    let (last, count): (Option<i64>, i64) =
        db!(conn, |c| credential_change::table.select((max(credential_change::seq), count_star())).first(c))?;
    Ok(Head { last: last.unwrap_or(0), count })
}

/// Lists the newest subjects.
pub fn list_newest(conn: &mut DbConn, limit: u32) -> Result<Vec<String>> {
    Ok(db!(conn, |c| {
        credential_change::table
            .order(credential_change::seq.desc())
            .limit(page(limit))
            .select(credential_change::subject)
            .load(c)
    })?)
}

/// Deletes notes from before the time; every replica has looked long since.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| {
        diesel::delete(credential_change::table).filter(credential_change::at.lt(before.as_us())).execute(c)
    })?)
}
