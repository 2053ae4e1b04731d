//! This file's job is to keep the second step of people's sign-ins: sealed secrets and hashed recovery codes.

use crate::column::row;
use crate::dialect::db;
use crate::schema::{recovery_code, second_factor};
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::id::UserId;
use domain::{Sha256, Timestamp};

row! {
    /// An authenticator app's secret.
    pub struct SecondFactor as SecondFactorRow in second_factor {
        /// Whose it is.
        pub account: UserId,
        /// The secret, sealed.
        pub sealed_secret: Vec<u8>,
        /// The id of the master key that it is sealed under.
        pub master_key: String,
        /// The newest time step whose code was used.
        pub last_step: i64,
        /// When it was made.
        pub created_at: Timestamp,
        /// When the person proved to have it; it does not count before.
        pub confirmed_at: Option<Timestamp>,
    }
}

/// Puts a secret that is not confirmed in the place of an earlier one; `AlreadyExists` when a confirmed one is there.
pub fn put(tx: &mut Tx<'_>, row: &SecondFactor) -> Result<()> {
    db!(tx, |c| {
        diesel::delete(second_factor::table.find(row.account.as_str()))
            .filter(second_factor::confirmed_at.is_null())
            .execute(c)
    })?;
    db!(tx, |c| diesel::insert_into(second_factor::table).values(SecondFactorRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("second step"))?;
    Ok(())
}

/// Returns an account's secret. Not scoped: a person's account is nobody else's.
pub fn find(conn: &mut DbConn, account: &UserId) -> Result<Option<SecondFactor>> {
    let found = db!(conn, |c| {
        second_factor::table.find(account.as_str()).select(SecondFactorRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Uses the code of a time step up. Says whether that was possible: no step counts twice, and none before a used one.
pub fn use_step(tx: &mut Tx<'_>, account: &UserId, step: i64) -> Result<bool> {
    let changed = db!(tx, |c| {
        diesel::update(second_factor::table.find(account.as_str()))
            .filter(second_factor::last_step.lt(step))
            .set(second_factor::last_step.eq(step))
            .execute(c)
    })?;
    Ok(changed == 1)
}

/// Makes the secret count, with these recovery codes.
pub fn confirm(tx: &mut Tx<'_>, account: &UserId, code_hashes: &[Sha256], now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(second_factor::table.find(account.as_str()))
            .filter(second_factor::confirmed_at.is_null())
            .set(second_factor::confirmed_at.eq(now.as_us()))
            .execute(c)
    })?;
    if changed != 1 {
        return Err(Error::Conflict { what: "second step" });
    }
    for hash in code_hashes {
        db!(tx, |c| {
            diesel::insert_into(recovery_code::table)
                .values((
                    recovery_code::account.eq(account.as_str()),
                    recovery_code::code_hash.eq(hash.as_bytes().as_slice()),
                ))
                .execute(c)
        })?;
    }
    Ok(())
}

/// Uses a recovery code up. Says whether there was such a code.
pub fn use_recovery_code(tx: &mut Tx<'_>, account: &UserId, code_hash: &Sha256) -> Result<bool> {
    let deleted = db!(tx, |c| {
        diesel::delete(recovery_code::table.find((account.as_str(), code_hash.as_bytes().as_slice()))).execute(c)
    })?;
    Ok(deleted == 1)
}

/// Counts the recovery codes that are left.
pub fn count_recovery_codes(conn: &mut DbConn, account: &UserId) -> Result<u64> {
    let count: i64 = db!(conn, |c| {
        recovery_code::table.filter(recovery_code::account.eq(account.as_str())).count().get_result(c)
    })?;
    Ok(count.unsigned_abs())
}

/// Removes an account's secret and recovery codes.
pub fn delete(tx: &mut Tx<'_>, account: &UserId) -> Result<()> {
    let deleted = db!(tx, |c| diesel::delete(second_factor::table.find(account.as_str())).execute(c))?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("second step")) }
}

/// Lists secrets that are sealed under another master key than this one.
pub fn list_sealed_otherwise(conn: &mut DbConn, master_key: &str, limit: u32) -> Result<Vec<SecondFactor>> {
    let rows: Vec<SecondFactorRow> = db!(conn, |c| {
        second_factor::table
            .filter(second_factor::master_key.ne(master_key))
            .order(second_factor::account)
            .limit(crate::column::page(limit))
            .select(SecondFactorRow::as_select())
            .load(c)
    })?;
    crate::column::all(rows)
}

/// Puts a secret that was sealed anew in the place of the old one.
pub fn reseal(tx: &mut Tx<'_>, account: &UserId, sealed_secret: &[u8], master_key: &str) -> Result<()> {
    db!(tx, |c| {
        diesel::update(second_factor::table.find(account.as_str()))
            .set((second_factor::sealed_secret.eq(sealed_secret), second_factor::master_key.eq(master_key)))
            .execute(c)
    })?;
    Ok(())
}
