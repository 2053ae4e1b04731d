//! This file's job is to keep what is remembered of credentials true: changed ones are forgotten, uses are written down.

use crate::auth::verify::{VERIFIED_FOR, Verifier};
use db::Db;
use db::credential_changes::{self, Head};
use runtime::shutdown::Stop;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Subjects that are looked at after a change; with more changes at once everything is forgotten.
const SUBJECTS_MAX: u32 = 1_000;
/// A credential that was being looked up while it changed enters the memory after the change was heard: it is forgotten again for as
/// long as such a check may take.
const FORGET_AGAIN_FOR: Duration = VERIFIED_FOR;
/// How exact the time of last use is.
const USES_NOTED_EVERY: Duration = Duration::from_secs(20);

/// Watches one replica's memory of credentials.
pub struct Watch {
    db: Db,
    verifier: Arc<Verifier>,
    head: Head,
    recent: VecDeque<(Instant, HashSet<String>)>,
}

impl Watch {
    /// Makes the watch of a memory that is still empty.
    #[must_use]
    pub fn new(db: Db, verifier: Arc<Verifier>) -> Self {
        Self { db, verifier, head: Head::default(), recent: VecDeque::new() }
    }

    /// Forgets what changed as soon as it is heard of, and at the latest after `poll`, until the stop.
    pub async fn run(mut self, poll: Duration, stop: Stop) {
        let mut woken = self.db.wakeups().changes();
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut noted = Instant::now();
        loop {
            let next = async {
                tokio::select! {
                    () = woken.wait() => (),
                    _ = ticks.tick() => (),
                }
            };
            if stop.run_until(next).await.is_none() {
                break;
            }
            if let Err(error) = self.look().await {
                // Credentials that are known go on working until their time is up; nothing can be published meanwhile anyway.
                tracing::debug!(%error, "changed credentials could not be asked for");
            }
            if noted.elapsed() >= USES_NOTED_EVERY {
                noted = Instant::now();
                self.note_uses().await;
            }
        }
        self.note_uses().await;
    }

    async fn look(&mut self) -> Result<(), db::Error> {
        let seen = self.head;
        let found = self.db.read(move |conn| {
            let head = credential_changes::head(conn)?;
            let changed = head != seen;
            let subjects = if changed { credential_changes::list_newest(conn, SUBJECTS_MAX)? } else { Vec::new() };
            Ok((head, subjects))
        });
        let (head, subjects) = found.await?;
        if head.since(seen) > u64::from(SUBJECTS_MAX) && seen != Head::default() {
            self.verifier.forget_all();
        }
        self.head = head;
        if !subjects.is_empty() {
            self.recent.push_back((Instant::now(), subjects.into_iter().collect()));
        }
        while self.recent.front().is_some_and(|(heard, _)| heard.elapsed() > FORGET_AGAIN_FOR) {
            self.recent.pop_front();
        }
        let subjects: HashSet<String> = self.recent.iter().flat_map(|(_, subjects)| subjects.iter().cloned()).collect();
        if !subjects.is_empty() {
            self.verifier.forget(&subjects).await;
        }
        Ok(())
    }

    /// Writes down which keys were used, in one transaction that nobody waits for.
    async fn note_uses(&self) {
        let uses = self.verifier.take_uses();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.db.write_relaxed(move |tx| db::api_keys::touch(tx, &uses)).await {
            tracing::debug!(%error, "the uses of keys could not be written down");
        }
    }
}
