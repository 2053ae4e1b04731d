//! This file's job is to remember the answers to requests that carry an id, so that a repeated one is answered the same.

use crate::column::row;
use crate::dialect::db;
use crate::schema::idempotency;
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::{Sha256, Timestamp};

row! {
    /// The answer to one request.
    pub struct Answer as AnswerRow in idempotency {
        /// Who asked; ids of different callers never meet.
        pub principal: String,
        /// The request's id, chosen by the caller.
        pub request_id: String,
        /// The full name of the RPC.
        pub method: String,
        /// Digest of the request, to tell a repeat from a reuse of the id.
        pub request_hash: Sha256,
        /// The encoded answer.
        pub response: Vec<u8>,
        /// When it was given.
        pub created_at: Timestamp,
    }
}

/// Returns the answer that was given.
pub fn find(conn: &mut DbConn, principal: &str, request_id: &str, method: &str) -> Result<Option<Answer>> {
    let found = db!(conn, |c| {
        idempotency::table.find((principal, request_id, method)).select(AnswerRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Stores an answer in the transaction of its effect; `AlreadyExists` when the same request was answered meanwhile, which undoes
/// the effect: read again and return that answer.
pub fn insert(tx: &mut Tx<'_>, row: &Answer) -> Result<()> {
    db!(tx, |c| diesel::insert_into(idempotency::table).values(AnswerRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("request id"))?;
    Ok(())
}

/// Forgets answers from before the time and returns how many there were.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| {
        diesel::delete(idempotency::table).filter(idempotency::created_at.lt(before.as_us())).execute(c)
    })?)
}
