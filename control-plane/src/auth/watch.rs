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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::key::ApiKey;
    use crate::auth::verify::Hasher;
    use db::{Role, Scope};
    use domain::Environment;
    use domain::id::{ApiKeyId, OrganizationId};
    use domain::job::Tier;
    use domain::plan::PlanName;
    use runtime::clock::Clock;
    use runtime::random;
    use runtime::secret::Secret;

    async fn add_key(db: &Db, hasher: &Hasher) -> (Scope, ApiKey, ApiKeyId) {
        let now = Clock::system().now();
        let organization = db::organizations::Organization {
            id: OrganizationId::from_parts(now, random::bytes()),
            slug: "test".to_owned(),
            name: "test".to_owned(),
            tier: Tier::P0,
            suspended: false,
            plan: PlanName::Free,
            devices_blocked: false,
            created_at: now,
        };
        let key = ApiKey::generate(Environment::Live);
        let row = db::api_keys::ApiKey {
            id: ApiKeyId::from_parts(now, random::bytes()),
            organization: organization.id.clone(),
            public_id: key.public_id().to_owned(),
            secret_bcrypt: hasher.hash(&key).await.unwrap(),
            name: "test".to_owned(),
            role: Role::Viewer,
            scopes: Vec::new(),
            created_by: "test".to_owned(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let (scope, id) = (Scope::authorized(organization.id.clone()), row.id.clone());
        let write = move |tx: &mut db::Tx<'_>| {
            db::organizations::insert(tx, &organization)?;
            db::api_keys::insert(tx, &row)
        };
        db.write(write).await.unwrap();
        (scope, key, id)
    }

    #[tokio::test]
    async fn the_first_look_after_the_commit_ends_a_revoked_key_on_every_replica() {
        let folder = tempfile::tempdir().unwrap();
        let config = db::Config::new(format!("sqlite:{}", folder.path().join("keys.db").display()));
        let hasher = Hasher::new(&Secret::from("pepper-pepper-pepper-pepper-pepper"), 4);
        let first = Db::open(&config).await.unwrap();
        first.migrate().await.unwrap();
        let (scope, key, id) = add_key(&first, &hasher).await;
        let mut replicas = Vec::new();
        for db in [first.clone(), Db::open(&config).await.unwrap()] {
            let verifier = Arc::new(Verifier::new(db.clone(), Clock::system(), hasher.clone()));
            let mut watch = Watch::new(db, Arc::clone(&verifier));
            verifier.verify(key.expose()).await.unwrap();
            watch.look().await.unwrap();
            replicas.push((verifier, watch));
        }
        let now = Clock::system().now();
        first.write(move |tx| db::api_keys::revoke(tx, &scope, &id, now)).await.unwrap();
        for (verifier, watch) in &mut replicas {
            assert!(verifier.verify(key.expose()).await.is_ok(), "without a look nobody knows");
            watch.look().await.unwrap();
            assert!(verifier.verify(key.expose()).await.is_err());
        }
    }
}
