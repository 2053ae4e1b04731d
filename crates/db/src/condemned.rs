//! This file's job is to remove blobs that nobody has from the store, without ever removing one that somebody is about to have.
//!
//! A blob of the store that no organization has is condemned, and removed a long time later. Whoever is about to store blobs
//! announces them first, which pardons the condemned among them; while a removal is under way, the announcement fails and is repeated.
//! So a removal that begins finds a blob that nobody has announced since it was condemned, and everybody who announces it from then on
//! waits until the removal has ended, and then stores it anew. No announcement is older than a job may last, which is far less than
//! [`CONDEMNED_FOR`].

use crate::column::{Column as _, IN_LIST_MAX, INSERT_ROWS_MAX, page};
use crate::dialect::db;
use crate::schema::{blob, blob_condemned};
use crate::{DbConn, Error, Result, Tx};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use domain::{Sha256, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a blob stands condemned before it is removed. Many times the longest deadline of a job.
pub const CONDEMNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Pardons blobs that are about to be stored; `Conflict` while one of them is being removed: try again a little later.
pub fn announce(tx: &mut Tx<'_>, hashes: &[Sha256]) -> Result<()> {
    let hashes: BTreeSet<Vec<u8>> = hashes.iter().map(Sha256::to_sql).collect();
    let hashes: Vec<Vec<u8>> = hashes.into_iter().collect();
    for part in hashes.chunks(IN_LIST_MAX) {
        // On PostgreSQL this waits for a sweeper that is just beginning a removal, and then sees that it has.
        db!(tx, |c| {
            diesel::delete(blob_condemned::table)
                .filter(blob_condemned::sha256.eq_any(part).and(blob_condemned::removing.eq(false)))
                .execute(c)
        })?;
        let left: i64 =
            db!(tx, |c| blob_condemned::table.filter(blob_condemned::sha256.eq_any(part)).count().get_result(c))?;
        if left > 0 {
            return Err(Error::Conflict { what: "blob that is being removed" });
        }
    }
    Ok(())
}

/// Condemns those of the blobs that no organization has, and returns how many there are.
pub fn condemn(tx: &mut Tx<'_>, hashes: &[Sha256], now: Timestamp) -> Result<usize> {
    let mut condemned = 0;
    for part in hashes.chunks(INSERT_ROWS_MAX) {
        let stored: Vec<Vec<u8>> = part.iter().map(Sha256::to_sql).collect();
        let owned: Vec<Vec<u8>> =
            db!(tx, |c| blob::table.filter(blob::sha256.eq_any(&stored)).select(blob::sha256).distinct().load(c))?;
        let owned: BTreeSet<Vec<u8>> = owned.into_iter().collect();
        let rows: Vec<_> = stored
            .into_iter()
            .filter(|sha256| !owned.contains(sha256))
            .map(|sha256| {
                let at = blob_condemned::condemned_at.eq(now.as_us());
                (blob_condemned::sha256.eq(sha256), at, blob_condemned::removing.eq(false))
            })
            .collect();
        condemned += rows.len();
        db!(tx, |c| {
            diesel::insert_into(blob_condemned::table)
                .values(rows)
                .on_conflict(blob_condemned::sha256)
                .do_nothing()
                .execute(c)
        })?;
    }
    Ok(condemned)
}

/// Begins to remove blobs that were condemned long ago and that still nobody has, at most `limit`. Also returns those whose removal was
/// begun before and not ended. Remove them from the store, then call [`removed`].
pub fn begin_removal(tx: &mut Tx<'_>, limit: u32, now: Timestamp) -> Result<Vec<Sha256>> {
    let before = now.minus(CONDEMNED_FOR).as_us();
    let old: Vec<Vec<u8>> = db!(tx, |c| {
        blob_condemned::table
            .filter(blob_condemned::condemned_at.le(before))
            .order(blob_condemned::condemned_at)
            .limit(page(limit))
            .select(blob_condemned::sha256)
            .load(c)
    })?;
    db!(tx, |c| {
        // Somebody may have stored one of them after it was condemned.
        diesel::delete(blob_condemned::table)
            .filter(blob_condemned::sha256.eq_any(&old).and(blob_condemned::removing.eq(false)))
            .filter(exists(blob::table.filter(blob::sha256.eq(blob_condemned::sha256))))
            .execute(c)?;
        diesel::update(blob_condemned::table)
            .filter(blob_condemned::sha256.eq_any(&old))
            .filter(not(exists(blob::table.filter(blob::sha256.eq(blob_condemned::sha256)))))
            .set(blob_condemned::removing.eq(true))
            .execute(c)
    })?;
    let begun: Vec<Vec<u8>> = db!(tx, |c| {
        blob_condemned::table
            .filter(blob_condemned::sha256.eq_any(&old).and(blob_condemned::removing.eq(true)))
            .order(blob_condemned::sha256)
            .select(blob_condemned::sha256)
            .load(c)
    })?;
    begun.into_iter().map(Sha256::from_sql).collect()
}

/// Ends the removal of blobs that are gone from the store.
pub fn removed(tx: &mut Tx<'_>, hashes: &[Sha256]) -> Result<()> {
    for part in hashes.chunks(IN_LIST_MAX) {
        let part: Vec<Vec<u8>> = part.iter().map(Sha256::to_sql).collect();
        db!(tx, |c| diesel::delete(blob_condemned::table.filter(blob_condemned::sha256.eq_any(part))).execute(c))?;
    }
    Ok(())
}

/// Counts the blobs that stand condemned.
pub fn count(conn: &mut DbConn) -> Result<u64> {
    let count: i64 = db!(conn, |c| blob_condemned::table.count().get_result(c))?;
    u64::from_sql(count)
}
