//! This file's job is to read and write the accounts of people.

use crate::column::row;
use crate::dialect::db;
use crate::schema::account;
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::id::UserId;
use domain::{EmailAddress, Timestamp};

row! {
    /// A person with an account. (The table is not called `user`, which is a reserved word.)
    pub struct Account as AccountRow in account {
        /// Its id.
        pub id: UserId,
        /// Unique.
        pub email: EmailAddress,
        /// The person's name.
        pub name: String,
        /// The password as a PHC string; none for people who sign in elsewhere, or have not chosen one yet.
        pub password_hash: Option<String>,
        /// When the person proved to read the address's mail.
        pub email_verified_at: Option<Timestamp>,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds an account; `AlreadyExists` when the address is taken.
pub fn insert(tx: &mut Tx<'_>, row: &Account) -> Result<()> {
    db!(tx, |c| diesel::insert_into(account::table).values(AccountRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("account"))?;
    Ok(())
}

/// Returns an account by id. Not scoped: the authorizer asks.
pub fn get(conn: &mut DbConn, id: &UserId) -> Result<Account> {
    let found = db!(conn, |c| account::table.find(id.as_str()).select(AccountRow::as_select()).first(c).optional())?;
    found.ok_or(Error::not_found("account"))?.try_into()
}

/// Returns the account with this address. Not scoped: whoever signs in belongs to nothing yet.
pub fn find_by_email(conn: &mut DbConn, email: &EmailAddress) -> Result<Option<Account>> {
    let found = db!(conn, |c| {
        account::table.filter(account::email.eq(email.as_str())).select(AccountRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Sets the password.
pub fn set_password(tx: &mut Tx<'_>, id: &UserId, password_hash: &str) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(account::table.find(id.as_str())).set(account::password_hash.eq(password_hash)).execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::not_found("account")) }
}

/// Notes that the person reads the address's mail, unless that is known.
pub fn set_verified(tx: &mut Tx<'_>, id: &UserId, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(account::table.find(id.as_str()))
            .filter(account::email_verified_at.is_null())
            .set(account::email_verified_at.eq(now.as_us()))
            .execute(c)
    })?;
    Ok(())
}
