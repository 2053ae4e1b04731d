//! This file's job is to read and write the sessions of people.

use crate::column::{all, row};
use crate::dialect::db;
use crate::schema::session;
use crate::{DbConn, Error, Result, SessionKind, Tx};
use diesel::prelude::*;
use domain::id::{OrganizationId, SessionId, UserId};
use domain::{Sha256, Timestamp};

/// A person signs in from some devices, not from hundreds; the oldest sessions give way.
pub const SESSIONS_MAX: usize = 50;

row! {
    /// A session. Its token is with the person only.
    pub struct Session as SessionRow in session {
        /// Its id; not secret.
        pub id: SessionId,
        /// Whose session it is.
        pub account: UserId,
        /// SHA-256 of the token.
        pub token_hash: Sha256,
        /// What it was made for.
        pub kind: SessionKind,
        /// The only organization that it may touch; all of the person's when none.
        pub organization: Option<OrganizationId>,
        /// What the program called itself, for people.
        pub client: String,
        /// The address that it was made from, for people.
        pub address: String,
        /// When the person signed in.
        pub created_at: Timestamp,
        /// When its end was last moved on.
        pub refreshed_at: Timestamp,
        /// When it ends.
        pub expires_at: Timestamp,
    }
}

/// Adds a session. Of more than [`SESSIONS_MAX`] the oldest ones end.
pub fn insert(tx: &mut Tx<'_>, row: &Session) -> Result<()> {
    db!(tx, |c| diesel::insert_into(session::table).values(SessionRow::from(row)).execute(c))?;
    let surplus: Vec<String> = db!(tx, |c| {
        session::table
            .filter(session::account.eq(row.account.as_str()))
            .order(session::id.desc())
            .offset(SESSIONS_MAX as i64)
            .limit(SESSIONS_MAX as i64)
            .select(session::id)
            .load(c)
    })?;
    if !surplus.is_empty() {
        db!(tx, |c| diesel::delete(session::table.filter(session::id.eq_any(&surplus))).execute(c))?;
    }
    Ok(())
}

/// Returns the session with this token, expired ones too. Not scoped: the authorizer asks.
pub fn find_by_token(conn: &mut DbConn, token_hash: &Sha256) -> Result<Option<Session>> {
    let found = db!(conn, |c| {
        session::table
            .filter(session::token_hash.eq(token_hash.as_bytes().as_slice()))
            .select(SessionRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns the session with this id, expired ones too. Not scoped: the authorizer asks.
pub fn find(conn: &mut DbConn, id: &SessionId) -> Result<Option<Session>> {
    let found = db!(conn, |c| session::table.find(id.as_str()).select(SessionRow::as_select()).first(c).optional())?;
    found.map(TryInto::try_into).transpose()
}

/// Lists a person's sessions, newest first.
pub fn list(conn: &mut DbConn, account: &UserId) -> Result<Vec<Session>> {
    let rows: Vec<SessionRow> = db!(conn, |c| {
        session::table
            .filter(session::account.eq(account.as_str()))
            .order(session::id.desc())
            .select(SessionRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Moves a session's end on, unless another call did so since it was read. Says whether it did.
pub fn refresh(tx: &mut Tx<'_>, before: &Session, now: Timestamp, expires_at: Timestamp) -> Result<bool> {
    let changed = db!(tx, |c| {
        diesel::update(session::table.find(before.id.as_str()))
            .filter(session::refreshed_at.eq(before.refreshed_at.as_us()))
            .set((session::refreshed_at.eq(now.as_us()), session::expires_at.eq(expires_at.as_us())))
            .execute(c)
    })?;
    Ok(changed == 1)
}

/// Ends a session of the person.
pub fn delete(tx: &mut Tx<'_>, account: &UserId, id: &SessionId) -> Result<()> {
    let deleted = db!(tx, |c| {
        diesel::delete(session::table.find(id.as_str())).filter(session::account.eq(account.as_str())).execute(c)
    })?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("session")) }
}

/// Ends all sessions of the person but this one, and returns how many there were.
pub fn delete_others(tx: &mut Tx<'_>, account: &UserId, keep: Option<&SessionId>) -> Result<usize> {
    let keep = keep.map_or("", SessionId::as_str);
    Ok(db!(tx, |c| {
        diesel::delete(session::table)
            .filter(session::account.eq(account.as_str()))
            .filter(session::id.ne(keep))
            .execute(c)
    })?)
}

/// Forgets sessions that ended before the time.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(session::table).filter(session::expires_at.lt(before.as_us())).execute(c))?)
}
