//! This file's job is to be the only place that knows how the two databases differ.

use crate::database::DbConn;
use crate::error::{Error, Result};
use diesel::connection::{AnsiTransactionManager, Connection as _, SimpleConnection as _, TransactionManager as _};
use diesel::prelude::*;
use diesel::{PgConnection, SqliteConnection};

/// Runs the same text of a query on whichever database the connection belongs to: `db!(conn, |c| query.load(c))`.
macro_rules! db {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $crate::database::same($conn) {
            $crate::DbConn::Sqlite($c) => $body,
            $crate::DbConn::Pg($c) => $body,
        }
    };
}
pub(crate) use db;

/// SQLite has one writer; more readers than this only wait for the same cores.
const SQLITE_POOL_SIZE: usize = 4;
/// PostgreSQL does not get faster with more connections from one process (measured with 16 and 64).
const POSTGRES_POOL_SIZE: usize = 16;
/// Longer than any write of ours; a writer of another process may hold the lock meanwhile.
const SQLITE_BUSY_TIMEOUT_MS: u32 = 10_000;
/// A statement that takes longer is stuck: every query of ours reads through an index.
const POSTGRES_STATEMENT_TIMEOUT_MS: u32 = 30_000;
/// A transaction that does nothing for so long lost its process; the server must free its locks.
const POSTGRES_IDLE_TRANSACTION_TIMEOUT_MS: u32 = 60_000;
/// Connection parameters that hold unless the URL says otherwise: a server that neither accepts nor acknowledges for so long is away.
const POSTGRES_DEFAULTS: [(&str, &str); 2] = [("connect_timeout", "5"), ("tcp_user_timeout", "30000")];
/// The advisory lock under which migrations run: "aloft" in ASCII.
const MIGRATION_LOCK: i64 = 0x61_6c6f_6674;
/// The upper half of the advisory locks under which a tier's jobs are claimed: "job" in ASCII.
const CLAIM_LOCK: i32 = 0x6a_6f62;

/// Which database a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file.
    Sqlite(String),
    /// A server, as libpq takes it.
    Postgres(String),
}

impl Place {
    /// Accepts `sqlite:PATH`, `sqlite://PATH`, `postgres://…` and `postgresql://…`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        const RULE: Error = Error::FailedPrecondition {
            rule: "the database URL must start with sqlite: or postgres:// and name a database",
        };
        if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            // An in-memory database would be another one for each connection of the pool.
            return if path.is_empty() || path == ":memory:" { Err(RULE) } else { Ok(Self::Sqlite(path.to_owned())) };
        }
        match url.split_once("://") {
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
                let url = POSTGRES_DEFAULTS.iter().fold(url.to_owned(), with_default);
                Ok(Self::Postgres(url))
            }
            Some(_) | None => Err(RULE),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub(crate) fn default_pool_size(&self) -> usize {
        match self {
            Self::Sqlite(_) => SQLITE_POOL_SIZE,
            Self::Postgres(_) => POSTGRES_POOL_SIZE,
        }
    }

    /// Opens a connection that is set up for use.
    pub(crate) fn open(&self) -> Result<DbConn> {
        match self {
            Self::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path)?;
                // busy_timeout comes first: switching to WAL takes a lock. FULL, because a publish that was acknowledged must
                // survive a power cut; transactions that may be lost ask for [`Durability::Relaxed`].
                conn.batch_execute(&format!(
                    "PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; \
                     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                ))?;
                Ok(DbConn::Sqlite(conn))
            }
            Self::Postgres(url) => open_postgres(url).map(DbConn::Pg),
        }
    }
}

/// Adds a parameter to a URL that does not have it.
fn with_default(url: String, (name, value): &(&str, &str)) -> String {
    if url.contains(&format!("{name}=")) {
        return url;
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{name}={value}")
}

/// Opens a connection to a PostgreSQL server with our limits set.
pub(crate) fn open_postgres(url: &str) -> Result<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute(&format!(
        "SET application_name = 'aloft'; SET client_min_messages = 'warning'; \
         SET statement_timeout = {POSTGRES_STATEMENT_TIMEOUT_MS}; \
         SET idle_in_transaction_session_timeout = {POSTGRES_IDLE_TRANSACTION_TIMEOUT_MS};"
    ))?;
    Ok(conn)
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Reads one consistent snapshot, writes nothing.
    ReadOnly,
    /// Survives a power cut once it is committed.
    Full,
    /// A power cut may undo it, never tear it; several times cheaper. For leases, which are guarded by a fence anyway.
    Relaxed,
}

/// Starts a transaction.
pub(crate) fn begin(conn: &mut DbConn, durability: Durability) -> Result<()> {
    match conn {
        DbConn::Sqlite(c) => {
            // IMMEDIATE: a deferred transaction that turns from reading to writing fails at once, whatever the busy timeout.
            let sql = match durability {
                Durability::ReadOnly => "BEGIN DEFERRED",
                Durability::Full => "BEGIN IMMEDIATE",
                Durability::Relaxed => {
                    c.batch_execute("PRAGMA synchronous = NORMAL")?;
                    "BEGIN IMMEDIATE"
                }
            };
            AnsiTransactionManager::begin_transaction_sql(c, sql)?;
        }
        DbConn::Pg(c) => {
            let sql = match durability {
                Durability::ReadOnly => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                Durability::Full => "BEGIN",
                Durability::Relaxed => "BEGIN; SET LOCAL synchronous_commit = off",
            };
            AnsiTransactionManager::begin_transaction_sql(c, sql)?;
        }
    }
    Ok(())
}

