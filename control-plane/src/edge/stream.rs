//! This file's job is to speak with one edge over its stream.

use super::fleet::Fleet;
use super::hub::{Encoded, Follower, Hub, State};
use crate::app::deltas::{Base, Wishes};
use crate::app::deployment_keys;
use crate::context::Context;
use crate::error::{Error, Result, chain};
use domain::id::EdgeId;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use domain::{ErrorKind, Sha256};
use parking_lot::Mutex;
use proto::convert::{
    channel_key_from_wire, channel_key_to_wire, sha256_from_wire, version_from_wire, version_to_wire,
};
use proto::v1::sync_request::Message as FromEdge;
use proto::v1::sync_response::Message as ToEdge;
use proto::v1::{self, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// How often both sides say that they are alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// An edge that says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Messages on their way to one edge. Few, so that what waits is always the newest.
const ON_THE_WAY_MAX: usize = 2;
/// Channels that one edge may follow; some 300 bytes each.
const CHANNELS_MAX: usize = 100_000;
/// How long an edge may take to make room for the reason why its stream ends. A stop waits for this, too.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often an edge's last visit is written down.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Longer texts are cut before they are kept.
const REASON_MAX_BYTES: usize = 1_000;

type Outgoing = Sender<Result<v1::SyncResponse, Status>>;

/// What streams share.
#[derive(Clone)]
pub struct Parts {
    /// The newest snapshots.
    pub hub: Arc<Hub>,
    /// The connected edges.
    pub fleet: Arc<Fleet>,
    /// The patches that edges asked for.
    pub wishes: Arc<Wishes>,
    /// Digest of the enrolment token that edges show.
    pub token_hash: Sha256,
}

/// Starts to speak with an edge in a task of its own.
#[must_use]
pub fn start(
    context: Context,
    parts: Parts,
    incoming: Streaming<v1::SyncRequest>,
) -> ReceiverStream<Result<v1::SyncResponse, Status>> {
    let (outgoing, stream) = channel(ON_THE_WAY_MAX);
    tokio::spawn(async move {
        let stop = context.stop.clone();
        let ended = tokio::select! {
            ended = speak(&context, &parts, incoming, &outgoing) => ended,
            () = stop.stopped() => Err(Error::unavailable("the server is stopping: connect to another one")),
        };
        if let Err(error) = ended {
            tracing::debug!(cause = chain(&error), "an edge's stream ended");
            // An edge that does not read will see the end of the connection instead.
            let _ = tokio::time::timeout(FAREWELL, outgoing.send(Err(error.into()))).await;
        }
    });
    ReceiverStream::new(stream)
}

/// One stream after its Hello.
struct Session<'a> {
    context: &'a Context,
    parts: &'a Parts,
    edge: EdgeId,
    follower: Follower,
    /// What the edge has, by its own word or because it was sent.
    has: Mutex<BTreeMap<ChannelKey, (SnapshotVersion, Sha256)>>,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.parts.fleet.left(&self.edge);
    }
}

async fn speak(
    context: &Context,
    parts: &Parts,
    mut incoming: Streaming<v1::SyncRequest>,
    outgoing: &Outgoing,
) -> Result<()> {
    let hello = match receive(&mut incoming).await? {
        Some(FromEdge::Hello(hello)) => hello,
        Some(_) => return Err(Error::field("message", "must be a hello first")),
        None => return Ok(()),
    };
    let edge: EdgeId = hello.edge_id.parse().map_err(Error::in_field("hello.edge_id"))?;
    if hello.schema_max == 0 {
        return Err(Error::field("hello.schema_max", "must be at least 1"));
    }
    parts.fleet.joined(&edge, &hello.software_version, context.clock.now());
    let session = Session { context, parts, edge, follower: parts.hub.follower(), has: Mutex::default() };
    let pending = session.follow_all(hello.have)?;
    let welcome = v1::SyncWelcome { software_version: crate::VERSION.to_owned() };
    session.send(outgoing, "welcome", ToEdge::Welcome(welcome)).await?;
    tokio::select! {
        ended = session.listen(&mut incoming, outgoing) => ended,
        ended = session.tell(outgoing, pending) => ended,
        never = session.beat(outgoing) => never,
    }
}

