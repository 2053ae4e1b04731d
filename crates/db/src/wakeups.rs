//! This file's job is to tell sleepers that a committed transaction left them something to do.

use crate::dialect::{self, Place};
use crate::error::Result;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::{PgConnection, QueryableByName};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::watch;

/// How often the PostgreSQL connection is looked at, and the least time between two NOTIFYs of one process.
const BEAT: Duration = Duration::from_millis(2);
/// How long to wait before connecting again. Pollers bridge the gap.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);
const CHANNEL_CHANGES: &str = "aloft_changes";
const CHANNEL_JOBS: &str = "aloft_jobs";

/// What one transaction has to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// A channel's snapshot has a new version.
    pub(crate) changes: bool,
    /// A job became ready.
    pub(crate) jobs: bool,
}

impl Notes {
    fn bits(self) -> u8 {
        u8::from(self.changes) | (u8::from(self.jobs) << 1)
    }

    fn from_bits(bits: u8) -> Self {
        Self { changes: bits & 1 != 0, jobs: bits & 2 != 0 }
    }
}

/// Signals that fire after a commit, in this process and (on PostgreSQL) in all others. They save waiting, they promise nothing:
/// a subscriber must poll as well, say once a second.
#[derive(Clone)]
pub struct Wakeups {
    shared: Arc<Shared>,
}

struct Shared {
    changes: watch::Sender<u64>,
    jobs: watch::Sender<u64>,
    /// Notes that other processes have not been told yet.
    pending: AtomicU8,
    doorbell: Option<SyncSender<()>>,
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
    /// Makes the signals and, for PostgreSQL, starts the thread that carries them between processes. It ends with the last clone.
    pub(crate) fn start(place: &Place) -> Self {
        let (doorbell, rings) = match place {
            Place::Sqlite(_) => (None, None),
            Place::Postgres(url) => {
                let (sender, receiver) = sync_channel(1);
                (Some(sender), Some((receiver, url.clone())))
            }
        };
        let (changes, jobs) = (watch::Sender::new(0), watch::Sender::new(0));
        let carried = (changes.clone(), jobs.clone());
        let shared = Arc::new(Shared { changes, jobs, pending: AtomicU8::new(0), doorbell });
        if let Some((rings, url)) = rings {
            let weak = Arc::downgrade(&shared);
            let take = move || weak.upgrade().map_or(0, |shared| shared.pending.swap(0, Ordering::AcqRel));
            let fire = move |notes| fire(&carried.0, &carried.1, notes);
            let spawned = std::thread::Builder::new()
                .name("aloft-notify".into())
                .spawn(move || carry(&url, &rings, &take, &fire));
            if let Err(error) = spawned {
                tracing::warn!(%error, "no thread for database notifications; pollers will find changes");
            }
        }
        Self { shared }
    }

    /// Subscribes to new channel versions.
    #[must_use]
    pub fn changes(&self) -> Wake {
        Wake { receiver: self.shared.changes.subscribe() }
    }

    /// Subscribes to jobs that became ready.
    #[must_use]
    pub fn jobs(&self) -> Wake {
        Wake { receiver: self.shared.jobs.subscribe() }
    }

    /// Fires for a transaction that has just been committed.
    pub(crate) fn committed(&self, notes: Notes) {
        if notes == Notes::default() {
            return;
        }
        fire(&self.shared.changes, &self.shared.jobs, notes);
        if let Some(doorbell) = &self.shared.doorbell {
            self.shared.pending.fetch_or(notes.bits(), Ordering::AcqRel);
            // A full doorbell has been rung already; a broken one leaves it to the pollers.
            let _rung = doorbell.try_send(());
        }
    }
}

fn fire(changes: &watch::Sender<u64>, jobs: &watch::Sender<u64>, notes: Notes) {
    if notes.changes {
        changes.send_modify(|count| *count = count.wrapping_add(1));
    }
    if notes.jobs {
        jobs.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Carries notes both ways until the doorbell's last holder is gone. NOTIFY runs on this connection and never inside a
/// transaction that does work: commits that notify queue for one lock of the whole database.
fn carry(url: &str, rings: &Receiver<()>, take: &dyn Fn() -> u8, fire: &dyn Fn(Notes)) {
    let mut interrupted = false;
    loop {
        match listen(url, rings, interrupted, take, fire) {
            Ok(()) => return,
            Err(error) => tracing::warn!(error = ?error, "database notifications interrupted"),
        }
        let until = std::time::Instant::now() + RECONNECT_DELAY;
        while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
            if rings.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
        interrupted = true;
    }
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pid: i32,
}

fn listen(
    url: &str,
    rings: &Receiver<()>,
    interrupted: bool,
    take: &dyn Fn() -> u8,
    fire: &dyn Fn(Notes),
) -> Result<()> {
    let mut conn: PgConnection = dialect::open_postgres(url)?;
    conn.batch_execute(&format!("LISTEN {CHANNEL_CHANGES}; LISTEN {CHANNEL_JOBS}"))?;
    let own = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result::<Backend>(&mut conn)?.pid;
    if interrupted {
        // Whatever happened meanwhile was not heard.
        fire(Notes { changes: true, jobs: true });
    }
    loop {
        if rings.recv_timeout(BEAT) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }
        let told = Notes::from_bits(take());
        if told.changes {
            conn.batch_execute(&format!("NOTIFY {CHANNEL_CHANGES}"))?;
        }
        if told.jobs {
            conn.batch_execute(&format!("NOTIFY {CHANNEL_JOBS}"))?;
        }
        let mut heard = Notes::default();
        for notification in conn.notifications_iter() {
            let notification = notification?;
            // This process was told when it committed.
            if notification.process_id != own {
                heard.changes |= notification.channel == CHANNEL_CHANGES;
                heard.jobs |= notification.channel == CHANNEL_JOBS;
            }
        }
        fire(heard);
    }
}
