//! This file's job is to read and write who belongs to an organization.

use crate::accounts::{Account, AccountRow};
use crate::column::{page, row};
use crate::dialect::{db, first_locked};
use crate::organizations::{Organization, OrganizationRow};
use crate::schema::{account, member, organization};
use crate::{DbConn, Error, PAGE_MAX, Result, Role, Scope, Tx};
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

/// Lists the members with their accounts, oldest account first.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&str>, limit: u32) -> Result<Vec<(Account, Member)>> {
    let rows: Vec<(AccountRow, MemberRow)> = db!(conn, |c| {
        member::table
            .inner_join(account::table)
            .filter(member::organization.eq(scope.as_str()))
            .filter(member::account.gt(after.unwrap_or_default()))
            .order(member::account)
            .limit(page(limit))
            .select((AccountRow::as_select(), MemberRow::as_select()))
            .load(c)
    })?;
    rows.into_iter().map(|(account, member)| Ok((account.try_into()?, member.try_into()?))).collect()
}

/// Lets only one transaction at a time change who belongs to the organization, until it ends; so that an owner is always left.
pub fn lock(tx: &mut Tx<'_>, scope: &Scope) -> Result<()> {
    let locked = first_locked!(tx, organization::table.find(scope.as_str()).select(organization::id), String);
    locked.optional()?.map(drop).ok_or(Error::not_found("organization"))
}

/// Returns how many owners the organization has.
pub fn count_owners(conn: &mut DbConn, scope: &Scope) -> Result<u64> {
    let count: i64 = db!(conn, |c| {
        member::table
            .filter(member::organization.eq(scope.as_str()))
            .filter(member::role.eq(Role::Owner.as_str()))
            .count()
            .get_result(c)
    })?;
    Ok(count.unsigned_abs())
}

/// Changes a member's role.
pub fn set_role(tx: &mut Tx<'_>, scope: &Scope, account: &UserId, role: Role) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(member::table.find((scope.as_str(), account.as_str())))
            .set(member::role.eq(role.as_str()))
            .execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::not_found("member")) }
}

/// Ends a membership.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, account: &UserId) -> Result<()> {
    let deleted = db!(tx, |c| diesel::delete(member::table.find((scope.as_str(), account.as_str()))).execute(c))?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("member")) }
}

/// Returns a person's place in the organization; none when they are no member.
pub fn find(conn: &mut DbConn, scope: &Scope, account: &UserId) -> Result<Option<Member>> {
    let found = db!(conn, |c| {
        member::table.find((scope.as_str(), account.as_str())).select(MemberRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists the organizations that a person belongs to with their places there, oldest organization first. Not scoped: it is the person
/// who asks.
pub fn list_of_account(conn: &mut DbConn, account: &UserId) -> Result<Vec<(Organization, Member)>> {
    let rows: Vec<(OrganizationRow, MemberRow)> = db!(conn, |c| {
        member::table
            .inner_join(organization::table)
            .filter(member::account.eq(account.as_str()))
            .order(organization::id)
            .limit(page(PAGE_MAX))
            .select((OrganizationRow::as_select(), MemberRow::as_select()))
            .load(c)
    })?;
    rows.into_iter().map(|(organization, member)| Ok((organization.try_into()?, member.try_into()?))).collect()
}
