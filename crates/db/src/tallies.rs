//! This file's job is to add up what devices do: what edges counted, each batch once, and the events that they handed in one by one.

use crate::column::{Column as _, INSERT_ROWS_MAX};
use crate::dialect::db;
use crate::schema::{edge_ledger, tally};
use crate::{DbConn, Result, Tx, apps};
use diesel::prelude::*;
use diesel::upsert::excluded;
use domain::Sha256;
use domain::id::{AppId, EdgeId, ReleaseId};
use domain::tally::{Amount, Measure, TallyKey};
use std::collections::{BTreeMap, BTreeSet};

/// What an edge counted since the batch before. It sends a batch again until it is answered for, and none meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TallyBatch {
    /// The edge.
    pub edge: EdgeId,
    /// The file that the numbers were kept in.
    pub ledger: u64,
    /// Grows by one with each batch of the ledger.
    pub sequence: u64,
    /// The numbers.
    pub tallies: BTreeMap<TallyKey, Amount>,
    /// What was counted without saying of what.
    pub other_times: u64,
}

#[derive(Insertable)]
#[diesel(table_name = tally, treat_none_as_default_value = false)]
struct Row<'a> {
    app: &'a str,
    release: &'a str,
    bundle: &'a [u8],
    channel: &'a str,
    measure: String,
    times: i64,
    bytes: i64,
}

/// Adds a batch, unless it has been added already, which is false. Numbers about apps that do not exist are dropped: an edge's word is not
/// trusted.
pub fn add(tx: &mut Tx<'_>, batch: &TallyBatch) -> Result<bool> {
    if !move_on(tx, batch)? {
        return Ok(false);
    }
    let named: BTreeSet<AppId> = batch.tallies.keys().map(|key| key.app.clone()).collect();
    let known = apps::known(tx, &named)?;
    let rows = batch.tallies.iter().filter(|(key, _)| known.contains(&key.app));
    add_rows(tx, rows)?;
    Ok(true)
}

/// Adds numbers about apps that exist, in the order of their keys, so that two transactions cannot wait for each other.
pub(crate) fn add_rows<'a>(tx: &mut Tx<'_>, numbers: impl Iterator<Item = (&'a TallyKey, &'a Amount)>) -> Result<()> {
    let rows: Vec<_> = numbers.map(row).collect();
    for part in rows.chunks(INSERT_ROWS_MAX) {
        db!(tx, |c| {
            diesel::insert_into(tally::table)
                .values(part)
                .on_conflict((tally::app, tally::release, tally::bundle, tally::channel, tally::measure))
                .do_update()
                .set((
                    tally::times.eq(tally::times + excluded(tally::times)),
                    tally::bytes.eq(tally::bytes + excluded(tally::bytes)),
                ))
                .execute(c)
        })?;
    }
    Ok(())
}

/// Moves the ledger on to the batch; false when it is there. The row is locked until the transaction ends, so the same batch waits.
fn move_on(tx: &mut Tx<'_>, batch: &TallyBatch) -> Result<bool> {
    let (ledger, sequence) = (batch.ledger.to_sql(), batch.sequence.to_sql());
    db!(tx, |c| {
        diesel::insert_into(edge_ledger::table)
            .values((
                edge_ledger::edge.eq(batch.edge.as_str()),
                edge_ledger::ledger.eq(ledger),
                edge_ledger::sequence.eq(0_i64),
                edge_ledger::other_times.eq(0_i64),
            ))
            .on_conflict_do_nothing()
            .execute(c)
    })?;
    let row = edge_ledger::table.find((batch.edge.as_str(), ledger)).filter(edge_ledger::sequence.lt(sequence));
    let moved = db!(tx, |c| {
        diesel::update(row)
            .set((
                edge_ledger::sequence.eq(sequence),
                edge_ledger::other_times.eq(edge_ledger::other_times + batch.other_times.to_sql()),
            ))
            .execute(c)
    })?;
    Ok(moved == 1)
}

fn row<'a>((key, amount): (&'a TallyKey, &Amount)) -> Row<'a> {
    Row {
        app: key.app.as_str(),
        release: key.release.as_ref().map_or("", ReleaseId::as_str),
        bundle: key.bundle.as_ref().map_or(&[], |hash| hash.as_bytes()),
        channel: key.channel.as_ref().map_or("", domain::ChannelName::as_str),
        measure: key.measure.to_string(),
        times: amount.times.to_sql(),
        bytes: amount.bytes.to_sql(),
    }
}

/// Numbers by what was counted.
pub type Sums = BTreeMap<Measure, Amount>;

/// Returns what devices did with each of the releases of an app; nothing for those with which they did nothing. Not scoped: the caller has the
/// releases from a scoped verb.
pub fn of_releases(conn: &mut DbConn, app: &AppId, releases: &[ReleaseId]) -> Result<BTreeMap<ReleaseId, Sums>> {
    let named: Vec<&str> = releases.iter().map(ReleaseId::as_str).collect();
    let none: &[u8] = &[];
    let rows: Vec<(String, String, i64, i64)> = db!(conn, |c| {
        tally::table
            .filter(tally::app.eq(app.as_str()))
            .filter(tally::release.eq_any(&named))
            .filter(tally::bundle.eq(none))
            .select((tally::release, tally::measure, tally::times, tally::bytes))
            .load(c)
    })?;
    let rows = rows.into_iter().map(|(release, measure, times, bytes)| Ok((release.parse()?, measure, times, bytes)));
    sum(rows)
}

/// Returns what devices downloaded of each of the bundles of an app; nothing for those of which they downloaded nothing. Not scoped: the caller
/// has the bundles from a scoped verb.
pub fn of_bundles(conn: &mut DbConn, app: &AppId, bundles: &[Sha256]) -> Result<BTreeMap<Sha256, Sums>> {
    let named: Vec<&[u8]> = bundles.iter().map(|hash| &hash.as_bytes()[..]).collect();
    let rows: Vec<(Vec<u8>, String, i64, i64)> = db!(conn, |c| {
        tally::table
            .filter(tally::app.eq(app.as_str()))
            .filter(tally::release.eq(""))
            .filter(tally::bundle.eq_any(&named))
            .select((tally::bundle, tally::measure, tally::times, tally::bytes))
            .load(c)
    })?;
    let rows =
        rows.into_iter().map(|(bundle, measure, times, bytes)| Ok((Sha256::from_sql(bundle)?, measure, times, bytes)));
    sum(rows)
}

/// Adds up what was counted in several channels.
fn sum<K: Ord>(rows: impl Iterator<Item = Result<(K, String, i64, i64)>>) -> Result<BTreeMap<K, Sums>> {
    let mut sums: BTreeMap<K, Sums> = BTreeMap::new();
    for row in rows {
        let (key, measure, times, bytes) = row?;
        let amount = Amount { times: u64::from_sql(times)?, bytes: u64::from_sql(bytes)? };
        *sums.entry(key).or_default().entry(measure.parse()?).or_default() += amount;
    }
    Ok(sums)
}

/// Returns what the edge counted without saying of what.
pub fn other_times(conn: &mut DbConn, edge: &EdgeId) -> Result<u64> {
    let numbers: Vec<i64> = db!(conn, |c| {
        edge_ledger::table.filter(edge_ledger::edge.eq(edge.as_str())).select(edge_ledger::other_times).load(c)
    })?;
    u64::from_sql(numbers.into_iter().fold(0, i64::saturating_add))
}
