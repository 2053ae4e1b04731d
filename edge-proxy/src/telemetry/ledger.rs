//! This file's job is to keep what was counted, on disk and within a bound, until the control plane has added it, once.
//!
//! Numbers are collected under what they are about. A batch is taken out of them and numbered, and is kept as it is until the control plane
//! has answered for it; only then the next one is taken. So the control plane needs to remember one number of each ledger, and whatever
//! dies in between, a batch is added once. Events that the spool has no room for end here as numbers, too.

mod file;

use super::counts::Counted;
use crate::durable;
use crate::meters::Meters;
use domain::tally::{Amount, TallyKey};
use parking_lot::Mutex;
use proto::convert::tally_to_wire;
use proto::v1;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The contract's limit for one batch.
pub(crate) const BATCH_MAX_ROWS: usize = 5_000;
/// Some releases of some thousand channels; the file stays below 10 MB. What finds no row of its own is counted without one.
const ROWS_MAX: usize = 50_000;

/// Numbers on their way to the control plane.
pub(crate) struct Ledger {
    path: PathBuf,
    inner: Mutex<Inner>,
    meters: Arc<Meters>,
}

struct Inner {
    book: Book,
    /// The file has something else.
    dirty: bool,
    /// The file belongs to the next edge.
    closed: bool,
    rows_max: usize,
}

/// What the file has.
#[derive(Debug, Clone, PartialEq, Default)]
struct Book {
    /// A random name.
    ledger: u64,
    /// The number of the batch that was taken out last.
    sequence: u64,
    /// That batch, until it is answered for.
    claimed: Option<Claimed>,
    open: BTreeMap<TallyKey, Amount>,
    /// What found no row.
    open_other_times: u64,
    /// The newest part of the spool whose events were counted here in their place.
    counted: Part,
}

/// What a batch brings.
#[derive(Debug, Clone, PartialEq, Default)]
struct Claimed {
    tallies: Vec<v1::Tally>,
    other_times: u64,
}

/// Events of one segment of the spool, up to an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// Segments are numbered from 1.
    pub(crate) segment: u64,
    pub(crate) end: u64,
}

impl Part {
    /// All that is left of a segment.
    pub(crate) const fn rest_of(segment: u64) -> Self {
        Self { segment, end: u64::MAX }
    }
}

/// A batch with its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberedBatch {
    pub(crate) ledger: u64,
    pub(crate) sequence: u64,
    pub(crate) tallies: Vec<v1::Tally>,
    pub(crate) other_times: u64,
}

impl Ledger {
    /// Opens the ledger. Blocks. A file that cannot be read is lost: a new ledger is begun.
    pub(crate) fn open(path: PathBuf, meters: Arc<Meters>) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let book = match file::read(&path)? {
            Some(book) => book,
            None => Book { ledger: u64::from_be_bytes(runtime::random::bytes()) >> 1, ..Book::default() },
        };
        let inner = Inner { book, dirty: true, closed: false, rows_max: ROWS_MAX };
        let ledger = Self { path, inner: Mutex::new(inner), meters };
        ledger.write(&mut ledger.inner.lock())?;
        Ok(ledger)
    }

    /// Adds what was counted. Blocks. When this fails, the numbers are kept in memory and written with the next ones.
    pub(crate) fn add(&self, counted: Counted) -> io::Result<()> {
        let mut inner = self.inner.lock();
        self.merge(&mut inner, counted);
        self.write(&mut inner)
    }

    /// Counts events in the place of a part of the spool, however often it is asked to. Blocks.
    pub(crate) fn replace_events(&self, part: Part, keys: impl IntoIterator<Item = TallyKey>) -> io::Result<()> {
        let mut inner = self.inner.lock();
        if inner.book.counted != part {
            let once = |key| (key, Amount { times: 1, bytes: 0 });
            let counted = Counted { amounts: keys.into_iter().map(once).collect(), other_times: 0 };
            self.merge(&mut inner, counted);
            inner.book.counted = part;
            inner.dirty = true;
        }
        self.write(&mut inner)
    }

    /// Returns the newest part of the spool whose events were counted in its place: they must not be sent any more.
    pub(crate) fn counted(&self) -> Part {
        self.inner.lock().book.counted
    }

    /// Returns the next batch, which is on disk; the same one again until [`Self::sent`] is called, also after a restart. Blocks.
    pub(crate) fn claim(&self) -> io::Result<Option<NumberedBatch>> {
        let mut inner = self.inner.lock();
        let book = &mut inner.book;
        if book.claimed.is_none() && (!book.open.is_empty() || book.open_other_times > 0) {
            let last = book.open.keys().nth(BATCH_MAX_ROWS).cloned();
            let rest = last.map(|last| book.open.split_off(&last)).unwrap_or_default();
            let taken = std::mem::replace(&mut book.open, rest);
            book.claimed = Some(Claimed {
                tallies: taken.iter().map(|(key, amount)| tally_to_wire(key, *amount)).collect(),
                other_times: std::mem::take(&mut book.open_other_times),
            });
            book.sequence += 1;
            inner.dirty = true;
        }
        self.write(&mut inner)?;
        let Book { ledger, sequence, ref claimed, .. } = inner.book;
        Ok(claimed.clone().map(|Claimed { tallies, other_times }| NumberedBatch {
            ledger,
            sequence,
            tallies,
            other_times,
        }))
    }

    /// The control plane has added the batch. What forgets this sends it again, which does no harm.
    pub(crate) fn sent(&self, sequence: u64) {
        let mut inner = self.inner.lock();
        if inner.book.sequence == sequence {
            inner.book.claimed = None;
            inner.dirty = true;
        }
        self.note_rows(&inner);
    }

    /// Adds what was counted last, and writes nothing any more. Blocks.
    pub(crate) fn close(&self, counted: Counted) -> io::Result<()> {
        let written = self.add(counted);
        self.inner.lock().closed = true;
        written
    }

    fn merge(&self, inner: &mut Inner, counted: Counted) {
        let Counted { amounts, other_times } = counted;
        let mut folded = other_times;
        inner.dirty |= !amounts.is_empty() || other_times > 0;
        for (key, amount) in amounts {
            if inner.book.open.len() >= inner.rows_max && !inner.book.open.contains_key(&key) {
                folded = folded.saturating_add(amount.times);
            } else {
                *inner.book.open.entry(key).or_default() += amount;
            }
        }
        self.meters.events.tallies_folded.inc_by(folded);
        inner.book.open_other_times = inner.book.open_other_times.saturating_add(folded);
        self.note_rows(inner);
    }

    fn note_rows(&self, inner: &Inner) {
        let rows = inner.book.open.len() + inner.book.claimed.as_ref().map_or(0, |claimed| claimed.tallies.len());
        self.meters.events.tallies_waiting.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    fn write(&self, inner: &mut Inner) -> io::Result<()> {
        if inner.closed {
            return Err(io::Error::other("the edge is stopping"));
        }
        if inner.dirty {
            durable::replace(&self.path, &[&file::encode(&inner.book)])?;
            inner.dirty = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
