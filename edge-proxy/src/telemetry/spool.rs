//! This file's job is to keep events on disk until the control plane has taken them, within a bound.
//!
//! An event is acknowledged once it is written to the current segment: it survives the end of the process at once, and a power cut
//! after at most [`SYNC_EVERY`]. A new process begins a new segment, so (segment, offset) never names two different batches.
//!
//! Events for which there is no room are counted in the [`Ledger`] instead. An event is handed in or counted, never both: what is on its way
//! to the control plane is not dropped, and what was dropped is not sent.

use super::ledger::{Ledger, Part};
use super::segment::{self, Batch};
use crate::durable;
use crate::meters::Meters;
use domain::tally::TallyKey;
use domain::telemetry::Event;
use parking_lot::Mutex;
use proto::convert::{event_from_wire, event_to_wire};
use proto::v1::TelemetryEvent;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Small enough that dropping the oldest one loses little.
pub(crate) const SEGMENT_MAX_BYTES: u64 = 4 << 20;
/// How long a power cut can reach back.
pub(crate) const SYNC_EVERY: Duration = Duration::from_secs(1);
/// The contract's limit for one batch.
pub(crate) const BATCH_MAX_EVENTS: usize = 1_000;

const SUFFIX: &str = "events";
/// Which batch is on its way, as `segment start end` in decimal: sent again after a restart exactly as before.
const POSITION: &str = "position";
const POSITION_MAX_BYTES: u64 = 128;

/// Events on their way to the control plane.
pub(crate) struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    inner: Mutex<Inner>,
    /// Held while the position is written. True when the folder belongs to the next edge.
    gate: Mutex<bool>,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
    /// Told when there is something to send.
    pub(crate) filled: Notify,
}

struct Inner {
    /// Sizes of all segments in bytes, by number; the last one is written to.
    segments: BTreeMap<u64, u64>,
    current: u64,
    file: Arc<File>,
    dirty: bool,
    /// No more events are taken.
    closed: bool,
    position: Position,
}

/// The batch that is sent next: the events between two offsets of a segment. `end` is zero while it is open how far it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Position {
    segment: u64,
    start: u64,
    end: u64,
}

/// A batch with its name.
pub(crate) struct Outgoing {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) batch: Batch,
}

