//! This file's job is to remember the source maps of bundles, which no snapshot ever shows.

use crate::column::{Column as _, row};
use crate::dialect::db;
use crate::schema::bundle_source_map;
use crate::{DbConn, Error, Result, Scope, Tx, blobs, bundles};
use diesel::prelude::*;
use domain::id::BundleId;
use domain::{Sha256, Timestamp};

row! {
    /// The source map of a bundle's launch file.
    pub struct SourceMap as SourceMapRow in bundle_source_map {
        /// The bundle.
        pub bundle: BundleId,
        /// The path under which it was uploaded.
        pub path: String,
        /// The private blob.
        pub sha256: Sha256,
        /// Its size.
        pub size_bytes: u64,
        /// When it came.
        pub created_at: Timestamp,
    }
}

/// Sets a bundle's source map; `FailedPrecondition` when the organization lacks the blob.
pub fn set(tx: &mut Tx<'_>, scope: &Scope, row: &SourceMap) -> Result<()> {
    bundles::get(tx, scope, &row.bundle)?;
    if blobs::touch(tx, scope, &[row.sha256], row.created_at)? != 1 {
        return Err(Error::FailedPrecondition { rule: "the source map has no stored blob" });
    }
    let stored = SourceMapRow::from(row);
    db!(tx, |c| {
        diesel::insert_into(bundle_source_map::table)
            .values(&stored)
            .on_conflict(bundle_source_map::bundle)
            .do_update()
            .set((
                bundle_source_map::path.eq(&stored.path),
                bundle_source_map::sha256.eq(&stored.sha256),
                bundle_source_map::size_bytes.eq(stored.size_bytes),
                bundle_source_map::created_at.eq(row.created_at.to_sql()),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Returns a bundle's source map.
pub fn find(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> Result<Option<SourceMap>> {
    bundles::get(conn, scope, bundle)?;
    let found = db!(conn, |c| {
        bundle_source_map::table.find(bundle.as_str()).select(SourceMapRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}
