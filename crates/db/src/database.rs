//! This file's job is to open a database and to run transactions on it.

use crate::dialect::{self, Durability, Place};
use crate::error::{Error, Result};
use crate::feed;
use crate::pool::{self, Opener};
use crate::wakeups::{Notes, Wakeups};
use deadpool::managed::{Object, Pool};
use diesel::{PgConnection, SqliteConnection};
use domain::job::Tier;
use runtime::failpoint;
use runtime::secret::ExposeSecret as _;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often a transaction is run when it meets another one or loses its connection.
const RUNS_MAX: u32 = 7;
/// The wait before the second run; each further one waits three times as long, which bridges two seconds in all: a server's restart.
const RETRY_DELAY: Duration = Duration::from_millis(5);
/// No further run starts after this, because the caller has a deadline too.
const RETRY_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are opened at once; the others open when they are needed.
const WARM_CONNECTIONS: usize = 4;
/// How often [`Db::open_waiting`] looks whether the database is there.
const OPEN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Which database to use and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:PATH` or `postgres://user@host/database`.
    pub url: String,
    /// Connections at most; by default 4 for SQLite and 16 for PostgreSQL.
    pub pool_size: Option<usize>,
}

impl Config {
    /// The defaults for this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), pool_size: None }
    }
}

impl From<&runtime::config::Database> for Config {
    fn from(database: &runtime::config::Database) -> Self {
        let url = database.url.expose_secret().to_owned();
        Self { url, pool_size: (database.pool_size > 0).then_some(database.pool_size) }
    }
}

/// A connection to either database.
pub enum DbConn {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// A PostgreSQL server.
    Pg(PgConnection),
}

/// Lets `db!` take a `&mut DbConn` and a `&mut Tx` alike.
pub(crate) fn same(conn: &mut DbConn) -> &mut DbConn {
    conn
}

/// A transaction that may write. Verbs that read take it too.
///
/// On PostgreSQL an error of a verb ends the transaction, so a closure must hand errors out rather than go on after them.
pub struct Tx<'a> {
    conn: &'a mut DbConn,
    notes: Notes,
    /// Entries of feeds, written at the end.
    entries: Vec<feed::Pending>,
}

impl Tx<'_> {
    /// Wakes subscribers of channel changes after the commit.
    pub(crate) fn note_change(&mut self) {
        self.notes.add_change();
    }

    /// Adds an entry to a feed, as the last thing before the commit: it holds a lock that all writers of the organization want.
    pub(crate) fn note_entry(&mut self, entry: feed::Pending) {
        self.notes.add_event();
        self.entries.push(entry);
    }

    /// Takes the entries that are still to be written.
    pub(crate) fn take_entries(&mut self) -> Vec<feed::Pending> {
        std::mem::take(&mut self.entries)
    }

    /// Wakes the workers of the tier after the commit.
    pub(crate) fn note_job(&mut self, tier: Tier) {
        self.notes.add_job(tier);
    }
}

impl Deref for Tx<'_> {
    type Target = DbConn;
    fn deref(&self) -> &DbConn {
        self.conn
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut DbConn {
        self.conn
    }
}

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Db {
    place: Place,
    pool: Pool<Opener>,
    /// SQLite has one writer: waiting here is fair, waiting in SQLite's busy handler is not.
    writer: Option<Arc<Semaphore>>,
    wakeups: Wakeups,
}

impl Db {
    /// Opens the database and checks that it answers; `Unavailable` when it does not.
    pub async fn open(config: &Config) -> Result<Self> {
        let place = Place::parse(&config.url)?;
        let size = config.pool_size.unwrap_or(place.default_pool_size()).max(1);
        let pool = pool::build(&place, size)?;
        // The first use of a connection is slow: the first requests should not pay for it.
        let mut warm = Vec::new();
        for _ in 0..size.min(WARM_CONNECTIONS) {
            warm.push(pool::checkout(&pool).await?);
        }
        drop(warm);
        let writer = place.is_sqlite().then(|| Arc::new(Semaphore::new(1)));
        let wakeups = Wakeups::start(&place);
        Ok(Self { place, pool, writer, wakeups })
    }

