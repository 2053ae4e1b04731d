//! This file's job is to keep the requests of programs without a browser to be logged in.

use crate::column::{Column as _, row};
use crate::dialect::db;
use crate::schema::login;
use crate::{DbConn, Error, LoginState, Result, Tx};
use diesel::prelude::*;
use domain::id::{OrganizationId, UserId};
use domain::{Sha256, Timestamp};

row! {
    /// A request. Its codes are with the program and with the person only.
    pub struct Login as LoginRow in login {
        /// SHA-256 of the code that the program polls with.
        pub device_code_hash: Sha256,
        /// SHA-256 of the code that the person types in.
        pub user_code_hash: Sha256,
        /// What the program called itself, for people.
        pub client: String,
        /// The address that it called from, for people.
        pub address: String,
        /// What became of it.
        pub state: LoginState,
        /// Who decided.
        pub account: Option<UserId>,
        /// The only organization that its session may touch; all of the person's when none.
        pub organization: Option<OrganizationId>,
        /// Seconds between two polls.
        pub interval_s: u32,
        /// When it began.
        pub created_at: Timestamp,
        /// When its codes stop working.
        pub expires_at: Timestamp,
        /// When the program last polled.
        pub polled_at: Option<Timestamp>,
    }
}

/// Who decided, and for which organization the program may act.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Approved or denied.
    pub state: LoginState,
    /// The person.
    pub account: UserId,
    /// The only organization that the session may touch.
    pub organization: Option<OrganizationId>,
}

/// Adds a request; `AlreadyExists` when one of the codes is taken.
pub fn insert(tx: &mut Tx<'_>, row: &Login) -> Result<()> {
    db!(tx, |c| diesel::insert_into(login::table).values(LoginRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("login"))?;
    Ok(())
}

/// Returns the request with this device code, unless it has expired.
pub fn find_by_device_code(conn: &mut DbConn, hash: &Sha256, now: Timestamp) -> Result<Option<Login>> {
    let found = db!(conn, |c| {
        login::table
            .find(hash.as_bytes().as_slice())
            .filter(login::expires_at.gt(now.as_us()))
            .select(LoginRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns the request with this user code that nobody has decided about, unless it has expired.
pub fn find_by_user_code(conn: &mut DbConn, hash: &Sha256, now: Timestamp) -> Result<Option<Login>> {
    let found = db!(conn, |c| {
        login::table
            .filter(login::user_code_hash.eq(hash.as_bytes().as_slice()))
            .filter(login::expires_at.gt(now.as_us()))
            .filter(login::state.eq(LoginState::Pending.as_str()))
            .select(LoginRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Notes a poll, and how long to wait for the next one.
pub fn set_polled(tx: &mut Tx<'_>, device_code_hash: &Sha256, interval_s: u32, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(login::table.find(device_code_hash.as_bytes().as_slice()))
            .set((login::polled_at.eq(now.as_us()), login::interval_s.eq(interval_s.to_sql())))
            .execute(c)
    })?;
    Ok(())
}

/// Decides about a request; not found when somebody did before, or there is none.
pub fn decide(tx: &mut Tx<'_>, user_code_hash: &Sha256, decision: &Decision, now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(login::table)
            .filter(login::user_code_hash.eq(user_code_hash.as_bytes().as_slice()))
            .filter(login::state.eq(LoginState::Pending.as_str()))
            .filter(login::expires_at.gt(now.as_us()))
            .set((
                login::state.eq(decision.state.as_str()),
                login::account.eq(decision.account.as_str()),
                login::organization.eq(decision.organization.as_ref().map(OrganizationId::as_str)),
            ))
            .execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::not_found("login")) }
}

/// Ends a request; `Conflict` when another call did so first.
pub fn delete(tx: &mut Tx<'_>, device_code_hash: &Sha256) -> Result<()> {
    let deleted = db!(tx, |c| diesel::delete(login::table.find(device_code_hash.as_bytes().as_slice())).execute(c))?;
    if deleted == 1 { Ok(()) } else { Err(Error::Conflict { what: "login" }) }
}

/// Forgets requests that expired before the time.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(login::table).filter(login::expires_at.lt(before.as_us())).execute(c))?)
}
