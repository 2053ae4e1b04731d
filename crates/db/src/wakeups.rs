//! This file's job is to tell sleepers that a committed transaction left them something to do.

mod libpq;
mod postgres;
mod sqlite;

use crate::dialect::Place;
use domain::job::Tier;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::watch;

/// What one transaction has to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Notes(u8);

impl Notes {
    const CHANGES: u8 = 1;
    const EVENTS: u8 = 2;
    /// The first of one bit for each tier.
    const JOBS: u8 = 4;
    /// Something of everything, for listeners that may have missed some.
    const ALL: Self = Self(Self::CHANGES | Self::EVENTS | (Self::JOBS * 0b1111));

    /// A channel's snapshot has a new version.
    pub(crate) fn add_change(&mut self) {
        self.0 |= Self::CHANGES;
    }

    /// An organization's feed has a new event.
    pub(crate) fn add_event(&mut self) {
        self.0 |= Self::EVENTS;
    }

    /// A job of the tier became ready, or will at a time that workers must know.
    pub(crate) fn add_job(&mut self, tier: Tier) {
        self.0 |= Self::JOBS << tier.number();
    }
}

/// Signals that fire after a commit, in this process and in all others on the same database. They save waiting, they promise nothing:
/// a subscriber must poll as well, say once a second.
#[derive(Clone)]
pub struct Wakeups {
    signals: Arc<Signals>,
    bell: Option<Arc<Bell>>,
}

/// How other processes are told.
enum Bell {
    Postgres(postgres::Bell),
    Sqlite(sqlite::Bell),
}

/// This process's ends of the signals.
struct Signals {
    changes: watch::Sender<u64>,
    events: watch::Sender<u64>,
    jobs: [watch::Sender<u64>; Tier::ALL.len()],
    /// Notes that other processes have not been told yet.
    pending: AtomicU8,
}

impl Signals {
    fn fire(&self, notes: Notes) {
        let ring = |sender: &watch::Sender<u64>| sender.send_modify(|count| *count = count.wrapping_add(1));
        if notes.0 & Notes::CHANGES != 0 {
            ring(&self.changes);
        }
        if notes.0 & Notes::EVENTS != 0 {
            ring(&self.events);
        }
        for (number, jobs) in self.jobs.iter().enumerate() {
            if notes.0 & (Notes::JOBS << number) != 0 {
                ring(jobs);
            }
        }
    }

    /// Takes what other processes have not been told.
    fn take_pending(&self) -> Notes {
        Notes(self.pending.swap(0, Ordering::AcqRel))
    }
}

/// One subscriber's end of a signal. Nothing that fired after it was made is lost, several firings may count as one.
pub struct Wake {
    receiver: watch::Receiver<u64>,
}

impl Wake {
    /// Waits until the signal fires; returns at once when it has fired since the last call.
    pub async fn wait(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The database was dropped: nothing will ever come.
            std::future::pending::<()>().await;
        }
    }

    /// Says whether the signal has fired since the last call, without waiting.
    pub fn fired(&mut self) -> bool {
        let fired = self.receiver.has_changed().unwrap_or(false);
        if fired {
            self.receiver.mark_unchanged();
        }
        fired
    }
}

impl Wakeups {
    pub(crate) fn start(place: &Place) -> Self {
        let sender = || watch::Sender::new(0);
        let signals = Arc::new(Signals {
            changes: sender(),
            events: sender(),
            jobs: std::array::from_fn(|_| sender()),
            pending: AtomicU8::new(0),
        });
        let bell = match place {
            Place::Postgres(url) => postgres::Bell::hang(url, &signals).map(Bell::Postgres),
            Place::Sqlite(path) => sqlite::Bell::hang(path, &signals).map(Bell::Sqlite),
        };
        let bell = bell.inspect_err(|error| {
            tracing::warn!(%error, "other processes cannot be woken; their pollers will find changes");
        });
        Self { signals, bell: bell.ok().map(Arc::new) }
    }

    /// Subscribes to new channel versions.
    #[must_use]
    pub fn changes(&self) -> Wake {
        Wake { receiver: self.signals.changes.subscribe() }
    }

    /// Subscribes to new events of organizations' feeds.
    #[must_use]
    pub fn events(&self) -> Wake {
        Wake { receiver: self.signals.events.subscribe() }
    }

    /// Subscribes to jobs of the tier that became ready.
    #[must_use]
    pub fn jobs(&self, tier: Tier) -> Wake {
        let [p0, p1, p2, p3] = &self.signals.jobs;
        let jobs = match tier {
            Tier::P0 => p0,
            Tier::P1 => p1,
            Tier::P2 => p2,
            Tier::P3 => p3,
        };
        Wake { receiver: jobs.subscribe() }
    }

    /// Fires for a transaction that has just been committed.
    pub(crate) fn committed(&self, notes: Notes) {
        if notes == Notes::default() {
            return;
        }
        self.signals.fire(notes);
        match self.bell.as_deref() {
            // Only the first note since the last NOTIFY needs to wake the notifier.
            Some(Bell::Postgres(bell)) if self.signals.pending.fetch_or(notes.0, Ordering::AcqRel) == 0 => bell.ring(),
            Some(Bell::Postgres(_)) => {}
            Some(Bell::Sqlite(bell)) => bell.ring(notes),
            None => {}
        }
    }
}
