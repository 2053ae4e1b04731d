//! This file's job is to remember which states of channels edges use, and which they refused.

use crate::column::{Column as _, INSERT_ROWS_MAX};
use crate::dialect::db;
use crate::schema::{channel, edge, edge_channel};
use crate::{DbConn, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{ChannelId, EdgeId};
use domain::snapshot::{ChannelKey, SnapshotVersion};
use std::collections::{BTreeMap, BTreeSet};

/// Edges that are looked at for one channel; more are no installation that this was made for.
const EDGES_MAX: i64 = 10_000;

/// Rows that [`put`] takes at once.
pub const ROWS_MAX: usize = INSERT_ROWS_MAX;

/// What an edge said of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The edge.
    pub edge: EdgeId,
    /// The channel.
    pub key: ChannelKey,
    /// The newest state that is in use there; none before the first.
    pub acked: Option<SnapshotVersion>,
    /// The newest state whose bytes are all on its disk; none before the first.
    pub ready: Option<SnapshotVersion>,
    /// The state that it refused, and why.
    pub refused: Option<(SnapshotVersion, String)>,
}

/// How far an edge has come with a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The edge.
    pub edge: EdgeId,
    /// When it last came by.
    pub last_seen_at: Timestamp,
    /// The newest state that is in use there; the oldest possible before the first.
    pub acked: SnapshotVersion,
    /// The newest state whose bytes are all on its disk; the oldest possible before the first.
    pub ready: SnapshotVersion,
    /// The newest state that it refused; the oldest possible when it refused none.
    pub refused: SnapshotVersion,
    /// Why.
    pub refused_reason: String,
}

#[derive(Insertable)]
#[diesel(table_name = edge_channel)]
struct Row<'a> {
    channel: &'a str,
    edge: &'a str,
    acked_epoch: i64,
    acked_version: i64,
    refused_epoch: i64,
    refused_version: i64,
    refused_reason: &'a str,
    ready_epoch: i64,
    ready_version: i64,
}

const NEVER: SnapshotVersion = SnapshotVersion { epoch: 0, version: 0 };

/// Notes what edges said, at most [`ROWS_MAX`] words, each in the place of the edge's word before. Words about channels that are gone are
/// left out, as are those of unknown edges, which are returned. Fails when another replica notes a word of the same edge about the same channel: try again.
pub fn put(tx: &mut Tx<'_>, words: &[Word]) -> Result<BTreeSet<EdgeId>> {
    let words = &words[..words.len().min(ROWS_MAX)];
    let (edges, channels) = (known_edges(tx, words)?, known_channels(tx, words)?);
    // One row for each edge and channel, the last word: one statement cannot change a row twice.
    let mut rows = BTreeMap::new();
    for word in words {
        let Some(channel) = channels.get(&(word.key.app.to_string(), word.key.channel.to_string())) else { continue };
        if edges.contains(word.edge.as_str()) {
            rows.insert((channel.as_str(), word.edge.as_str()), row(channel, word));
        }
    }
    let is_unknown = |word: &&Word| !edges.contains(word.edge.as_str());
    let unknown = words.iter().filter(is_unknown).map(|word| word.edge.clone()).collect();
    if rows.is_empty() {
        return Ok(unknown);
    }
    let mut spoken: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (channel, edge) in rows.keys() {
        spoken.entry(edge).or_default().push(channel);
    }
    for (edge, channels) in spoken {
        let before = edge_channel::table.filter(edge_channel::edge.eq(edge));
        db!(tx, |c| diesel::delete(before.filter(edge_channel::channel.eq_any(&channels))).execute(c))?;
    }
    let rows: Vec<Row<'_>> = rows.into_values().collect();
    db!(tx, |c| diesel::insert_into(edge_channel::table).values(&rows).execute(c))?;
    Ok(unknown)
}

/// Lists how far the edges have come that follow the channel and came by since then, by id. Not scoped: the caller has the channel from a
/// scoped verb.
pub fn list(conn: &mut DbConn, channel: &ChannelId, since: Timestamp) -> Result<Vec<Standing>> {
    type Stored = (String, i64, (i64, i64), (i64, i64), (i64, i64), String);
    let rows: Vec<Stored> = db!(conn, |c| {
        edge_channel::table
            .inner_join(edge::table)
            .filter(edge_channel::channel.eq(channel.as_str()))
            .filter(edge::last_seen_at.ge(since.as_us()))
            .order(edge::id)
            .limit(EDGES_MAX)
            .select((
                edge::id,
                edge::last_seen_at,
                (edge_channel::acked_epoch, edge_channel::acked_version),
                (edge_channel::ready_epoch, edge_channel::ready_version),
                (edge_channel::refused_epoch, edge_channel::refused_version),
                edge_channel::refused_reason,
            ))
            .load(c)
    })?;
    let version = |(epoch, version)| {
        Ok::<_, crate::Error>(SnapshotVersion { epoch: u64::from_sql(epoch)?, version: u64::from_sql(version)? })
    };
    let standing = |(edge, seen, acked, ready, refused, refused_reason)| {
        Ok(Standing {
            edge: EdgeId::from_sql(edge)?,
            last_seen_at: Timestamp::from_us(seen),
            acked: version(acked)?,
            ready: version(ready)?,
            refused: version(refused)?,
            refused_reason,
        })
    };
    rows.into_iter().map(standing).collect()
}

fn row<'a>(channel: &'a str, word: &'a Word) -> Row<'a> {
    let (acked, ready) = (word.acked.unwrap_or(NEVER), word.ready.unwrap_or(NEVER));
    let (refused, refused_reason) = word.refused.as_ref().map_or((NEVER, ""), |(version, why)| (*version, why));
    Row {
        channel,
        edge: word.edge.as_str(),
        acked_epoch: acked.epoch.to_sql(),
        acked_version: acked.version.to_sql(),
        refused_epoch: refused.epoch.to_sql(),
        refused_version: refused.version.to_sql(),
        refused_reason,
        ready_epoch: ready.epoch.to_sql(),
        ready_version: ready.version.to_sql(),
    }
}

fn known_edges(tx: &mut Tx<'_>, words: &[Word]) -> Result<BTreeSet<String>> {
    let ids: BTreeSet<&str> = words.iter().map(|word| word.edge.as_str()).collect();
    let known: Vec<String> = db!(tx, |c| edge::table.filter(edge::id.eq_any(&ids)).select(edge::id).load(c))?;
    Ok(known.into_iter().collect())
}

/// Returns the ids of the channels by app and name.
fn known_channels(tx: &mut Tx<'_>, words: &[Word]) -> Result<BTreeMap<(String, String), String>> {
    let apps: BTreeSet<&str> = words.iter().map(|word| word.key.app.as_str()).collect();
    let names: BTreeSet<&str> = words.iter().map(|word| word.key.channel.as_str()).collect();
    let known: Vec<(String, String, String)> = db!(tx, |c| {
        channel::table
            .filter(channel::app.eq_any(&apps))
            .filter(channel::name.eq_any(&names))
            .select((channel::app, channel::name, channel::id))
            .load(c)
    })?;
    Ok(known.into_iter().map(|(app, name, id)| ((app, name), id)).collect())
}
