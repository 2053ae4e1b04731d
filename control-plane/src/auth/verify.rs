//! This file's job is to verify API keys: bcrypt once, then from memory until the key changes.
//!
//! What is stored is bcrypt over HMAC-SHA-256(pepper, key): the HMAC makes every key 44 bytes, below bcrypt's limit of 72, and a copy of
//! the database alone is worth nothing. What is remembered is an HMAC under a key that dies with the process.

use crate::auth::caller::{Actor, ActorKind, Caller};
use crate::auth::grant::KeyLimits;
use crate::auth::key::ApiKey;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::{Db, Scope};
use domain::Timestamp;
use domain::id::ApiKeyId;
use moka::future::Cache;
use ring::hmac;
use runtime::clock::Clock;
use runtime::secret::{ExposeSecret as _, Secret};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The net below the change feed: nothing is believed longer than this without asking again.
pub const VERIFIED_FOR: Duration = Duration::from_secs(60);
/// Keys in memory; 400 bytes each.
const VERIFIED_MAX: u64 = 50_000;
/// A wrong key costs one bcrypt each so often, however fast it is repeated.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// Wrong keys in memory.
const REFUSED_MAX: u64 = 10_000;
/// Keys that wait for bcrypt: some 20 seconds of work for one core. More are told to come again.
const WAITING_MAX: usize = 64;

type Tag = [u8; 32];

struct Verified {
    caller: Caller,
    key: ApiKeyId,
    expires_at: Option<Timestamp>,
    /// When it was last used, and which of those times is written down; microseconds since 1970.
    used_at_us: AtomicI64,
    noted_at_us: AtomicI64,
}

/// Why a key was not verified, in a form that all who wait for one check can have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Failure {
    #[error("the key is not valid")]
    Refused,
    #[error("the database is unavailable")]
    Unavailable,
    #[error("too many keys wait to be verified")]
    Busy,
}

/// Verifies API keys.
pub struct Verifier {
    db: Db,
    clock: Clock,
    hasher: Hasher,
    memory_key: hmac::Key,
    verified: Cache<Tag, Arc<Verified>>,
    refused: Cache<Tag, ()>,
}

/// Runs bcrypt on as many cores as it may have.
#[derive(Clone)]
pub struct Hasher {
    pepper: hmac::Key,
    cost: u32,
    waiting: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl Hasher {
    /// Makes a hasher; keys hashed under one pepper are verified under the same one only. The cost is that of new keys.
    #[must_use]
    pub fn new(pepper: &Secret, cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            pepper: pepper_key(pepper),
            cost,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            // One core stays free for everybody whose key is known already.
            slots: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
        }
    }

    /// Returns what is stored of a new key.
    ///
    /// # Errors
    /// Unavailable when too many keys wait.
    pub async fn hash(&self, key: &ApiKey) -> Result<String> {
        let (digest, cost) = (peppered(&self.pepper, key), self.cost);
        let hashed = self.run(move || bcrypt::hash(digest, cost)).await?;
        hashed.map_err(|cause| Error::Broken { what: "a key could not be hashed", cause: cause.into() })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || Error::unavailable("too many keys wait to be verified");
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (waiting, slot);
            work()
        });
        done.await.map_err(|cause| Error::Broken { what: "bcrypt broke", cause: cause.into() })
    }
}

