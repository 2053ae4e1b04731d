//! This file's job is to read and write the patches between bundles.

use crate::column::{IN_LIST_MAX, all, row};
use crate::dialect::db;
use crate::schema::delta;
use crate::{DbConn, Error, Result, Scope, Tx, blobs, bundles, channels};
use diesel::prelude::*;
use domain::id::BundleId;
use domain::{Sha256, Timestamp};

row! {
    /// A blob that makes the launch file of one bundle from that of another.
    pub struct Delta as DeltaRow in delta {
        /// The bundle that devices have.
        pub from_bundle: BundleId,
        /// The bundle that they get.
        pub to_bundle: BundleId,
        /// The patch's format, for instance `dcz`.
        pub format: String,
        /// Digest of the launch file that the patch applies to.
        pub base_sha256: Sha256,
        /// Digest of the patch.
        pub blob_sha256: Sha256,
        /// When it was made.
        pub created_at: Timestamp,
    }
}

/// Adds a delta, whose blob the organization must have, or replaces the one of the same bundles and format, and touches the channels
/// that offer its target. Says whether that changed anything.
pub fn apply(tx: &mut Tx<'_>, scope: &Scope, row: &Delta) -> Result<bool> {
    let from = bundles::get(tx, scope, &row.from_bundle)?;
    let to = bundles::get(tx, scope, &row.to_bundle)?;
    if from.app != to.app || from.platform != to.platform {
        return Err(Error::FailedPrecondition { rule: "a delta joins two bundles of one app and platform" });
    }
    blobs::need(tx, scope, &row.blob_sha256, row.created_at)?;
    let known = list_for(tx, std::slice::from_ref(&row.to_bundle))?;
    let is_same = |other: &Delta| other.from_bundle == row.from_bundle && other.format == row.format;
    if known.iter().any(|other| is_same(other) && other.blob_sha256 == row.blob_sha256) {
        return Ok(false);
    }
    let stored = DeltaRow::from(row);
    db!(tx, |c| {
        diesel::insert_into(delta::table)
            .values(&stored)
            .on_conflict((delta::to_bundle, delta::from_bundle, delta::format))
            .do_update()
            .set((
                delta::base_sha256.eq(&stored.base_sha256),
                delta::blob_sha256.eq(&stored.blob_sha256),
                delta::created_at.eq(stored.created_at),
            ))
            .execute(c)
    })?;
    channels::touch_offering(tx, &row.to_bundle, row.created_at)?;
    Ok(true)
}

/// Lists the deltas that lead to one of these bundles. Not scoped: for snapshots, and callers that have the bundles already.
pub fn list_for(conn: &mut DbConn, to_bundles: &[BundleId]) -> Result<Vec<Delta>> {
    let mut found = Vec::new();
    for part in to_bundles.chunks(IN_LIST_MAX) {
        let ids = part.iter().map(BundleId::as_str);
        let rows: Vec<DeltaRow> = db!(conn, |c| {
            delta::table
                .filter(delta::to_bundle.eq_any(ids))
                .order((delta::to_bundle, delta::from_bundle, delta::format))
                .select(DeltaRow::as_select())
                .load(c)
        })?;
        found.extend(all::<_, Delta>(rows)?);
    }
    Ok(found)
}
