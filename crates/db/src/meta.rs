//! This file's job is to keep single values about the database itself.

use crate::dialect::db;
use crate::error::Error;
use crate::schema::meta;
use crate::{DbConn, Result, Tx};
use diesel::prelude::*;

const EPOCH: &str = "epoch";
const INSTANCE: &str = "instance";

/// Returns a value.
pub fn find(conn: &mut DbConn, key: &str) -> Result<Option<String>> {
    Ok(db!(conn, |c| meta::table.find(key).select(meta::value).first(c).optional())?)
}

/// Stores the value when there is none yet, and returns the one that is stored then. Concurrent callers get the same.
pub fn ensure(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<String> {
    db!(tx, |c| {
        diesel::insert_into(meta::table)
            .values((meta::key.eq(key), meta::value.eq(value)))
            .on_conflict(meta::key)
            .do_nothing()
            .execute(c)
    })?;
    find(tx, key)?.ok_or(Error::not_found("value"))
}

/// Stores a value in place of any other.
pub fn set(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<()> {
    db!(tx, |c| {
        diesel::insert_into(meta::table)
            .values((meta::key.eq(key), meta::value.eq(value)))
            .on_conflict(meta::key)
            .do_update()
            .set(meta::value.eq(value))
            .execute(c)
    })?;
    Ok(())
}

/// Returns the epoch of every snapshot version; see [`domain::snapshot::SnapshotVersion`].
pub fn epoch(conn: &mut DbConn) -> Result<u64> {
    let text = find(conn, EPOCH)?.ok_or(Error::not_found("epoch"))?;
    text.parse().map_err(Error::internal)
}

/// Moves the epoch to at least `at_least` and beyond the present one, after a restore from a backup. Returns the new one.
pub fn advance_epoch(tx: &mut Tx<'_>, at_least: u64) -> Result<u64> {
    let next = (epoch(tx)? + 1).max(at_least);
    set(tx, EPOCH, &next.to_string())?;
    tx.note_change();
    Ok(next)
}

/// Returns the id of this installation, which is `candidate` when nobody has stored one.
pub fn instance_id(tx: &mut Tx<'_>, candidate: &str) -> Result<String> {
    ensure(tx, INSTANCE, candidate)
}