impl Verifier {
    /// Makes a verifier that knows no key yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock, hasher: Hasher) -> Self {
        Self {
            db,
            clock,
            hasher,
            memory_key: hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>()),
            verified: Cache::builder().max_capacity(VERIFIED_MAX).time_to_live(VERIFIED_FOR).build(),
            refused: Cache::builder().max_capacity(REFUSED_MAX).time_to_live(REFUSED_FOR).build(),
        }
    }

    /// Returns who the key belongs to.
    ///
    /// # Errors
    /// Unauthenticated for every key that is not valid now, whatever the cause; unavailable when that cannot be found out.
    pub async fn verify(&self, presented: &str) -> Result<Caller> {
        let key = ApiKey::parse(presented).ok_or_else(Error::unauthenticated)?;
        let mut tag = Tag::default();
        tag.copy_from_slice(hmac::sign(&self.memory_key, presented.as_bytes()).as_ref());
        if self.refused.contains_key(&tag) {
            return Err(Error::unauthenticated());
        }
        match self.verified.try_get_with(tag, self.check(key)).await.map_err(|failure| *failure) {
            Ok(verified) => self.still_valid(&verified),
            Err(Failure::Refused) => {
                self.refused.insert(tag, ()).await;
                Err(Error::unauthenticated())
            }
            Err(Failure::Unavailable) => Err(Error::unavailable("the database is unavailable")),
            Err(Failure::Busy) => Err(Error::unavailable("too many keys wait to be verified")),
        }
    }

    fn still_valid(&self, verified: &Verified) -> Result<Caller> {
        let now = self.clock.now();
        if verified.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::unauthenticated());
        }
        verified.used_at_us.fetch_max(now.as_us(), Ordering::Relaxed);
        Ok(verified.caller.clone())
    }

    /// Looks the key up and compares. Many calls with one key share one check.
    async fn check(&self, key: ApiKey) -> Result<Arc<Verified>, Failure> {
        let public_id = key.public_id().to_owned();
        let found = self.db.read(move |conn| db::api_keys::find_by_public_id(conn, &public_id)).await;
        let row =
            found.map_err(|_| Failure::Unavailable)?.filter(|row| row.revoked_at.is_none()).ok_or(Failure::Refused)?;
        let (stored, digest) = (row.secret_bcrypt.clone(), peppered(&self.hasher.pepper, &key));
        let matches = self.hasher.run(move || bcrypt::verify(digest, &stored).unwrap_or(false)).await;
        if !matches.map_err(|_| Failure::Busy)? {
            return Err(Failure::Refused);
        }
        let limits = KeyLimits::read(&row.scopes, &row.public_id).map_err(|error| {
            tracing::error!(%error, key = row.public_id, "a stored key cannot be understood");
            Failure::Refused
        })?;
        let scope = Scope::limited(row.organization, limits.reach);
        let actor = Actor { kind: ActorKind::ApiKey, id: row.id.to_string(), credential: row.public_id };
        let caller = Caller { scope, role: row.role, grant: limits.grant, actor };
        let noted_at_us = AtomicI64::new(row.last_used_at.map_or(0, Timestamp::as_us));
        let used_at_us = AtomicI64::new(0);
        Ok(Arc::new(Verified { caller, key: row.id, expires_at: row.expires_at, used_at_us, noted_at_us }))
    }

    /// Returns the keys that were used since this was last asked, each with the time of its last use.
    pub fn take_uses(&self) -> Vec<(ApiKeyId, Timestamp)> {
        let mut uses = Vec::new();
        for (_, verified) in &self.verified {
            let used = verified.used_at_us.load(Ordering::Relaxed);
            if used > verified.noted_at_us.fetch_max(used, Ordering::Relaxed) {
                uses.push((verified.key.clone(), Timestamp::from_us(used)));
            }
        }
        uses
    }

    /// Forgets the credentials of these subjects: public ids of keys, ids of organizations.
    pub async fn forget(&self, subjects: &HashSet<String>) {
        for (tag, verified) in &self.verified {
            let caller = &verified.caller;
            if subjects.contains(&caller.actor.credential) || subjects.contains(caller.organization().as_str()) {
                self.verified.invalidate(&*tag).await;
            }
        }
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.verified.invalidate_all();
    }
}

fn pepper_key(pepper: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes())
}

fn peppered(pepper: &hmac::Key, key: &ApiKey) -> String {
    STANDARD.encode(hmac::sign(pepper, key.expose().as_bytes()))
}
