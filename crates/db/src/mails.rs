//! This file's job is to keep the mails that are to be sent, and what their links stand for.
//!
//! A mail's row and its job are written in the transaction that makes the mail necessary. The worker makes the token when it sends the
//! mail, so that no row and no job ever holds one.

use crate::column::{all, page, row};
use crate::dialect::db;
use crate::schema::mail;
use crate::{DbConn, Error, MailKind, PAGE_MAX, Result, Tx};
use diesel::prelude::*;
use domain::id::{MailId, UserId};
use domain::{EmailAddress, Sha256, Timestamp};

row! {
    /// A mail.
    pub struct Mail as MailRow in mail {
        /// Its id.
        pub id: MailId,
        /// What it is about.
        pub kind: MailKind,
        /// Who gets it.
        pub address: EmailAddress,
        /// The account that its link is for; none when there is none yet.
        pub account: Option<UserId>,
        /// SHA-256 of the token in its link; none until it was sent.
        pub token_hash: Option<Sha256>,
        /// What is said besides, for people.
        pub detail: String,
        /// When it became necessary.
        pub created_at: Timestamp,
        /// When its link stops working.
        pub expires_at: Timestamp,
        /// When it was sent last.
        pub sent_at: Option<Timestamp>,
        /// When its link was used; it works once.
        pub used_at: Option<Timestamp>,
    }
}

/// Adds a mail.
pub fn insert(tx: &mut Tx<'_>, row: &Mail) -> Result<()> {
    db!(tx, |c| diesel::insert_into(mail::table).values(MailRow::from(row)).execute(c))?;
    Ok(())
}

/// Returns a mail. Not scoped: the worker asks.
pub fn get(conn: &mut DbConn, id: &MailId) -> Result<Mail> {
    let found = db!(conn, |c| mail::table.find(id.as_str()).select(MailRow::as_select()).first(c).optional())?;
    found.ok_or(Error::not_found("mail"))?.try_into()
}

/// Lists the mails of an address, oldest first. Not scoped: a mail belongs to whoever reads it.
pub fn list(conn: &mut DbConn, address: &EmailAddress) -> Result<Vec<Mail>> {
    let rows: Vec<MailRow> = db!(conn, |c| {
        mail::table
            .filter(mail::address.eq(address.as_str()))
            .order(mail::id)
            .limit(page(PAGE_MAX))
            .select(MailRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns how many mails an address has got, or is to get, since the time.
pub fn count_since(conn: &mut DbConn, address: &EmailAddress, since: Timestamp) -> Result<u64> {
    let count: i64 = db!(conn, |c| {
        mail::table
            .filter(mail::address.eq(address.as_str()))
            .filter(mail::created_at.ge(since.as_us()))
            .count()
            .get_result(c)
    })?;
    Ok(count.unsigned_abs())
}

/// Sets the token that the mail is about to be sent with; those of earlier tries stop working.
pub fn set_token(tx: &mut Tx<'_>, id: &MailId, token_hash: &Sha256) -> Result<()> {
    db!(tx, |c| {
        diesel::update(mail::table.find(id.as_str()))
            .set(mail::token_hash.eq(token_hash.as_bytes().as_slice()))
            .execute(c)
    })?;
    Ok(())
}

/// Notes that the mail was handed on.
pub fn set_sent(tx: &mut Tx<'_>, id: &MailId, now: Timestamp) -> Result<()> {
    db!(tx, |c| diesel::update(mail::table.find(id.as_str())).set(mail::sent_at.eq(now.as_us())).execute(c))?;
    Ok(())
}

/// Returns the mail of this kind whose link has this token, unless it was used or has expired.
pub fn find_by_token(conn: &mut DbConn, kind: MailKind, token_hash: &Sha256, now: Timestamp) -> Result<Option<Mail>> {
    let found = db!(conn, |c| {
        mail::table
            .filter(mail::token_hash.eq(token_hash.as_bytes().as_slice()))
            .filter(mail::kind.eq(kind.as_str()))
            .filter(mail::used_at.is_null())
            .filter(mail::expires_at.gt(now.as_us()))
            .select(MailRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Uses the link up; `Conflict` when another call did so first.
pub fn set_used(tx: &mut Tx<'_>, id: &MailId, now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(mail::table.find(id.as_str()))
            .filter(mail::used_at.is_null())
            .set(mail::used_at.eq(now.as_us()))
            .execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::Conflict { what: "mail" }) }
}

/// Uses up all links of an account that are about the same.
pub fn set_all_used(tx: &mut Tx<'_>, account: &UserId, kind: MailKind, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::update(mail::table)
            .filter(mail::account.eq(account.as_str()))
            .filter(mail::kind.eq(kind.as_str()))
            .filter(mail::used_at.is_null())
            .set(mail::used_at.eq(now.as_us()))
            .execute(c)
    })?;
    Ok(())
}

/// Forgets mails whose links stopped working before the time.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(mail::table).filter(mail::expires_at.lt(before.as_us())).execute(c))?)
}
