//! This file's job is to remember how bundles were compiled.

use crate::column::row;
use crate::dialect::db;
use crate::schema::bundle_build;
use crate::{DbConn, Result, Scope, Tx, bundles};
use diesel::prelude::*;
use domain::id::BundleId;
use domain::{Sha256, Timestamp};

row! {
    /// How a bundle's launch file was compiled, as whoever published it says.
    pub struct BundleBuild as BundleBuildRow in bundle_build {
        /// The bundle.
        pub bundle: BundleId,
        /// The compiler with its version.
        pub compiler: String,
        /// What it was told.
        pub flags: Vec<String>,
        /// Digest of the launch file whose strings keep their numbers.
        pub base_sha256: Option<Sha256>,
        /// When it was said.
        pub created_at: Timestamp,
    }
}

/// Remembers how a bundle was compiled; what is said last counts.
pub fn set(tx: &mut Tx<'_>, scope: &Scope, row: &BundleBuild) -> Result<()> {
    bundles::get(tx, scope, &row.bundle)?;
    let stored = BundleBuildRow::from(row);
    db!(tx, |c| {
        diesel::insert_into(bundle_build::table)
            .values(&stored)
            .on_conflict(bundle_build::bundle)
            .do_update()
            .set((
                bundle_build::compiler.eq(&stored.compiler),
                bundle_build::flags.eq(&stored.flags),
                bundle_build::base_sha256.eq(&stored.base_sha256),
                bundle_build::created_at.eq(stored.created_at),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Returns how a bundle was compiled; none when nobody said.
pub fn find(conn: &mut DbConn, scope: &Scope, bundle: &BundleId) -> Result<Option<BundleBuild>> {
    bundles::get(conn, scope, bundle)?;
    let found: Option<BundleBuildRow> = db!(conn, |c| {
        bundle_build::table.find(bundle.as_str()).select(BundleBuildRow::as_select()).first(c).optional()
    })?;
    found.map(TryInto::try_into).transpose()
}
