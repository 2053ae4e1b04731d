//! This file's job is to hold what every use case needs, and to run its transaction.

use crate::app::people::Door;
use crate::auth::caller::{Caller, Operator};
use crate::auth::password::Passwords;
use crate::auth::second_step::SecondSteps;
use crate::auth::site::Site;
use crate::error::{Error, Result};
use crate::paging::PageTokens;
use blob::Store;
use db::{Db, DbConn, Scope, Tx};
use domain::web_address::WebReach;
use domain::{ErrorKind, Sha256, Timestamp};
use parking_lot::Mutex;
use prost::Message;
use proto::v1::Reason;
use runtime::clock::Clock;
use runtime::shutdown::Stop;
use runtime::vault::Vault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long the answer to a request id is kept.
const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Room for a UUID, or for what a CI system calls its run.
const REQUEST_ID_MAX_BYTES: usize = 64;

/// How often a use case is run when others change what it had read. Each further run means that another call has succeeded.
const RACE_RUNS_MAX: u32 = 8;

/// Bounds that operators set.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest archive that an upload may have.
    pub upload_max_bytes: u64,
    /// How long a package of CodePush's management clients may take to arrive.
    pub package_max: Duration,
    /// How long an unfinished upload is kept.
    pub upload_keep: Duration,
    /// Where webhooks may lead to.
    pub web_reach: WebReach,
}

/// What every use case needs. Clones share everything.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The object store.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Says when to stop.
    pub stop: Stop,
    /// Makes page tokens.
    pub pages: PageTokens,
    /// Where browsers see the server.
    pub site: Site,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Counts tries to sign in.
    pub door: Arc<Door>,
    /// Carries sign-ins to their second step.
    pub second_steps: SecondSteps,
    /// Seals secrets.
    pub vault: Vault,
    /// Room for comparing bundles: each comparison may take a hundred megabytes.
    pub comparing: Arc<Semaphore>,
    /// Bounds that operators set.
    pub bounds: Bounds,
}

/// The moment and the caller of one change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Who makes it.
    pub caller: Caller,
    /// When.
    pub now: Timestamp,
}

impl Change {
    /// Returns the caller's scope, see [`Caller::live_scope`].
    ///
    /// # Errors
    /// Permission denied for a test key.
    pub fn live_scope(&self) -> Result<&Scope> {
        self.caller.live_scope()
    }
}

/// The moment and the operator of one change.
#[derive(Debug, Clone)]
pub struct OperatorChange {
    /// Who makes it.
    pub operator: Operator,
    /// When.
    pub now: Timestamp,
}

/// A call that may be repeated with the same request id.
#[derive(Debug, Clone)]
pub struct Once {
    method: &'static str,
    request_id: String,
    request_hash: Sha256,
}

impl Once {
    /// Describes the call. An empty request id means that a repeated call is a new one.
    ///
    /// # Errors
    /// Invalid argument when the request id is too long or has characters that are not visible ASCII.
    pub fn new(method: &'static str, request_id: &str, request: &impl Message) -> Result<Self> {
        if request_id.len() > REQUEST_ID_MAX_BYTES || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::field("request_id", "must be at most 64 visible ASCII characters"));
        }
        let request_hash = Sha256::of(&request.encode_to_vec());
        Ok(Self { method, request_id: request_id.to_owned(), request_hash })
    }
}

/// What a transaction leaves behind.
pub enum Outcome<T> {
    /// Its changes.
    Keep(T),
    /// Nothing: it only checked whether the change could be made.
    Undo(T),
}

/// Carries a result out of a transaction that is rolled back on purpose.
#[derive(Debug, thiserror::Error)]
#[error("only validated")]
struct Undone<T>(T);

