//! This file's job is to verify API keys: bcrypt once, then from memory until the key changes.
//!
//! What is stored is bcrypt over HMAC-SHA-256(pepper, key): the HMAC makes every key 44 bytes, below bcrypt's limit of 72, and a copy of
//! the database alone is worth nothing. What is remembered is an HMAC under a key that dies with the process.

use crate::auth::caller::Caller;
use crate::auth::key::ApiKey;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::{Db, DbConn, Scope};
use domain::Timestamp;
use moka::future::Cache;
use ring::hmac;
use runtime::clock::Clock;
use runtime::secret::{ExposeSecret as _, Secret};
use runtime::shutdown::Stop;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

/// bcrypt's cost; about 0.3 s on one core.
pub const BCRYPT_COST: u32 = 12;
/// The net below the change feed: nothing is believed longer than this without asking again.
const VERIFIED_FOR: Duration = Duration::from_secs(60);
/// Keys in memory; 200 bytes each.
const VERIFIED_MAX: u64 = 50_000;
/// A wrong key costs one bcrypt each so often, however fast it is repeated.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// Wrong keys in memory.
const REFUSED_MAX: u64 = 10_000;

/// Often enough to find keys that nobody uses.
const USE_NOTED_EVERY: Duration = Duration::from_secs(5 * 60);

type Tag = [u8; 32];

#[derive(Debug, Clone)]
struct Verified {
    caller: Caller,
    expires_at: Option<Timestamp>,
}

/// Why a key was not verified, in a form that all who wait for one check can have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Failure {
    #[error("the key is not valid")]
    Refused,
    #[error("the database is unavailable")]
    Unavailable,
}

/// Verifies API keys.
pub struct Verifier {
    db: Db,
    clock: Clock,
    pepper: hmac::Key,
    memory_key: hmac::Key,
    verified: Cache<Tag, Arc<Verified>>,
    refused: Cache<Tag, ()>,
    bcrypt_slots: Arc<Semaphore>,
}

impl Verifier {
    /// Makes a verifier that knows no key yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock, pepper: &Secret) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            db,
            clock,
            pepper: pepper_key(pepper),
            memory_key: hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>()),
            verified: Cache::builder().max_capacity(VERIFIED_MAX).time_to_live(VERIFIED_FOR).build(),
            refused: Cache::builder().max_capacity(REFUSED_MAX).time_to_live(REFUSED_FOR).build(),
            // One core stays free for everybody whose key is known already.
            bcrypt_slots: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
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
            Ok(verified) if verified.expires_at.is_none_or(|at| self.clock.now() < at) => Ok(verified.caller.clone()),
            Ok(_) => Err(Error::unauthenticated()),
            Err(Failure::Refused) => {
                self.refused.insert(tag, ()).await;
                Err(Error::unauthenticated())
            }
            Err(Failure::Unavailable) => Err(Error::unavailable("the database is unavailable")),
        }
    }

    /// Looks the key up and compares. Many calls with one key share one check.
    async fn check(&self, key: ApiKey) -> Result<Arc<Verified>, Failure> {
        let public_id = key.public_id().to_owned();
        let found = self.db.read(move |conn| find(conn, &public_id)).await;
        let row = found.map_err(|_| Failure::Unavailable)?.ok_or(Failure::Refused)?;
        let (stored, digest) = (row.secret_bcrypt.clone(), peppered(&self.pepper, &key));
        let slot = Arc::clone(&self.bcrypt_slots).acquire_owned().await.map_err(|_| Failure::Unavailable)?;
        let matches = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            bcrypt::verify(digest, &stored).unwrap_or(false)
        });
        if !matches.await.unwrap_or(false) {
            return Err(Failure::Refused);
        }
        self.note_use(&row);
        let scope = Scope::authorized(row.organization);
        let caller = Caller { scope, role: row.role, key_id: row.id, public_id: row.public_id };
        Ok(Arc::new(Verified { caller, expires_at: row.expires_at }))
    }
}

/// Finds a key that may be used: not revoked, and of an organization that is not suspended.
fn find(conn: &mut DbConn, public_id: &str) -> db::Result<Option<db::api_keys::ApiKey>> {
    let found = db::api_keys::find_by_public_id(conn, public_id)?.filter(|row| row.revoked_at.is_none());
    let Some(row) = found else { return Ok(None) };
    let organization = db::organizations::get(conn, &Scope::authorized(row.organization.clone()))?;
    Ok((!organization.suspended).then_some(row))
}

impl Verifier {
    /// Writes down that the key was used, unless that was done lately. Nobody waits for it.
    fn note_use(&self, row: &db::api_keys::ApiKey) {
        let now = self.clock.now();
        if row.last_used_at.is_some_and(|at| now.since(at) < USE_NOTED_EVERY) {
            return;
        }
        let (db, id) = (self.db.clone(), row.id.clone());
        tokio::spawn(async move {
            if let Err(error) = db.write_relaxed(move |tx| db::api_keys::touch(tx, &id, now)).await {
                tracing::debug!(%error, "the use of a key could not be written down");
            }
        });
    }

    /// Forgets revoked keys within `poll` of their revocation, until the stop.
    pub async fn watch_revocations(self: Arc<Self>, poll: Duration, stop: Stop) {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until(ticks.tick()).await.is_some() {
            if let Err(error) = self.forget_revoked().await {
                // Keys that are known already go on working until their time is up; nothing can be published meanwhile anyway.
                tracing::debug!(%error, "revoked keys could not be asked for");
            }
        }
    }

    async fn forget_revoked(&self) -> Result<(), db::Error> {
        // Longer than a key is believed, so that one which was being verified while it was revoked is found by a later round; and
        // with room for clocks that differ.
        let since = self.clock.now().minus(VERIFIED_FOR * 3);
        let revoked = self.db.read(move |conn| db::api_keys::list_revoked_since(conn, since)).await?;
        if revoked.is_empty() {
            return Ok(());
        }
        let revoked: HashSet<String> = revoked.into_iter().collect();
        for (tag, verified) in &self.verified {
            if revoked.contains(&verified.caller.public_id) {
                self.verified.invalidate(&*tag).await;
            }
        }
        Ok(())
    }
}

fn pepper_key(pepper: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes())
}

fn peppered(pepper: &hmac::Key, key: &ApiKey) -> String {
    STANDARD.encode(hmac::sign(pepper, key.expose().as_bytes()))
}

/// Returns what is stored of a key. Takes about 0.3 s of one core: not for async threads.
///
/// # Errors
/// Internal when bcrypt refuses, which it does not for 44 bytes.
pub fn stored_form(pepper: &Secret, key: &ApiKey) -> Result<String> {
    bcrypt::hash(peppered(&pepper_key(pepper), key), BCRYPT_COST)
        .map_err(|cause| Error::Broken { what: "a key could not be hashed", cause: cause.into() })
}
