//! This file's job is to carry notes between the processes of one PostgreSQL database, on a connection of their own.
//!
//! NOTIFY never runs inside a transaction that does work: commits that notify queue for one lock of the whole database.

use super::libpq::Connection;
use super::{Notes, Signals};
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

const CHANNEL: &str = "aloft";
/// The least time between two NOTIFYs of one process.
const NOTIFY_PAUSE: Duration = Duration::from_millis(2);
/// How long to wait before connecting again. Pollers bridge the gap.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Wakes this process's notifier; dropped, it ends it.
pub(super) struct Bell(UnixStream);

impl Bell {
    /// Starts the notifier. It connects by itself, again and again.
    pub(super) fn hang(url: &str, signals: &Arc<Signals>) -> std::io::Result<Self> {
        let (rope, bell) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        let carrier = Carrier { url: url.to_owned(), bell, signals: Arc::downgrade(signals) };
        std::thread::Builder::new().name("aloft-notify".into()).spawn(move || carrier.run())?;
        Ok(Self(rope))
    }

    pub(super) fn ring(&self) {
        // A full pipe has been rung already.
        let _rung = (&self.0).write(&[1]);
    }
}

/// What a look at the bell found.
#[derive(PartialEq, Eq)]
enum Rope {
    Hangs,
    Gone,
}

struct Carrier {
    url: String,
    bell: UnixStream,
    signals: Weak<Signals>,
}

impl Carrier {
    fn run(&self) {
        let mut is_first = true;
        loop {
            match self.carry(is_first) {
                Ok(()) => return,
                Err(error) => tracing::warn!(error = ?error, "database notifications interrupted"),
            }
            is_first = false;
            let until = Instant::now() + RECONNECT_PAUSE;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if self.wait(None, Some(left)).is_err() || self.look() == Rope::Gone {
                    return;
                }
            }
        }
    }

    /// Carries notes both ways until the last holder of the bell is gone.
    fn carry(&self, is_first: bool) -> Result<()> {
        let mut conn = Connection::open(&self.url)?;
        conn.execute(&format!("SET application_name = 'aloft-notify'; LISTEN {CHANNEL}"))?;
        if !is_first {
            // Whatever happened meanwhile was not heard.
            self.fire(Notes::ALL);
        }
        let mut told_at: Option<Instant> = None;
        loop {
            let Some(signals) = self.signals.upgrade() else { return Ok(()) };
            let pause = told_at.map_or(Duration::ZERO, |at| NOTIFY_PAUSE.saturating_sub(at.elapsed()));
            let must_wait = if pause.is_zero() {
                let notes = signals.take_pending();
                if notes != Notes::default() {
                    conn.execute(&format!("NOTIFY {CHANNEL}, '{}'", notes.0))?;
                    told_at = Some(Instant::now());
                }
                None
            } else {
                Some(pause)
            };
            drop(signals);
            self.hear(&mut conn)?;
            self.wait(Some(&conn), must_wait).map_err(|error| Error::away(error.to_string()))?;
            if self.look() == Rope::Gone {
                return Ok(());
            }
            self.hear(&mut conn)?;
        }
    }

    /// Fires for what other processes told.
    fn hear(&self, conn: &mut Connection) -> Result<()> {
        let mut heard = Notes::default();
        for notification in conn.notifications()? {
            // This process was told when it committed.
            if notification.process_id != conn.process_id() {
                heard.0 |= notification.payload.parse().unwrap_or(Notes::ALL.0);
            }
        }
        self.fire(heard);
        Ok(())
    }

    fn fire(&self, notes: Notes) {
        if let Some(signals) = self.signals.upgrade() {
            signals.fire(notes);
        }
    }

    /// Sleeps until the server or the bell has something, or the time is over.
    fn wait(&self, conn: Option<&Connection>, limit: Option<Duration>) -> std::io::Result<()> {
        let limit = limit.map(Timespec::try_from).transpose().map_err(std::io::Error::other)?;
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
        let socket = conn.map(Connection::socket).transpose()?;
        if let Some(socket) = &socket {
            watched.push(PollFd::new(socket, PollFlags::IN));
        }
        match poll(&mut watched, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Empties the bell.
    fn look(&self) -> Rope {
        let mut rings = [0; 64];
        loop {
            match (&self.bell).read(&mut rings) {
                Ok(0) => return Rope::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Rope::Hangs,
            }
        }
    }
}
