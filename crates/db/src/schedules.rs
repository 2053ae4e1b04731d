//! This file's job is to let one process at a time do the work that comes round again.
//!
//! Each kind of such work has a row with a lease. Whoever takes the lease of a row that is due does the work once; if it is lost, another
//! takes over when the lease lapses. The work must bear being done twice: the fence only keeps a late holder from writing the row.

use crate::column::{Column as _, row};
use crate::dialect::db;
use crate::schema::schedule;
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::WorkerId;
use std::time::Duration;

row! {
    /// One kind of work that comes round again.
    pub struct Schedule as ScheduleRow in schedule {
        /// Its stable name.
        pub name: String,
        /// Who does it now.
        pub worker: Option<WorkerId>,
        /// When whoever does it is believed to be lost.
        pub lease_until: Option<Timestamp>,
        /// Grows with each turn.
        pub fence: u64,
        /// When the next turn begins.
        pub due_at: Timestamp,
        /// When the last turn ended well.
        pub done_at: Option<Timestamp>,
        /// Why the last turn failed; none when it did not.
        pub error: Option<String>,
    }
}

/// The right to do the work once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    name: String,
    worker: WorkerId,
    fence: u64,
}

/// Lists every kind of work that was done before, by name.
pub fn list(conn: &mut DbConn) -> Result<Vec<Schedule>> {
    let rows: Vec<ScheduleRow> =
        db!(conn, |c| schedule::table.order(schedule::name).select(ScheduleRow::as_select()).load(c))?;
    crate::column::all(rows)
}

/// Takes the turn if the work is due and nobody does it. `lease` bounds how long a turn may last.
pub fn take(tx: &mut Tx<'_>, name: &str, worker: &WorkerId, lease: Duration, now: Timestamp) -> Result<Option<Turn>> {
    db!(tx, |c| {
        diesel::insert_into(schedule::table)
            .values((schedule::name.eq(name), schedule::fence.eq(0_i64), schedule::due_at.eq(now.as_us())))
            .on_conflict(schedule::name)
            .do_nothing()
            .execute(c)
    })?;
    let fence: Option<i64> = db!(tx, |c| {
        diesel::update(schedule::table.find(name))
            .filter(schedule::due_at.le(now.as_us()))
            .filter(schedule::lease_until.is_null().or(schedule::lease_until.le(now.as_us())))
            .set((
                schedule::worker.eq(worker.as_str()),
                schedule::lease_until.eq(now.plus(lease).as_us()),
                schedule::fence.eq(schedule::fence + 1),
            ))
            .returning(schedule::fence)
            .get_result(c)
            .optional()
    })?;
    fence
        .map(|fence| Ok(Turn { name: name.to_owned(), worker: worker.clone(), fence: u64::from_sql(fence)? }))
        .transpose()
}

/// Ends a turn; the next one is due at `due_at`. [`Error::StaleLease`] when another has taken over.
pub fn finish(tx: &mut Tx<'_>, turn: &Turn, error: Option<&str>, due_at: Timestamp, now: Timestamp) -> Result<()> {
    let changed = db!(tx, |c| {
        diesel::update(schedule::table.find(&turn.name))
            .filter(schedule::fence.eq(turn.fence.to_sql()).and(schedule::worker.eq(turn.worker.as_str())))
            .set((
                schedule::worker.eq(None::<&str>),
                schedule::lease_until.eq(None::<i64>),
                schedule::due_at.eq(due_at.as_us()),
                // None leaves the last success as it is.
                error.is_none().then(|| schedule::done_at.eq(now.as_us())),
                schedule::error.eq(error),
            ))
            .execute(c)
    })?;
    if changed == 1 { Ok(()) } else { Err(Error::StaleLease) }
}
