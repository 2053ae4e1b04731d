//! This file's job is to keep connections of both databases in one kind of pool.

use crate::database::DbConn;
use crate::dialect::{self, Place};
use crate::error::{Error, Result};
use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Pool, RecycleError, RecycleResult};
use std::time::Duration;

/// A request that waits longer for a connection is better told to come back.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that takes longer to accept is away.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);
/// A checked-in connection is looked at, not asked; this is for one whose abandoned work still runs.
const RECYCLE_TIMEOUT: Duration = Duration::from_secs(35);

/// Opens connections by URL. Ours rather than `deadpool_diesel::Manager`, which hides why a connection could not be opened.
pub(crate) struct Opener {
    place: Place,
}

/// A connection on which closures run in a thread that may block.
pub(crate) type Handle = deadpool_diesel::Connection<DbConn>;

impl managed::Manager for Opener {
    type Type = Handle;
    type Error = Error;

    async fn create(&self) -> Result<Handle> {
        let place = self.place.clone();
        Handle::new(Runtime::Tokio1, move || place.open()).await
    }

    /// Takes the connection back without asking the server: a broken one shows at its first use, and is replaced then.
    async fn recycle(&self, handle: &mut Handle, _: &Metrics) -> RecycleResult<Error> {
        if handle.is_mutex_poisoned() {
            return Err(RecycleError::message("a closure panicked on the connection"));
        }
        let at_once = handle.try_lock().ok().map(|mut conn| dialect::is_usable(&mut conn));
        let usable = match at_once {
            Some(usable) => usable,
            // The closure of a dropped future is still running.
            None => handle.interact(dialect::is_usable).await.unwrap_or(false),
        };
        if usable { Ok(()) } else { Err(RecycleError::message("a transaction was left open")) }
    }
}

/// Makes the pool; opens nothing yet.
pub(crate) fn build(place: &Place, size: usize) -> Result<Pool<Opener>> {
    Pool::builder(Opener { place: place.clone() })
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        .recycle_timeout(Some(RECYCLE_TIMEOUT))
        .build()
        .map_err(Error::internal)
}

/// Takes a connection, waiting for one for a bounded time.
pub(crate) async fn checkout(pool: &Pool<Opener>) -> Result<managed::Object<Opener>> {
    pool.get().await.map_err(|error| match error {
        managed::PoolError::Backend(error) => error,
        other => Error::away(other.to_string()),
    })
}
