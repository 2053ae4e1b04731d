//! This file's job is to read and write what is known of the inside of bundles.

use crate::column::{Column as _, row};
use crate::dialect::db;
use crate::schema::bundle_contents;
use crate::{DbConn, Error, Result, Scope, Tx, blobs, bundles};
use diesel::prelude::*;
use domain::id::BundleId;
use domain::{Sha256, Timestamp};

row! {
    /// Where the description of a bundle's inside is, and what a list shows of it.
    pub struct Contents as ContentsRow in bundle_contents {
        /// The bundle.
        pub bundle: BundleId,
        /// The private blob that has everything.
        pub sha256: Sha256,
        /// Its size.
        pub size_bytes: u64,
        /// Modules of the launch file; 0 when they are not known.
        pub module_count: u32,
        /// Functions of the bytecode.
        pub function_count: Option<u32>,
        /// Images whose size in pixels is known.
        pub image_count: u32,
        /// When it was found out.
        pub created_at: Timestamp,
    }
}

/// Sets what is known of a bundle; `FailedPrecondition` when the organization lacks the blob.
pub fn set(tx: &mut Tx<'_>, scope: &Scope, row: &Contents) -> Result<()> {
    bundles::get(tx, scope, &row.bundle)?;
    if blobs::touch(tx, scope, &[row.sha256], row.created_at)? != 1 {
        return Err(Error::FailedPrecondition { rule: "what is known of the bundle has no stored blob" });
    }
    let stored = ContentsRow::from(row);
    db!(tx, |c| {
        diesel::insert_into(bundle_contents::table)
            .values(&stored)
            .on_conflict(bundle_contents::bundle)
            .do_update()
            .set((
                bundle_contents::sha256.eq(&stored.sha256),
                bundle_contents::size_bytes.eq(stored.size_bytes),
                bundle_contents::module_count.eq(stored.module_count),
                bundle_contents::function_count.eq(stored.function_count),
                bundle_contents::image_count.eq(stored.image_count),
                bundle_contents::created_at.eq(row.created_at.to_sql()),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Returns what is known of a bundle; none for one that came before anything was kept.
pub fn find(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> Result<Option<Contents>> {
    bundles::get(conn, scope, bundle)?;
    let found = db!(conn, |c| {
        bundle_contents::table.find(bundle.as_str()).select(ContentsRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}
