//! This file's job is to read and write the compressed forms of blobs.

use crate::column::{Column as _, IN_LIST_MAX, all, row};
use crate::dialect::db;
use crate::schema::variant;
use crate::{DbConn, Error, Result, Scope, Tx, blobs, bundles, channels};
use diesel::prelude::*;
use domain::bundle::Coding;
use domain::id::{BundleId, OrganizationId};
use domain::job::DeltaEffort;
use domain::{Sha256, Timestamp};
use std::collections::BTreeSet;

/// The compressed form of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Digest of the blob.
    pub sha256: Sha256,
    /// How it is compressed.
    pub coding: Coding,
    /// How hard it was tried.
    pub effort: DeltaEffort,
    /// Digest of the compressed bytes.
    pub blob_sha256: Sha256,
}

row! {
    /// A stored form.
    pub(crate) struct StoredVariant as StoredVariantRow in variant {
        pub organization: OrganizationId,
        pub sha256: Sha256,
        pub coding: Coding,
        pub effort: DeltaEffort,
        pub blob_sha256: Sha256,
        pub created_at: Timestamp,
    }
}

impl From<StoredVariant> for Variant {
    fn from(stored: StoredVariant) -> Self {
        let StoredVariant { sha256, coding, effort, blob_sha256, .. } = stored;
        Self { sha256, coding, effort, blob_sha256 }
    }
}

/// Adds forms of blobs that the bundle's files are, or replaces those of the same coding, and touches the channels that offer the bundle. The
/// organization must have the blobs. Other bundles with the same files show them when their channels change next.
pub fn apply(tx: &mut Tx<'_>, scope: &Scope, bundle: &BundleId, rows: &[Variant], now: Timestamp) -> Result<()> {
    let files: BTreeSet<Sha256> = bundles::files(tx, scope, bundle)?.into_iter().map(|file| file.sha256).collect();
    for row in rows {
        if !files.contains(&row.sha256) {
            return Err(Error::FailedPrecondition { rule: "a compressed form is of a file of the bundle" });
        }
        blobs::need(tx, scope, &row.blob_sha256, now)?;
        store(tx, scope, row, now)?;
    }
    if rows.is_empty() { Ok(()) } else { channels::touch_offering(tx, bundle, now) }
}

fn store(tx: &mut Tx<'_>, scope: &Scope, row: &Variant, now: Timestamp) -> Result<()> {
    let stored = StoredVariantRow::from(&StoredVariant {
        organization: scope.organization().clone(),
        sha256: row.sha256,
        coding: row.coding,
        effort: row.effort,
        blob_sha256: row.blob_sha256,
        created_at: now,
    });
    db!(tx, |c| {
        diesel::insert_into(variant::table)
            .values(&stored)
            .on_conflict((variant::organization, variant::sha256, variant::coding))
            .do_update()
            .set((
                variant::effort.eq(&stored.effort),
                variant::blob_sha256.eq(&stored.blob_sha256),
                variant::created_at.eq(stored.created_at),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Lists the forms of these blobs of the organization, in the order of hashes and codings.
pub fn list_for(conn: &mut DbConn, scope: &Scope, hashes: &[Sha256]) -> Result<Vec<Variant>> {
    let wanted: BTreeSet<&Sha256> = hashes.iter().collect();
    let wanted: Vec<Vec<u8>> = wanted.into_iter().map(Sha256::to_sql).collect();
    let mut found = Vec::new();
    for part in wanted.chunks(IN_LIST_MAX) {
        let rows: Vec<StoredVariantRow> = db!(conn, |c| {
            variant::table
                .filter(variant::organization.eq(scope.as_str()))
                .filter(variant::sha256.eq_any(part))
                .order((variant::sha256, variant::coding))
                .select(StoredVariantRow::as_select())
                .load(c)
        })?;
        found.extend(all::<_, StoredVariant>(rows)?.into_iter().map(Variant::from));
    }
    Ok(found)
}

/// Gives another organization the forms of these blobs, which it must have, with their blobs.
pub(crate) fn copy(tx: &mut Tx<'_>, from: &Scope, to: &Scope, hashes: &[Sha256], now: Timestamp) -> Result<()> {
    let known: BTreeSet<(Sha256, Coding)> =
        list_for(tx, to, hashes)?.into_iter().map(|variant| (variant.sha256, variant.coding)).collect();
    let mut missing = list_for(tx, from, hashes)?;
    missing.retain(|variant| !known.contains(&(variant.sha256, variant.coding)));
    let compressed: Vec<Sha256> = missing.iter().map(|variant| variant.blob_sha256).collect();
    let compressed = blobs::find_many(tx, from, &compressed)?;
    blobs::insert_missing(tx, to, &compressed, now)?;
    missing.iter().try_for_each(|variant| store(tx, to, variant, now))
}
