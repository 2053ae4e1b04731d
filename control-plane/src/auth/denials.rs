//! This file's job is to write refused calls of known callers into the audit log.

use crate::app::record;
use crate::auth::caller::Caller;
use crate::auth::throttle::Throttle;
use crate::auth::window::Allowance;
use db::Db;
use runtime::clock::Clock;
use std::time::Duration;

/// Enough to see that somebody tries things; a program that goes on must not fill the log.
const NOTED_OF_ONE: Allowance = Allowance { tries: 20, window: Duration::from_secs(60 * 60) };

/// Writes refused calls down.
pub struct Denials {
    db: Db,
    clock: Clock,
    noted: Throttle,
}

impl Denials {
    /// Makes it.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, noted: Throttle::new(NOTED_OF_ONE) }
    }

    /// Writes a refused call down, unless the caller had many lately. The caller is refused whether or not that works.
    pub async fn note(&self, path: &str, caller: &Caller) {
        let now = self.clock.now();
        if self.noted.take(&caller.actor.credential, now).is_err() {
            return;
        }
        let action = path.rsplit('/').next().unwrap_or_default().to_owned();
        let caller = caller.clone();
        let noted = self.db.write(move |tx| record::denied(tx, &caller, &action, now));
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a refused call could not be written down");
        }
    }
}