impl Spool {
    /// Opens the spool. Blocks. Segments that cannot be read are skipped when their turn comes.
    pub(crate) fn open(folder: PathBuf, max_bytes: u64, ledger: Arc<Ledger>, meters: Arc<Meters>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if let Some(number) = name.strip_suffix(SUFFIX).and_then(|name| name.strip_suffix('.')?.parse().ok()) {
                segments.insert(number, entry.metadata()?.len());
            }
        }
        let counted = ledger.counted();
        if segments.contains_key(&counted.segment) && counted == Part::rest_of(counted.segment) {
            // The edge died before it could.
            fs::remove_file(path_of(&folder, counted.segment))?;
            segments.remove(&counted.segment);
        }
        let position = read_position(&folder.join(POSITION));
        let newest = segments.keys().next_back().copied().unwrap_or(0).max(position.segment).max(counted.segment);
        let current = newest + 1;
        let file = Arc::new(create(&folder, current)?);
        segments.insert(current, 0);
        let inner = Mutex::new(Inner { segments, current, file, dirty: false, closed: false, position });
        let gate = Mutex::new(false);
        let spool = Self { folder, max_bytes, inner, gate, ledger, meters, filled: Notify::new() };
        spool.note_size(&spool.inner.lock());
        spool.filled.notify_one();
        Ok(spool)
    }

    /// Adds the events; none of them is taken when this fails.
    pub(crate) async fn append(self: &Arc<Self>, events: Vec<Event>) -> io::Result<()> {
        let spool = self.clone();
        durable::blocking(move || spool.append_now(&events)).await
    }

    pub(super) fn append_now(&self, events: &[Event]) -> io::Result<()> {
        let mut buffer = Vec::new();
        events.iter().for_each(|event| segment::encode(&event_to_wire(event), &mut buffer));
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(io::Error::other("the edge is stopping"));
        }
        let mut offset = inner.segments.get(&inner.current).copied().unwrap_or(0);
        if offset > 0 && offset + buffer.len() as u64 > SEGMENT_MAX_BYTES {
            self.rotate(&mut inner)?;
            offset = 0;
        }
        if let Err(error) = inner.file.write_all_at(&buffer, offset) {
            // What was written lies behind the end that we know, and is written over or cut off by its checksum.
            tracing::error!(%error, "cannot write events to disk");
            return Err(error);
        }
        inner.dirty = true;
        let current = inner.current;
        inner.segments.insert(current, offset + buffer.len() as u64);
        self.meters.events.taken.inc_by(events.len() as u64);
        self.drop_oldest(&mut inner);
        self.note_size(&inner);
        drop(inner);
        self.filled.notify_one();
        Ok(())
    }

    fn rotate(&self, inner: &mut Inner) -> io::Result<()> {
        let next = inner.current + 1;
        let file = create(&self.folder, next)?;
        inner.file.sync_data()?;
        inner.file = Arc::new(file);
        inner.current = next;
        inner.segments.insert(next, 0);
        Ok(())
    }

    /// Makes room: what is oldest and not on its way is counted instead.
    fn drop_oldest(&self, inner: &mut Inner) {
        while inner.segments.values().sum::<u64>() > self.max_bytes {
            let on_its_way = (inner.position.end > 0).then_some(inner.position.segment);
            let mut others = inner.segments.iter().filter(|(number, _)| Some(**number) != on_its_way);
            let Some((&oldest, &size_bytes)) = others.next().filter(|(number, _)| **number != inner.current) else {
                return;
            };
            let sent = if inner.position.segment == oldest { inner.position.start } else { 0 };
            let events = File::open(self.path(oldest))
                .and_then(|file| segment::read(&file, sent, size_bytes, usize::MAX))
                .map_or(Vec::new(), |batch| batch.events);
            tracing::error!(
                segment = oldest,
                events = events.len(),
                "the spool is full: the oldest events are counted only"
            );
            self.count(Part::rest_of(oldest), &events);
            inner.segments.remove(&oldest);
            self.delete(oldest);
        }
    }

    /// Counts events that will not be handed in. A full disk has room for the numbers once the events are gone.
    fn count(&self, part: Part, events: &[TelemetryEvent]) {
        self.meters.events.dropped_full.inc_by(events.len() as u64);
        if let Err(error) = self.ledger.replace_events(part, events.iter().filter_map(key_of)) {
            tracing::error!(%error, "what was counted is not on disk yet");
        }
    }

    /// Returns the next batch to send; the same one again until [`Self::sent`] is called, also after a restart. Blocks.
    pub(crate) fn next(&self) -> io::Result<Option<Outgoing>> {
        loop {
            let (position, size_bytes) = {
                let mut inner = self.inner.lock();
                let Some((&oldest, _)) = inner.segments.iter().next() else { return Ok(None) };
                if inner.position.segment != oldest {
                    inner.position = Position { segment: oldest, ..Position::default() };
                }
                (inner.position, inner.segments[&oldest])
            };
            let end = if position.end > 0 { position.end.min(size_bytes) } else { size_bytes };
            let read = File::open(self.path(position.segment))
                .and_then(|file| segment::read(&file, position.start, end, BATCH_MAX_EVENTS));
            let batch = match read {
                Ok(batch) => batch,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Batch::default(),
                Err(error) => return Err(error),
            };
            if batch.events.is_empty() {
                if self.retire(position)? {
                    continue;
                }
                return Ok(None);
            }
            if let Some(outgoing) = self.claim(position, batch)? {
                return Ok(Some(outgoing));
            }
        }
    }

    /// Fixes how far the batch reaches before it is sent for the first time. None when it has been dropped meanwhile.
    fn claim(&self, position: Position, batch: Batch) -> io::Result<Option<Outgoing>> {
        let claimed = Position { end: batch.end, ..position };
        {
            // From here on nothing drops it.
            let mut inner = self.inner.lock();
            if !inner.segments.contains_key(&position.segment) {
                return Ok(None);
            }
            inner.position = claimed;
        }
        self.write_position(claimed)?;
        Ok(Some(Outgoing { segment: position.segment, offset: position.start, batch }))
    }

    /// Deletes the segment when nothing more can come; false while it is the one that is written to.
    fn retire(&self, position: Position) -> io::Result<bool> {
        let mut inner = self.inner.lock();
        if position.segment == inner.current {
            return Ok(false);
        }
        let size_bytes = inner.segments.remove(&position.segment).unwrap_or(0);
        if size_bytes > position.start {
            tracing::error!(segment = position.segment, bytes = size_bytes - position.start, "events are damaged");
            self.meters.events.dropped_damaged.inc();
        }
        self.delete(position.segment);
        self.note_size(&inner);
        Ok(true)
    }

    /// The control plane has taken the batch. Blocks.
    pub(crate) fn sent(&self, outgoing: &Outgoing) -> io::Result<()> {
        let next = Position { segment: outgoing.segment, start: outgoing.batch.end, end: 0 };
        self.write_position(next)?;
        let mut inner = self.inner.lock();
        if inner.position.segment == outgoing.segment {
            inner.position = next;
        }
        self.note_size(&inner);
        Ok(())
    }

    /// The control plane will never take the batch: its events are counted instead. Blocks.
    pub(crate) fn refused(&self, outgoing: &Outgoing) -> io::Result<()> {
        let part = Part { segment: outgoing.segment, end: outgoing.batch.end };
        self.count(part, &outgoing.batch.events);
        self.sent(outgoing)
    }

    /// Makes what was written survive a power cut. Blocks.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let file = {
            let mut inner = self.inner.lock();
            if !std::mem::take(&mut inner.dirty) {
                return Ok(());
            }
            inner.file.clone()
        };
        file.sync_data()
    }

    /// Lets nothing be written any more, and makes what was written survive a power cut. Blocks.
    pub(crate) fn close(&self) -> io::Result<()> {
        *self.gate.lock() = true;
        self.inner.lock().closed = true;
        self.sync()
    }

    /// Returns the size of all events that wait, in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        let inner = self.inner.lock();
        waiting_bytes(&inner)
    }

    fn note_size(&self, inner: &Inner) {
        self.meters.events.queue_bytes.set(i64::try_from(waiting_bytes(inner)).unwrap_or(i64::MAX));
    }

    fn write_position(&self, position: Position) -> io::Result<()> {
        let is_closed = self.gate.lock();
        if *is_closed {
            return Err(io::Error::other("the edge is stopping"));
        }
        let text = format!("{} {} {}", position.segment, position.start, position.end);
        durable::replace(&self.folder.join(POSITION), &[text.as_bytes()])
    }

    fn delete(&self, number: u64) {
        if let Err(error) = durable::absent_is_fine(fs::remove_file(self.path(number))) {
            tracing::error!(segment = number, %error, "cannot delete a spool segment");
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        path_of(&self.folder, number)
    }
}

fn path_of(folder: &std::path::Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{SUFFIX}"))
}

/// Returns what an event is counted under; none for one that the control plane would not take.
fn key_of(event: &TelemetryEvent) -> Option<TallyKey> {
    event_from_wire(event.clone()).ok().map(|event| TallyKey::of_event(&event))
}

fn waiting_bytes(inner: &Inner) -> u64 {
    let all: u64 = inner.segments.values().sum();
    all.saturating_sub(if inner.segments.contains_key(&inner.position.segment) { inner.position.start } else { 0 })
}

fn create(folder: &std::path::Path, number: u64) -> io::Result<File> {
    let path = path_of(folder, number);
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
    durable::sync_folder_of(&path)?;
    Ok(file)
}

/// A position that cannot be read means "from the beginning": the control plane knows the events already.
fn read_position(path: &std::path::Path) -> Position {
    let text = durable::read(path, POSITION_MAX_BYTES).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    let numbers: Option<Vec<u64>> = text.unwrap_or_default().split(' ').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[segment, start, end]) => Position { segment, start, end },
        Some(_) | None => Position::default(),
    }
}

#[cfg(test)]
mod tests;
