//! This file's job is to read and write the accounts of people.

use crate::column::row;
use crate::dialect::db;
use crate::schema::account;
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::UserId;

row! {
    /// A person with an account. (The table is not called `user`, which is a reserved word.)
    pub struct Account as AccountRow in account {
        /// Its id.
        pub id: UserId,
        /// Unique; compared byte for byte, so callers fold its case.
        pub email: String,
        /// The person's name.
        pub name: String,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds an account; `AlreadyExists` when the address is taken.
pub fn insert(tx: &mut Tx<'_>, row: &Account) -> Result<()> {
    db!(tx, |c| diesel::insert_into(account::table).values(AccountRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("user"))?;
    Ok(())
}

/// Returns an account by id. Not scoped: the authorizer asks.
pub fn get(conn: &mut DbConn, id: &UserId) -> Result<Account> {
    let found = db!(conn, |c| account::table.find(id.as_str()).select(AccountRow::as_select()).first(c).optional())?;
    found.ok_or(Error::not_found("user"))?.try_into()
}