/// Waits for the next message; none when the edge has closed its side. Kinds of messages that only newer edges send are passed over.
async fn receive(incoming: &mut Streaming<v1::SyncRequest>) -> Result<Option<FromEdge>> {
    loop {
        match tokio::time::timeout(SILENCE_MAX, incoming.message()).await {
            Err(_) => return Err(Error::unavailable("the edge was silent for too long")),
            Ok(Err(status)) => {
                tracing::debug!(%status, "an edge's stream broke");
                return Ok(None);
            }
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(v1::SyncRequest { message: Some(message) }))) => return Ok(Some(message)),
            Ok(Ok(Some(v1::SyncRequest { message: None }))) => {}
        }
    }
}

impl Session<'_> {
    /// Follows what the edge has already; returns those channels.
    fn follow_all(&self, have: Vec<v1::SyncHave>) -> Result<BTreeSet<ChannelKey>> {
        let mut pending = BTreeSet::new();
        for have in have {
            let key = channel_key_from_wire(have.key)?;
            let held = (version_from_wire(have.version)?, sha256_from_wire(&have.digest, "have.digest")?);
            self.parts.fleet.has(&self.edge, &key, held.0, have.blobs_ready);
            self.has.lock().insert(key.clone(), held);
            self.follow(&key)?;
            pending.insert(key);
        }
        Ok(pending)
    }

    fn follow(&self, key: &ChannelKey) -> Result<()> {
        if self.follower.follow(key) > CHANNELS_MAX {
            let message = format!("an edge may follow at most {CHANNELS_MAX} channels");
            return Err(Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message));
        }
        Ok(())
    }

    /// Takes in what the edge says.
    async fn listen(&self, incoming: &mut Streaming<v1::SyncRequest>, outgoing: &Outgoing) -> Result<()> {
        while let Some(message) = receive(incoming).await? {
            let fleet = &self.parts.fleet;
            fleet.heard(&self.edge, self.context.clock.now());
            match message {
                FromEdge::Hello(_) => return Err(Error::field("message", "must be a hello only once")),
                FromEdge::Interest(interest) => self.follow(&channel_key_from_wire(interest.key)?)?,
                FromEdge::Ack(ack) => {
                    fleet.acked(&self.edge, &channel_key_from_wire(ack.key)?, version_from_wire(ack.version)?);
                }
                FromEdge::Nack(nack) => {
                    let (key, version) = (channel_key_from_wire(nack.key)?, version_from_wire(nack.version)?);
                    let reason = cut(nack.reason);
                    tracing::warn!(edge = %self.edge, ?key, ?version, reason, "an edge refused a snapshot");
                    fleet.refused(&self.edge, &key, version, reason);
                }
                FromEdge::Ready(ready) => {
                    fleet.ready(&self.edge, &channel_key_from_wire(ready.key)?, version_from_wire(ready.version)?);
                }
                FromEdge::KeyInterest(interest) => self.hear_key(outgoing, interest.deployment_key).await?,
                FromEdge::DeltaWish(wish) => {
                    let from = sha256_from_wire(&wish.from_bundle_sha256, "from_bundle_sha256")?;
                    self.hear_wish(wish.key, Base::Bundle(from), &wish.to_bundle_sha256).await?;
                }
                FromEdge::PackageDiffWish(wish) => {
                    let from = sha256_from_wire(&wish.from_package_sha256, "from_package_sha256")?;
                    self.hear_wish(wish.key, Base::Package(from), &wish.to_bundle_sha256).await?;
                }
                FromEdge::Heartbeat(_) => {}
            }
        }
        Ok(())
    }

    /// Follows the channel that has the key: its snapshot, which names the key, is the answer.
    async fn hear_key(&self, outgoing: &Outgoing, deployment_key: String) -> Result<()> {
        let text = deployment_key.clone();
        match self.context.read(move |conn| deployment_keys::find_channel(conn, &text)).await {
            Ok(Some(key)) => self.follow(&key),
            Ok(None) => {
                let absent = v1::SyncKeyAbsent { deployment_key };
                self.send(outgoing, "key-absent", ToEdge::KeyAbsent(absent)).await
            }
            Err(error) => {
                // The edge asks again when a device does.
                tracing::debug!(cause = chain(&error), "a deployment key could not be looked up");
                Ok(())
            }
        }
    }

    async fn hear_wish(&self, key: Option<v1::ChannelKey>, from: Base, to: &[u8]) -> Result<()> {
        let (key, to) = (channel_key_from_wire(key)?, sha256_from_wire(to, "to_bundle_sha256")?);
        if let Err(error) = self.parts.wishes.hear(self.context, &key, from, to).await {
            tracing::debug!(cause = chain(&error), "a wish for a patch is not met");
        }
        Ok(())
    }

    /// Tells the edge what changes. `pending` are the channels after which it is caught up.
    async fn tell(&self, outgoing: &Outgoing, mut pending: BTreeSet<ChannelKey>) -> Result<()> {
        let mut is_caught_up = false;
        loop {
            if pending.is_empty() && !is_caught_up {
                is_caught_up = true;
                self.send(outgoing, "caught-up", ToEdge::CaughtUp(v1::SyncCaughtUp {})).await?;
            }
            let (key, state) = self.follower.next().await;
            match state {
                State::Present(encoded) => self.tell_snapshot(outgoing, &key, &encoded).await?,
                State::Absent => {
                    self.has.lock().remove(&key);
                    let absent = v1::SyncAbsent { key: Some(channel_key_to_wire(&key)) };
                    self.send(outgoing, "absent", ToEdge::Absent(absent)).await?;
                }
            }
            pending.remove(&key);
        }
    }

    /// Sends the snapshot unless the edge has it.
    async fn tell_snapshot(&self, outgoing: &Outgoing, key: &ChannelKey, encoded: &Encoded) -> Result<()> {
        let held = (encoded.version, encoded.digest);
        if self.has.lock().get(key) == Some(&held) {
            return Ok(());
        }
        let snapshot = v1::SyncSnapshot {
            key: Some(channel_key_to_wire(key)),
            version: Some(version_to_wire(encoded.version)),
            digest: proto::convert::sha256_to_wire(&encoded.digest),
            encoded: encoded.bytes.clone(),
        };
        self.send(outgoing, "snapshot", ToEdge::Snapshot(snapshot)).await?;
        self.parts.fleet.sent_bytes.inc_by(encoded.bytes.len() as u64);
        self.has.lock().insert(key.clone(), held);
        Ok(())
    }

    /// Says that the control plane is alive, and writes down that the edge is.
    async fn beat(&self, outgoing: &Outgoing) -> Result<()> {
        let mut beats = tokio::time::interval(HEARTBEAT);
        let mut seen = tokio::time::interval(SEEN_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        seen.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.tick().await;
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    let beat = v1::SyncHeartbeat { now_us: self.context.clock.now().as_us() };
                    self.send(outgoing, "heartbeat", ToEdge::Heartbeat(beat)).await?;
                }
                _ = seen.tick() => self.note_seen().await,
            }
        }
    }

    async fn note_seen(&self) {
        let now = self.context.clock.now();
        let row = db::edges::Edge {
            id: self.edge.clone(),
            name: self.edge.to_string(),
            token_hash: self.parts.token_hash,
            created_at: now,
            last_seen_at: now,
        };
        if let Err(error) = self.context.db.write_relaxed(move |tx| db::edges::upsert_seen(tx, &row)).await {
            tracing::debug!(%error, "an edge's visit could not be written down");
        }
    }

    async fn send(&self, outgoing: &Outgoing, kind: &'static str, message: ToEdge) -> Result<()> {
        let sent = outgoing.send(Ok(v1::SyncResponse { message: Some(message) })).await;
        sent.map_err(|_| Error::unavailable("the edge has gone"))?;
        self.parts.fleet.sent(kind);
        Ok(())
    }
}

fn cut(mut text: String) -> String {
    if text.len() > REASON_MAX_BYTES {
        let end = (0..=REASON_MAX_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
