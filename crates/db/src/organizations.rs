//! This file's job is to read and write organizations.

use crate::column::{Column as _, row};
use crate::dialect::db;
use crate::schema::organization;
use crate::{DbConn, Error, Result, Scope, Tx, credential_changes};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::OrganizationId;
use domain::job::Tier;

row! {
    /// A tenant.
    pub struct Organization as OrganizationRow in organization {
        /// Its id.
        pub id: OrganizationId,
        /// Its name in addresses; unique.
        pub slug: String,
        /// Its name for people.
        pub name: String,
        /// The queue tier of its plan.
        pub tier: Tier,
        /// Whether it may publish.
        pub suspended: bool,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds an organization; `AlreadyExists` when the slug is taken.
pub fn insert(tx: &mut Tx<'_>, row: &Organization) -> Result<()> {
    db!(tx, |c| diesel::insert_into(organization::table).values(OrganizationRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("organization"))?;
    Ok(())
}

/// Returns the caller's organization.
pub fn get(conn: &mut DbConn, scope: &Scope) -> Result<Organization> {
    let found = db!(conn, |c| {
        organization::table.find(scope.as_str()).select(OrganizationRow::as_select()).first(c).optional()
    })?;
    found.ok_or(Error::not_found("organization"))?.try_into()
}

/// Returns the oldest organization, none before the first start has made one.
pub fn find_first(conn: &mut DbConn) -> Result<Option<Organization>> {
    let found = db!(conn, |c| {
        organization::table.order(organization::id).select(OrganizationRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Changes what the plan gives and whether the organization may publish. Every replica looks its credentials up again.
pub fn apply(tx: &mut Tx<'_>, scope: &Scope, tier: Tier, suspended: bool, now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(organization::table.find(scope.as_str()))
            .set((organization::tier.eq(tier.to_sql()), organization::suspended.eq(suspended)))
            .execute(c)
    })?;
    if changed == 0 {
        return Err(Error::not_found("organization"));
    }
    credential_changes::append(tx, scope.as_str(), now)
}