impl Context {
    /// Runs a use case that only reads, on one consistent state of the database.
    ///
    /// # Errors
    /// Those of the use case and of the database.
    pub async fn read<T, F>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(&mut DbConn) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.db.read(move |conn| work(conn).map_err(lower)).await.map_err(lift)
    }

    /// Runs a use case as one transaction. It may run more than once, so it must have no other effects.
    ///
    /// # Errors
    /// Those of the use case and of the database; nothing is changed then.
    pub async fn write<T, F>(&self, caller: Caller, mut work: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>, &Change) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let change = Change { caller, now: self.clock.now() };
        let mut run = move |tx: &mut Tx<'_>| {
            active(tx, &change.caller)?;
            work(tx, &change)
        };
        self.transact(move |tx| run(tx), |_| false).await.map_err(lift)
    }

    /// Checks early what every write checks anyway, before work that costs something.
    ///
    /// # Errors
    /// Permission denied when the organization is suspended.
    pub async fn check_active(&self, caller: &Caller) -> Result<()> {
        let caller = caller.clone();
        self.read(move |conn| active(conn, &caller)).await
    }

    /// Runs a use case of the operator as one transaction. It may run more than once.
    ///
    /// # Errors
    /// Those of the use case and of the database; nothing is changed then.
    pub async fn operate<T, F>(&self, operator: Operator, mut work: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>, &OperatorChange) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let change = OperatorChange { operator, now: self.clock.now() };
        self.transact(move |tx| work(tx, &change), |_| false).await.map_err(lift)
    }

    /// Runs a use case of somebody who acts for no organization, as one transaction. It may run more than once.
    ///
    /// # Errors
    /// Those of the use case and of the database; nothing is changed then.
    pub async fn change<T, F>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>, Timestamp) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let now = self.clock.now();
        self.transact(move |tx| work(tx, now), |_| false).await.map_err(lift)
    }

    /// Like [`Context::write`] for calls that may be repeated: the same request id gets the stored answer of the first call.
    ///
    /// # Errors
    /// Also when the request id was used for another request.
    pub async fn write_once<A, F>(&self, caller: Caller, once: Once, mut work: F) -> Result<A>
    where
        F: FnMut(&mut Tx<'_>, &Change) -> Result<Outcome<A>> + Send + 'static,
        A: Message + Default + Send + Sync + std::fmt::Debug + 'static,
    {
        let change = Change { caller, now: self.clock.now() };
        let is_repeatable = !once.request_id.is_empty();
        let mut run = move |tx: &mut Tx<'_>| -> Result<A> {
            active(tx, &change.caller)?;
            if let Some(answer) = stored_answer(tx, &change, &once)? {
                return Ok(answer);
            }
            match work(tx, &change)? {
                Outcome::Keep(answer) => {
                    store_answer(tx, &change, &once, &answer)?;
                    Ok(answer)
                }
                Outcome::Undo(answer) => Err(Error::Database(db::Error::abort(Undone(answer)))),
            }
        };
        // The same request may be answered at the same time: then the next run finds that answer.
        let is_answered = move |error: &db::Error| is_repeatable && matches!(error, db::Error::AlreadyExists { .. });
        match self.transact(move |tx| run(tx), is_answered).await {
            Ok(answer) => Ok(answer),
            Err(error) => match error.into_aborted::<Undone<A>>() {
                Ok(Undone(answer)) => Ok(answer),
                Err(error) => Err(lift(error)),
            },
        }
    }

    /// Runs a transaction, and runs it again when another one changed what it had read in between. Whoever sent an etag is told of
    /// that change by the next run, and whoever sent none does not mind it.
    async fn transact<T, F>(&self, work: F, is_race: impl Fn(&db::Error) -> bool) -> db::Result<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let work = Arc::new(Mutex::new(work));
        let mut runs_left = RACE_RUNS_MAX;
        loop {
            let work = Arc::clone(&work);
            runs_left -= 1;
            match self.db.write(move |tx| (work.lock())(tx).map_err(lower)).await {
                Err(error) if runs_left > 0 && (matches!(error, db::Error::Conflict { .. }) || is_race(&error)) => {}
                ended => return ended,
            }
        }
    }
}

/// Checks that the caller's organization may change anything. In the transaction of the change, so that a suspension counts from its
/// commit on, on every replica.
fn active(conn: &mut DbConn, caller: &Caller) -> Result<()> {
    if db::organizations::get(conn, &caller.scope)?.suspended { Err(Error::suspended()) } else { Ok(()) }
}

/// Takes an error of ours through the database crate.
fn lower(error: Error) -> db::Error {
    match error {
        Error::Database(error) => error,
        Error::Refused(_) | Error::Store(_) | Error::Broken { .. } => db::Error::abort(error),
    }
}

/// Takes it out again.
fn lift(error: db::Error) -> Error {
    match error.into_aborted::<Error>() {
        Ok(own) => own,
        Err(error) => Error::Database(error),
    }
}

fn stored_answer<A: Message + Default>(tx: &mut Tx<'_>, change: &Change, once: &Once) -> Result<Option<A>> {
    if once.request_id.is_empty() {
        return Ok(None);
    }
    let principal = change.caller.actor.id.as_str();
    let since = change.now.minus(ANSWERS_KEPT);
    let Some(row) = db::idempotency::find(tx, principal, &once.request_id, once.method)? else { return Ok(None) };
    if row.created_at < since {
        return Ok(None);
    }
    if row.request_hash != once.request_hash {
        let message = "the request id was used before for another request";
        return Err(Error::refused(ErrorKind::InvalidArgument, Reason::RequestIdReused, message));
    }
    let answer = A::decode(row.response.as_slice());
    answer.map(Some).map_err(|cause| Error::Broken { what: "a stored answer cannot be read", cause: cause.into() })
}

fn store_answer(tx: &mut Tx<'_>, change: &Change, once: &Once, answer: &impl Message) -> Result<()> {
    if once.request_id.is_empty() {
        return Ok(());
    }
    // Also makes room for a request id that was used more than a day ago.
    db::idempotency::trim(tx, change.now.minus(ANSWERS_KEPT))?;
    let row = db::idempotency::Answer {
        principal: change.caller.actor.id.clone(),
        request_id: once.request_id.clone(),
        method: once.method.to_owned(),
        request_hash: once.request_hash,
        response: answer.encode_to_vec(),
        created_at: change.now,
    };
    Ok(db::idempotency::insert(tx, &row)?)
}
