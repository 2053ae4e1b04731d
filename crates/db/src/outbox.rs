//! This file's job is to keep hints about which channels changed.
//!
//! The truth is `channel.snapshot_version`, which moves in the same transaction as the change; the outbox only says that looking is
//! worth while. On PostgreSQL numbers are given out before the commit, so a reader may see 12 before 11 and must not use the
//! largest number as a cursor. Readers therefore compare the whole [`Head`], which also moves when a late row shows up, and then
//! compare the versions of the channels that they care about ([`crate::snapshots::versions`]): nothing is missed whatever the order.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::outbox;
use crate::{ChangeKind, DbConn, Result, Tx, feed};
use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;
use domain::id::AppId;
use domain::snapshot::ChannelKey;
use domain::{ChannelName, Timestamp};

row! {
    /// One hint.
    pub struct Change as ChangeRow in outbox {
        /// Its number; unique, growing, with gaps, not always visible in order.
        pub seq: i64,
        /// What happened.
        pub kind: ChangeKind,
        /// The channel's app.
        pub app: AppId,
        /// The channel's name.
        pub channel: ChannelName,
        /// When.
        pub at: Timestamp,
    }
}

/// The state of the outbox as a whole. When two are equal, nothing was committed between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    first: i64,
    last: i64,
    count: i64,
}

/// Leaves a hint, tells those who watch, and wakes subscribers after the commit.
pub(crate) fn append(tx: &mut Tx<'_>, kind: ChangeKind, key: &ChannelKey, now: Timestamp) -> Result<()> {
    db!(tx, |c| {
        diesel::insert_into(outbox::table)
            .values((
                outbox::kind.eq(kind.as_str()),
                outbox::app.eq(key.app.as_str()),
                outbox::channel.eq(key.channel.as_str()),
                outbox::at.eq(now.to_sql()),
            ))
            .execute(c)
    })?;
    tx.note_change();
    feed::note_channel(tx, &key.app, &key.channel, now)
}

/// Returns the state of the outbox, to compare with an earlier one. Trimming moves `first`, a late row moves `count`.
pub fn head(conn: &mut DbConn) -> Result<Head> {
    let (first, last, count): (Option<i64>, Option<i64>, i64) =
        db!(conn, |c| { outbox::table.select((min(outbox::seq), max(outbox::seq), count_star())).first(c) })?;
    Ok(Head { first: first.unwrap_or(0), last: last.unwrap_or(0), count })
}

/// Lists hints after a number, for people and metrics. Not a reliable feed; see the module's text.
pub fn list_after(conn: &mut DbConn, seq: i64, limit: u32) -> Result<Vec<Change>> {
    let rows: Vec<ChangeRow> = db!(conn, |c| {
        outbox::table
            .filter(outbox::seq.gt(seq))
            .order(outbox::seq)
            .limit(page(limit))
            .select(ChangeRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Deletes hints from before the time and returns how many there were.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(outbox::table).filter(outbox::at.lt(before.as_us())).execute(c))?)
}