/// Ends a transaction for good.
pub(crate) fn commit(conn: &mut DbConn, durability: Durability) -> Result<()> {
    let done = db!(conn, |c| AnsiTransactionManager::commit_transaction(c));
    restore(conn, durability);
    Ok(done?)
}

/// Undoes a transaction as well as the connection still can.
pub(crate) fn rollback(conn: &mut DbConn, durability: Durability) {
    if let Err(error) = db!(conn, |c| AnsiTransactionManager::rollback_transaction(c)) {
        tracing::debug!(%error, "rollback failed; the server undoes the transaction when the connection closes");
    }
    restore(conn, durability);
}

fn restore(conn: &mut DbConn, durability: Durability) {
    if let (DbConn::Sqlite(c), Durability::Relaxed) = (conn, durability)
        && let Err(error) = c.batch_execute("PRAGMA synchronous = FULL")
    {
        tracing::warn!(%error, "could not make the connection durable again");
    }
}

/// Says whether the connection can be used for another transaction.
pub(crate) fn is_usable(conn: &mut DbConn) -> bool {
    db!(conn, |c| !AnsiTransactionManager::is_broken_transaction_manager(c))
}

/// Says whether the database still answers on this connection.
pub(crate) fn answers(conn: &mut DbConn) -> bool {
    db!(conn, |c| c.batch_execute("SELECT 1")).is_ok()
}

/// Runs `work` while no other process migrates the same database. On SQLite everything `work` does is one transaction.
pub(crate) fn with_migration_lock<T>(conn: &mut DbConn, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
    match conn {
        DbConn::Sqlite(_) => {
            begin(conn, Durability::Full)?;
            match work(conn) {
                Ok(value) => commit(conn, Durability::Full).map(|()| value),
                Err(error) => {
                    rollback(conn, Durability::Full);
                    Err(error)
                }
            }
        }
        DbConn::Pg(c) => {
            // Waiting for another migrator is no stuck statement. The lock goes with the connection.
            c.batch_execute(&format!("SET statement_timeout = 0; SELECT pg_advisory_lock({MIGRATION_LOCK});"))?;
            work(conn)
        }
    }
}

/// Lets only one claimer of a tier go on until its transaction ends, which makes the limits of tenants exact. SQLite has one
/// writer anyway.
pub(crate) fn lock_tier(conn: &mut DbConn, tier: i64) -> Result<()> {
    match conn {
        DbConn::Sqlite(_) => Ok(()),
        DbConn::Pg(c) => Ok(c.batch_execute(&format!("SELECT pg_advisory_xact_lock({CLAIM_LOCK}, {tier})"))?),
    }
}

/// Lets only one transaction at a time enqueue under a unique key: PostgreSQL's index is unique only within one tier.
pub(crate) fn lock_unique_key(conn: &mut DbConn, key: &str) -> Result<()> {
    match conn {
        DbConn::Sqlite(_) => Ok(()),
        DbConn::Pg(c) => {
            diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind::<diesel::sql_types::Text, _>(key)
                .execute(c)?;
            Ok(())
        }
    }
}

/// Loads rows and, on PostgreSQL, locks them, passing over those that another transaction has locked.
macro_rules! load_skipping_locked {
    ($conn:expr, $query:expr, $row:ty) => {
        match $crate::database::same($conn) {
            $crate::DbConn::Sqlite(c) => $query.load::<$row>(c),
            $crate::DbConn::Pg(c) => $query.for_update().skip_locked().load::<$row>(c),
        }
    };
}
pub(crate) use load_skipping_locked;

/// Loads rows and, on PostgreSQL, locks them in their order, waiting for other transactions that have them.
macro_rules! load_locked {
    ($conn:expr, $query:expr, $row:ty) => {
        match $crate::database::same($conn) {
            $crate::DbConn::Sqlite(c) => $query.load::<$row>(c),
            $crate::DbConn::Pg(c) => $query.for_update().load::<$row>(c),
        }
    };
}
pub(crate) use load_locked;

/// Loads one row and, on PostgreSQL, locks it, waiting for another transaction that has it.
macro_rules! first_locked {
    ($conn:expr, $query:expr, $row:ty) => {
        match $crate::database::same($conn) {
            $crate::DbConn::Sqlite(c) => $query.first::<$row>(c),
            $crate::DbConn::Pg(c) => $query.for_update().first::<$row>(c),
        }
    };
}
pub(crate) use first_locked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_database_or_are_refused() {
        assert_eq!(Place::parse("sqlite:a/b.db").unwrap(), Place::Sqlite("a/b.db".into()));
        assert_eq!(Place::parse("sqlite:///a/b.db").unwrap(), Place::Sqlite("/a/b.db".into()));
        let server = |text: &str| Place::Postgres(text.into());
        let plain = Place::parse("postgres://h/x").unwrap();
        assert_eq!(plain, server("postgres://h/x?connect_timeout=5&tcp_user_timeout=30000"));
        let own = Place::parse("postgresql://h/x?connect_timeout=1").unwrap();
        assert_eq!(own, server("postgresql://h/x?connect_timeout=1&tcp_user_timeout=30000"));
        for bad in ["", "sqlite:", "sqlite::memory:", "mysql://x", "/tmp/x.db", "postgres://"] {
            assert_eq!(Place::parse(bad).unwrap_err().kind(), domain::ErrorKind::FailedPrecondition, "{bad}");
        }
    }
}
