//! This file's job is to take blobs from organizations that need them no more.
//!
//! A blob is needed by the files, patches, packages, compressed forms, descriptions and source maps of the organization's bundles, and by whoever came to need it of
//! late: each verb that refers to a blob touches it first ([`crate::blobs::touch`]). A touch and a removal wait for each other, and the
//! one that comes second sees what the first did: a touched blob stays, and a removed one is not referred to. Its bytes are the store's
//! business; see [`crate::condemned`].

use crate::column::{Column as _, page};
use crate::dialect::db;
use crate::schema::{
    app, blob, bundle, bundle_contents, bundle_file, bundle_source_map, delta, package, package_diff, variant,
};
use crate::{DbConn, Result, Tx};
use diesel::prelude::*;
use domain::id::OrganizationId;
use domain::{Sha256, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a blob stays after something last came to need it. An upload that names it may be under way, or be tried again by an operator
/// for a week after it failed.
pub const UNUSED_KEPT: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// An organization's blob.
pub type Place = (OrganizationId, Sha256);

/// What one step of a sweep did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many blobs were taken from their organizations.
    pub taken: usize,
    /// Where to go on; none at the end.
    pub next: Option<Place>,
}

type Stored = (String, Vec<u8>);

/// Looks at up to `limit` blobs behind a place, and takes those from their organization that nothing of it refers to and nothing has come
/// to need since [`UNUSED_KEPT`].
pub fn take(tx: &mut Tx<'_>, after: Option<&Place>, limit: u32, now: Timestamp) -> Result<Step> {
    let before = now.minus(UNUSED_KEPT).as_us();
    let seen: Vec<(String, Vec<u8>, i64)> = match after {
        None => db!(tx, |c| {
            blob::table
                .order((blob::organization, blob::sha256))
                .limit(page(limit))
                .select((blob::organization, blob::sha256, blob::used_at))
                .load(c)
        })?,
        Some((organization, sha256)) => db!(tx, |c| {
            let behind = blob::organization
                .gt(organization.as_str())
                .or(blob::organization.eq(organization.as_str()).and(blob::sha256.gt(sha256.as_bytes().as_slice())));
            blob::table
                .filter(behind)
                .order((blob::organization, blob::sha256))
                .limit(page(limit))
                .select((blob::organization, blob::sha256, blob::used_at))
                .load(c)
        })?,
    };
    let next = match seen.last() {
        Some((organization, sha256, _)) if seen.len() == limit as usize => {
            Some((OrganizationId::from_sql(organization.clone())?, Sha256::from_sql(sha256.clone())?))
        }
        Some(_) | None => None,
    };
    let old: Vec<Stored> =
        seen.into_iter().filter(|(_, _, used_at)| *used_at < before).map(|(o, s, _)| (o, s)).collect();
    let referred = referred(tx, &old)?;
    let mut taken = 0;
    for (organization, sha256) in old.iter().filter(|place| !referred.contains(*place)) {
        // Asked again: on PostgreSQL somebody may just have touched it.
        taken += db!(tx, |c| {
            diesel::delete(blob::table.find((organization, sha256))).filter(blob::used_at.lt(before)).execute(c)
        })?;
    }
    Ok(Step { taken, next })
}

/// Returns which of the blobs something of their organization refers to. Every table that names a blob is asked.
fn referred(conn: &mut DbConn, places: &[Stored]) -> Result<BTreeSet<Stored>> {
    let hashes: Vec<&Vec<u8>> = places.iter().map(|(_, sha256)| sha256).collect();
    let mut referred: BTreeSet<Stored> = BTreeSet::new();
    macro_rules! ask {
        ($table:ident, $bundle:ident, $column:ident) => {
            referred.extend(db!(conn, |c| {
                $table::table
                    .inner_join(bundle::table.on(bundle::id.eq($table::$bundle)))
                    .inner_join(app::table.on(app::id.eq(bundle::app)))
                    .filter($table::$column.eq_any(&hashes))
                    .select((app::organization, $table::$column))
                    .distinct()
                    .load::<Stored>(c)
            })?)
        };
    }
    ask!(bundle_file, bundle, sha256);
    ask!(delta, to_bundle, blob_sha256);
    ask!(bundle_contents, bundle, sha256);
    ask!(bundle_source_map, bundle, sha256);
    ask!(package, bundle, blob_sha256);
    ask!(package_diff, to_bundle, blob_sha256);
    // A compressed form goes when its blob does.
    let forms: Vec<Stored> = db!(conn, |c| {
        variant::table
            .filter(variant::blob_sha256.eq_any(&hashes))
            .select((variant::organization, variant::blob_sha256))
            .load(c)
    })?;
    referred.extend(forms);
    Ok(referred)
}