    /// Opens the database, waiting for as long as it is away; `on_wait` gets a message before each wait. Other errors come back.
    pub async fn open_waiting(config: &Config, on_wait: impl Fn(&str)) -> Result<Self> {
        loop {
            match Self::open(config).await {
                Err(Error::Unavailable { cause, .. }) => {
                    on_wait(&format!("waiting for the database: {cause}"));
                    tokio::time::sleep(OPEN_RETRY_DELAY).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens the database that a process is configured with, waiting for as long as it is away, and creates or updates the tables.
    pub async fn open_migrated(database: &runtime::config::Database, on_wait: impl Fn(&str)) -> Result<Self> {
        let db = Self::open_waiting(&Config::from(database), on_wait).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Creates or updates the tables. Many processes may do so at once.
    pub async fn migrate(&self) -> Result<()> {
        let place = self.place.clone();
        tokio::task::spawn_blocking(move || crate::migrate::run(&place)).await.map_err(Error::internal)?
    }

    /// Runs a closure that only reads, on one consistent snapshot. It may run again when the connection breaks.
    pub async fn read<T, F>(&self, mut f: F) -> Result<T>
    where
        F: FnMut(&mut DbConn) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.run(Durability::ReadOnly, move |tx| f(tx)).await
    }

    /// Runs a closure as one transaction that is durable once this returns. It runs again when it meets another transaction or
    /// loses its connection before the commit, so it must have no other effects.
    ///
    /// When this future is dropped the transaction still ends, and may commit. `Unavailable` with the connection lost during the
    /// commit itself leaves open whether it did.
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.run(Durability::Full, f).await
    }

    /// Like [`Db::write`] and several times cheaper, but a power cut may undo it. For claims and heartbeats, whose rows are guarded
    /// by a fence and the worker's id.
    pub async fn write_relaxed<T, F>(&self, f: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.run(Durability::Relaxed, f).await
    }

    /// Returns the signals that fire after commits.
    #[must_use]
    pub fn wakeups(&self) -> &Wakeups {
        &self.wakeups
    }

    /// Says whether this is the embedded database.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.place.is_sqlite()
    }

    async fn run<T, F>(&self, durability: Durability, mut f: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let mut delay = RETRY_DELAY;
        let mut runs = 1;
        let runs_max = if failpoint::is_broken("db.run-again") { 1 } else { RUNS_MAX };
        loop {
            let (attempt, back) = self.run_once(durability, f).await?;
            f = back;
            match attempt.result {
                Err(error) if attempt.again && runs < runs_max && started.elapsed() < RETRY_WITHIN => {
                    tracing::debug!(%error, runs, "transaction runs again");
                    tokio::time::sleep(delay).await;
                    delay *= 3;
                    runs += 1;
                }
                result => return result,
            }
        }
    }

    async fn run_once<T, F>(&self, durability: Durability, mut f: F) -> Result<(Attempt<T>, F)>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.permit(durability).await?;
        let object = match pool::checkout(&self.pool).await {
            Ok(object) => object,
            Err(error) => return Ok((Attempt { result: Err(error), lost: true, again: true }, f)),
        };
        let wakeups = self.wakeups.clone();
        // Everything happens inside the closure, the wake-up too: it ends even when this future is dropped.
        let done = object.interact(move |conn| {
            let attempt = attempt(conn, durability, &mut f, &wakeups);
            drop(permit);
            (attempt, f)
        });
        let (attempt, f) = match done.await {
            Ok(done) => done,
            Err(error) => {
                // A closure that panicked left its transaction open: it must not keep its locks in the pool.
                drop(Object::take(object));
                return Err(Error::internal(error.to_string()));
            }
        };
        if attempt.lost {
            drop(Object::take(object));
            // The others in the pool most likely broke in the same way.
            self.pool.retain(|_, _| false);
        }
        Ok((attempt, f))
    }

    async fn permit(&self, durability: Durability) -> Result<Option<OwnedSemaphorePermit>> {
        match &self.writer {
            Some(writer) if durability != Durability::ReadOnly => {
                writer.clone().acquire_owned().await.map(Some).map_err(Error::internal)
            }
            Some(_) | None => Ok(None),
        }
    }
}

struct Attempt<T> {
    result: Result<T>,
    /// The connection is of no more use.
    lost: bool,
    /// Nothing was committed, and another run may succeed.
    again: bool,
}

fn attempt<T>(
    conn: &mut DbConn,
    durability: Durability,
    f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
    wakeups: &Wakeups,
) -> Attempt<T> {
    if let Err(error) = dialect::begin(conn, durability) {
        dialect::rollback(conn, durability);
        return failed(conn, error);
    }
    let mut tx = Tx { conn, notes: Notes::default(), entries: Vec::new() };
    let outcome = f(&mut tx).and_then(|value| feed::flush(&mut tx).map(|()| value));
    let notes = tx.notes;
    let value = match outcome {
        Ok(value) => value,
        Err(error) => {
            dialect::rollback(conn, durability);
            return failed(conn, error);
        }
    };
    let crash_at = |point| {
        if durability != Durability::ReadOnly {
            failpoint::crash_at(point)
        }
    };
    crash_at("db.before-commit");
    match dialect::commit(conn, durability) {
        Ok(()) => {
            crash_at("db.after-commit");
            wakeups.committed(notes);
            Attempt { result: Ok(value), lost: false, again: false }
        }
        Err(error) => {
            dialect::rollback(conn, durability);
            let transient = error.is_transient();
            let after = failed(conn, error);
            // A connection that broke during the commit leaves open whether it happened; a refused commit did not.
            Attempt { again: durability == Durability::ReadOnly || (transient && !after.lost), ..after }
        }
    }
}

/// Looks at what an error did to the connection.
fn failed<T>(conn: &mut DbConn, error: Error) -> Attempt<T> {
    let suspicious = matches!(error, Error::Unavailable { .. } | Error::Internal(_));
    let lost = suspicious && (!dialect::is_usable(conn) || !dialect::answers(conn));
    let again = lost || error.is_transient();
    let error = match error {
        Error::Internal(cause) if lost => Error::away(cause),
        other => other,
    };
    Attempt { result: Err(error), lost, again }
}
