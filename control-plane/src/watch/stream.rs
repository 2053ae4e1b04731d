//! This file's job is to speak with one client that watches.

use super::hub::{self, Delta, Hub};
use super::topics::{Named, Thing, Topics};
use crate::auth::caller::{Actor, ActorKind, Caller};
use crate::context::Context;
use crate::error::{Error, Result, chain};
use db::DbConn;
use domain::Timestamp;
use proto::v1;
use proto::v1::watch_response::Message;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Shorter than the idle limits of common proxies, of which 60 s is the shortest.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after this long, so that clients spread over replicas again; up to a quarter more, so that they do not come together.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// Messages on their way to one client; what waits behind them waits in the hub, where it is shared.
const ON_THE_WAY_MAX: usize = 16;
/// Changes that a returning client is told one by one; after more, a snapshot is shorter.
const CATCH_UP_MAX: u32 = 1_000;
/// Things that one stream remembers the caller may see; others are asked for again.
const SEEN_MAX: usize = 10_000;

type Outgoing = Sender<Result<v1::WatchResponse, Status>>;

/// What a client asked for.
pub struct Watch {
    /// Who it is.
    pub caller: Caller,
    /// What it names.
    pub named: Vec<Named>,
    /// Up to where it knows the feed; zero for nothing.
    pub after_seq: i64,
    /// Its place among the watchers.
    pub place: OwnedSemaphorePermit,
}

/// Begins a stream.
///
/// # Errors
/// Not found for topics that the caller may not see; those of the database.
pub async fn start(
    context: Context,
    hub: Arc<Hub>,
    watch: Watch,
) -> Result<ReceiverStream<Result<v1::WatchResponse, Status>>> {
    let Watch { caller, named, after_seq, place } = watch;
    let scope = caller.scope.clone();
    // Subscribed before anything is read, so that nothing falls between.
    let deltas = hub.join(&context, &scope).await?;
    let topics = context.read(move |conn| Topics::find(conn, &scope, &named)).await?;
    let (outgoing, stream) = channel(ON_THE_WAY_MAX);
    tokio::spawn(async move {
        let _place = place;
        let mut session = Session { context, caller, topics, outgoing, seq: after_seq, seen: BTreeSet::new() };
        if let Err(error) = session.run(deltas).await {
            tracing::debug!(cause = chain(&error), "a watcher's stream ended");
            let _ = session.outgoing.try_send(Err(error.into()));
        }
    });
    Ok(ReceiverStream::new(stream))
}

struct Session {
    context: Context,
    caller: Caller,
    topics: Topics,
    outgoing: Outgoing,
    /// Everything up to this number is told.
    seq: i64,
    /// What the caller may see, as far as that was asked.
    seen: BTreeSet<Thing>,
}

