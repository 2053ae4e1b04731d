//! This file's job is to say what devices downloaded of a bundle.

use crate::error::Result;
use db::DbConn;
use domain::Sha256;
use domain::id::AppId;
use domain::tally::{Amount, Measure, Product};

/// What devices downloaded of a bundle.
pub type Served = Vec<(Product, Amount)>;

/// Returns what the app's devices downloaded of the bundle, in every channel.
///
/// # Errors
/// Those of the database.
pub fn served(conn: &mut DbConn, app: &AppId, bundle: Option<&Sha256>) -> Result<Served> {
    let Some(bundle) = bundle else { return Ok(Served::new()) };
    let counted = db::tallies::of_bundle(conn, app, bundle)?;
    let products = counted.into_iter().filter_map(|(measure, amount)| match measure {
        Measure::Served(product) => Some((product, amount)),
        Measure::Check(_) | Measure::Event(_) => None,
    });
    Ok(products.collect())
}
