//! This file's job is to give a test a fresh database with ids and times that repeat.

use db::{Config, Db, DbConn, Error, Result, Tx};
use domain::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::postgres::TestDatabase;

/// The time at which every test starts: 2026-01-01.
pub const START: Timestamp = Timestamp::from_us(1_767_225_600_000_000);

/// A migrated database that goes with this value.
pub struct World {
    pub db: Db,
    pub url: String,
    pub server: Option<TestDatabase>,
    _folder: Option<tempfile::TempDir>,
    drawn: AtomicU64,
}

impl World {
    pub async fn sqlite() -> Self {
        let world = Self::sqlite_unmigrated().await;
        world.db.migrate().await.unwrap();
        world
    }

    pub async fn postgres() -> Self {
        let world = Self::postgres_unmigrated().await;
        world.db.migrate().await.unwrap();
        world
    }

    pub async fn sqlite_unmigrated() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("aloft.db").display());
        let db = Db::open(&Config::new(&url)).await.unwrap();
        Self { db, url, server: None, _folder: Some(folder), drawn: AtomicU64::new(0) }
    }

    pub async fn postgres_unmigrated() -> Self {
        let server = TestDatabase::create();
        let url = server.url().to_owned();
        // Few connections: many tests share one small cluster.
        let db = Db::open(&Config { pool_size: Some(8), ..Config::new(&url) }).await.unwrap();
        Self { db, url, server: Some(server), _folder: None, drawn: AtomicU64::new(0) }
    }

    /// Ten bytes that no other draw of this world has.
    pub fn draw(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    pub async fn write<T: Send + 'static>(&self, f: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static) -> T {
        self.db.write(f).await.unwrap()
    }

    pub async fn read<T: Send + 'static>(&self, f: impl FnMut(&mut DbConn) -> Result<T> + Send + 'static) -> T {
        self.db.read(f).await.unwrap()
    }

    /// Runs a transaction that must fail.
    pub async fn refused<T: Send + std::fmt::Debug + 'static>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Error {
        self.db.write(f).await.unwrap_err()
    }
}

/// The time `seconds` after the start.
pub fn after(seconds: u64) -> Timestamp {
    START.plus(std::time::Duration::from_secs(seconds))
}
