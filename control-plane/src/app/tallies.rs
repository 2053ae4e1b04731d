//! This file's job is to add up what edges count, once.

use crate::context::Context;
use crate::error::{Error, Result};
use db::tallies::TallyBatch;
use domain::tally::{Amount, TallyKey};
use proto::v1;
use runtime::failpoint::crash_at;
use std::collections::BTreeMap;

/// An edge sends at most so many numbers at once.
const TALLIES_MAX: usize = 5_000;
/// Databases have signed numbers only.
const LEDGER_MAX: u64 = i64::MAX as u64;

/// Adds a batch, however often it comes. Numbers that break a rule are left out: sending them again would not mend them.
///
/// # Errors
/// Invalid argument when the batch as a whole breaks a rule.
pub async fn add(context: &Context, request: v1::PushTalliesRequest) -> Result<v1::PushTalliesResponse> {
    if request.tallies.len() > TALLIES_MAX {
        return Err(Error::field("tallies", format!("must be at most {TALLIES_MAX}")));
    }
    if request.ledger > LEDGER_MAX {
        return Err(Error::field("ledger", "must be at most 2^63 - 1"));
    }
    if request.sequence == 0 {
        return Err(Error::field("sequence", "must be at least 1"));
    }
    let mut tallies: BTreeMap<TallyKey, Amount> = BTreeMap::new();
    for tally in &request.tallies {
        match proto::convert::tally_from_wire(tally) {
            Ok((key, amount)) => *tallies.entry(key).or_default() += amount,
            Err(error) => tracing::warn!(%error, edge = request.edge_id, "a number breaks a rule and is left out"),
        }
    }
    let batch = TallyBatch {
        edge: request.edge_id.parse().map_err(Error::in_field("edge_id"))?,
        ledger: request.ledger,
        sequence: request.sequence,
        tallies,
        other_times: request.other_times,
    };
    let is_new = context.db.write(move |tx| db::tallies::add(tx, &batch)).await?;
    crash_at("control-plane.tallies-added");
    Ok(v1::PushTalliesResponse { repeated: !is_new })
}
