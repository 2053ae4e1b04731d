//! This file's job is to say what devices downloaded of bundles.

use crate::error::Result;
use db::DbConn;
use db::tallies::Sums;
use domain::Sha256;
use domain::id::AppId;
use domain::tally::{Amount, Measure, Product};
use std::collections::BTreeMap;

/// What devices downloaded of a bundle.
pub type Served = Vec<(Product, Amount)>;

/// Returns what the app's devices downloaded of the bundles, in every channel; nothing for those of which they downloaded nothing.
///
/// # Errors
/// Those of the database.
pub fn served(conn: &mut DbConn, app: &AppId, bundles: &[Sha256]) -> Result<BTreeMap<Sha256, Served>> {
    let products = |sums: Sums| {
        let products = sums.into_iter().filter_map(|(measure, amount)| match measure {
            Measure::Served(product) => Some((product, amount)),
            Measure::Check(_) | Measure::Event(_) => None,
        });
        products.collect()
    };
    let counted = db::tallies::of_bundles(conn, app, bundles)?;
    Ok(counted.into_iter().map(|(bundle, sums)| (bundle, products(sums))).collect())
}

/// Returns the bytes of everything that was downloaded.
#[must_use]
pub fn bytes(served: &Served) -> u64 {
    served.iter().map(|(_, amount)| amount.bytes).fold(0, u64::saturating_add)
}