impl Session {
    async fn run(&mut self, mut deltas: broadcast::Receiver<Arc<Delta>>) -> Result<()> {
        self.begin().await?;
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.tick().await;
        let [jitter] = runtime::random::bytes();
        let end = Instant::now() + AGE_MAX + AGE_MAX * u32::from(jitter) / (4 * 255);
        let stop = self.context.stop.clone();
        loop {
            tokio::select! {
                () = stop.stopped() => return self.send(Message::GoAway(v1::WatchGoAway {})).await,
                () = tokio::time::sleep_until(end) => return self.send(Message::GoAway(v1::WatchGoAway {})).await,
                () = self.outgoing.closed() => return Ok(()),
                _ = beats.tick() => {
                    self.check_caller().await?;
                    self.send(Message::Heartbeat(v1::WatchHeartbeat {})).await?;
                }
                delta = deltas.recv() => match delta {
                    Ok(delta) => self.tell(&delta).await?,
                    Err(RecvError::Lagged(_)) => self.resync().await?,
                    // The hub ends with the process.
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }

    /// Tells what the client missed, or everything.
    async fn begin(&mut self) -> Result<()> {
        if self.seq <= 0 {
            return self.snapshot().await;
        }
        let (organization, after) = (self.caller.organization().clone(), self.seq);
        let missed = self.context.read(move |conn| {
            let head = db::feed::head(conn, &organization)?;
            // A number from the future comes from another installation, or from before a backup was restored.
            if after < head.trimmed_seq || after > head.last_seq {
                return Ok(None);
            }
            let missed = hub::read(conn, &organization, after, CATCH_UP_MAX)?;
            Ok((missed.len() < CATCH_UP_MAX as usize).then_some(missed))
        });
        match missed.await? {
            Some(missed) => {
                for delta in missed {
                    self.tell(&delta).await?;
                }
                Ok(())
            }
            None => self.resync().await,
        }
    }

    async fn resync(&mut self) -> Result<()> {
        self.send(Message::Resync(v1::WatchResync {})).await?;
        self.snapshot().await
    }

    /// Sends the state at one moment, with the number of that moment.
    async fn snapshot(&mut self) -> Result<()> {
        let (organization, topics) = (self.caller.organization().clone(), self.topics.clone());
        let read =
            self.context.read(move |conn| Ok((db::feed::head(conn, &organization)?.last_seq, topics.snapshot(conn)?)));
        let (seq, snapshot) = read.await?;
        self.seq = seq;
        self.send(Message::Snapshot(snapshot)).await
    }

    async fn tell(&mut self, delta: &Delta) -> Result<()> {
        // Told already, by a snapshot or while catching up.
        if delta.response.seq <= self.seq {
            return Ok(());
        }
        let is_told = self.topics.contain(delta) && self.shows(self.topics.thing_of(delta)).await?;
        self.seq = delta.response.seq;
        if !is_told {
            return Ok(());
        }
        self.outgoing.send(Ok(delta.response.clone())).await.map_err(|_| gone())
    }

    /// Says whether the caller may see a thing; once seen, it may also see it go.
    async fn shows(&mut self, thing: Thing) -> Result<bool> {
        if self.seen.contains(&thing) {
            return Ok(true);
        }
        let (topics, asked) = (self.topics.clone(), thing.clone());
        let shows = self.context.read(move |conn| topics.shows(conn, &asked)).await?;
        if shows && self.seen.len() < SEEN_MAX {
            self.seen.insert(thing);
        }
        Ok(shows)
    }

    /// Ends the stream when the credential does not hold any more: the key was revoked, the person signed out or left.
    async fn check_caller(&self) -> Result<()> {
        let (caller, now) = (self.caller.clone(), self.context.clock.now());
        if self.context.read(move |conn| holds(conn, &caller, now)).await? {
            Ok(())
        } else {
            Err(Error::unauthenticated())
        }
    }

    async fn send(&self, message: Message) -> Result<()> {
        let response = v1::WatchResponse { seq: self.seq, message: Some(message) };
        self.outgoing.send(Ok(response)).await.map_err(|_| gone())
    }
}

fn holds(conn: &mut DbConn, caller: &Caller, now: Timestamp) -> Result<bool> {
    let Actor { kind, id, credential } = &caller.actor;
    match kind {
        ActorKind::ApiKey => {
            let key = db::api_keys::find_by_public_id(conn, credential)?;
            Ok(key.is_some_and(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)))
        }
        ActorKind::Person => {
            // The guard wrote both down: they are ids.
            let (Ok(account), Ok(session)) = (id.parse(), credential.parse()) else { return Ok(false) };
            let session = db::sessions::find(conn, &session)?;
            let member = db::members::find(conn, &caller.scope, &account)?;
            Ok(session.is_some_and(|session| now < session.expires_at) && member.is_some())
        }
        // The first acts for no organization, the second watches with the key that it got: neither gets here.
        ActorKind::Operator | ActorKind::Workflow => Ok(false),
    }
}

fn gone() -> Error {
    Error::unavailable("the client has gone")
}
