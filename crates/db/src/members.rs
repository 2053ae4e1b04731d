//! This file's job is to read and write who belongs to an organization.

use crate::column::{all, row};
use crate::dialect::db;
use crate::schema::member;
use crate::{DbConn, Error, Result, Role, Scope, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{OrganizationId, UserId};

row! {
    /// A person's place in an organization.
    pub struct Member as MemberRow in member {
        /// The organization.
        pub organization: OrganizationId,
        /// The person.
        pub account: UserId,
        /// What they may do.
        pub role: Role,
        /// Since when.
        pub created_at: Timestamp,
    }
}

/// Adds a member; `AlreadyExists` when the person is one.
pub fn insert(tx: &mut Tx<'_>, row: &Member) -> Result<()> {
    db!(tx, |c| diesel::insert_into(member::table).values(MemberRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("member"))?;
    Ok(())
}

/// Lists all members, by account id.
pub fn list(conn: &mut DbConn, scope: &Scope) -> Result<Vec<Member>> {
    let rows: Vec<MemberRow> = db!(conn, |c| {
        member::table
            .filter(member::organization.eq(scope.as_str()))
            .order(member::account)
            .select(MemberRow::as_select())
            .load(c)
    })?;
    all(rows)
}
