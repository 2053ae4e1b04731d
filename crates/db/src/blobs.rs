//! This file's job is to remember which blobs an organization has, with the hashes of their pieces.

use crate::column::{Column as _, IN_LIST_MAX, INSERT_ROWS_MAX, row};
use crate::dialect::{db, load_locked};
use crate::schema::blob;
use crate::{DbConn, Error, Result, Scope, Tx};
use diesel::prelude::*;
use domain::bundle::Blob;
use domain::id::OrganizationId;
use domain::{Sha256, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

row! {
    /// A stored blob.
    pub(crate) struct StoredBlob as StoredBlobRow in blob {
        pub organization: OrganizationId,
        pub sha256: Sha256,
        pub size_bytes: u64,
        pub chunks: Vec<Sha256>,
        pub created_at: Timestamp,
        pub used_at: Timestamp,
    }
}

/// A touch is not written down again for so long. Far less than [`crate::unused::UNUSED_KEPT`], so that what was touched of late needs no
/// lock either.
const TOUCH_HOLDS: Duration = Duration::from_secs(60 * 60);

impl From<StoredBlob> for Blob {
    fn from(stored: StoredBlob) -> Self {
        Self { sha256: stored.sha256, size_bytes: stored.size_bytes, chunks: stored.chunks }
    }
}

/// Adds the blobs that the organization does not have yet. Their bytes must be in the store already.
pub fn insert_missing(tx: &mut Tx<'_>, scope: &Scope, blobs: &[Blob], now: Timestamp) -> Result<()> {
    let mut blobs: Vec<&Blob> = blobs.iter().collect();
    // In one order, so that two transactions cannot wait for each other.
    blobs.sort_by_key(|blob| blob.sha256);
    for part in blobs.chunks(INSERT_ROWS_MAX) {
        let rows: Vec<StoredBlobRow> = part.iter().map(|blob| stored(scope, blob, now)).collect();
        db!(tx, |c| {
            diesel::insert_into(blob::table)
                .values(rows)
                .on_conflict((blob::organization, blob::sha256))
                .do_nothing()
                .execute(c)
        })?;
    }
    let hashes: Vec<Sha256> = blobs.iter().map(|blob| blob.sha256).collect();
    touch(tx, scope, &hashes, now).map(|_| ())
}

/// Notes that something is about to refer to blobs, and returns how many of the different ones the organization has: those stay.
pub fn touch(tx: &mut Tx<'_>, scope: &Scope, hashes: &[Sha256], now: Timestamp) -> Result<usize> {
    let mut wanted = hashes.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let (mut found, before) = (0, now.minus(TOUCH_HOLDS).as_us());
    for part in wanted.chunks(IN_LIST_MAX) {
        let part: Vec<Vec<u8>> = part.iter().map(Sha256::to_sql).collect();
        let old = blob::table
            .filter(blob::organization.eq(scope.as_str()))
            .filter(blob::sha256.eq_any(&part))
            .filter(blob::used_at.lt(before))
            .order(blob::sha256)
            .select(blob::sha256);
        // Locked in one order, so that two transactions cannot wait for each other.
        let old: Vec<Vec<u8>> = load_locked!(tx, old, Vec<u8>)?;
        let count: i64 = db!(tx, |c| {
            diesel::update(blob::table)
                .filter(blob::organization.eq(scope.as_str()))
                .filter(blob::sha256.eq_any(&old))
                .set(blob::used_at.eq(now.as_us()))
                .execute(c)?;
            let having = blob::table.filter(blob::organization.eq(scope.as_str())).filter(blob::sha256.eq_any(&part));
            having.count().get_result(c)
        })?;
        found += usize::try_from(count).map_err(Error::internal)?;
    }
    Ok(found)
}

/// Notes that something is about to refer to a blob; not found when the organization does not have it.
pub fn need(tx: &mut Tx<'_>, scope: &Scope, sha256: &Sha256, now: Timestamp) -> Result<()> {
    if touch(tx, scope, std::slice::from_ref(sha256), now)? == 1 { Ok(()) } else { Err(Error::not_found("blob")) }
}

fn stored(scope: &Scope, blob: &Blob, now: Timestamp) -> StoredBlobRow {
    StoredBlobRow::from(&StoredBlob {
        organization: scope.organization().clone(),
        sha256: blob.sha256,
        size_bytes: blob.size_bytes,
        chunks: blob.chunks.clone(),
        created_at: now,
        used_at: now,
    })
}

/// Returns the blobs among these hashes that the organization has, to be shared by all that name them.
pub(crate) fn by_hash(conn: &mut DbConn, scope: &Scope, hashes: &[Sha256]) -> Result<BTreeMap<Sha256, Arc<Blob>>> {
    Ok(find_many(conn, scope, hashes)?.into_iter().map(|blob| (blob.sha256, Arc::new(blob))).collect())
}

/// Returns the blobs among these hashes that the organization has, in the order of hashes, each once. What others have is not
/// shown: asking by hash must not tell what they store.
pub fn find_many(conn: &mut DbConn, scope: &Scope, hashes: &[Sha256]) -> Result<Vec<Blob>> {
    let mut wanted = hashes.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::with_capacity(wanted.len());
    for part in wanted.chunks(IN_LIST_MAX) {
        let part: Vec<Vec<u8>> = part.iter().map(Sha256::to_sql).collect();
        let rows: Vec<StoredBlobRow> = db!(conn, |c| {
            blob::table
                .filter(blob::organization.eq(scope.as_str()))
                .filter(blob::sha256.eq_any(part))
                .order(blob::sha256)
                .select(StoredBlobRow::as_select())
                .load(c)
        })?;
        for row in rows {
            found.push(StoredBlob::try_from(row)?.into());
        }
    }
    Ok(found)
}

/// Returns one of the organization's blobs.
pub fn get(conn: &mut DbConn, scope: &Scope, sha256: &Sha256) -> Result<Blob> {
    find_many(conn, scope, &[*sha256])?.pop().ok_or(Error::not_found("blob"))
}
