//! This file's job is to keep snapshots fresh over one stream to the control plane.

pub(crate) mod apply;
pub(crate) mod interest;
pub(crate) mod wishes;

use crate::blobs::prefetch::Prefetch;
use crate::blobs::ready::Readiness;
use crate::meters::{Meters, SyncState};
use crate::snapshot::ENCODED_MAX_BYTES;
use crate::snapshot::channels::Channels;
use apply::Applier;
use domain::codepush::DeploymentKey;
use domain::id::EdgeId;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use interest::{Found, Interests, Wanted};
use proto::convert;
use proto::v1;
use runtime::backoff::Backoff;
use runtime::clock::Clock;
use runtime::failpoint;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use v1::edge_service_client::EdgeServiceClient;
use v1::sync_request::Message as Said;
use v1::sync_response::Message as Heard;
use wishes::{Base, Wish, Wishes};

/// Agreed with the control plane.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Three missed heartbeats: the stream is lost even when the connection still stands.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A short break heals at once; a long one must not make a herd of edges.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Messages that wait to be put to use; more make the other side wait.
const HEARD_MAX: usize = 64;
/// Messages that wait to be sent: one for every channel that an edge may follow, with room to spare. Reading never waits for writing, so
/// the two sides cannot wait for each other.
const SAID_MAX: usize = 128 * 1024;
/// A snapshot and its envelope.
const MESSAGE_MAX_BYTES: usize = ENCODED_MAX_BYTES + 64 * 1024;
/// The newest snapshot schema that this edge understands.
const SCHEMA_MAX: u32 = 1;

/// Keeps the stream.
pub(crate) struct Sync {
    pub(crate) control_plane: Channel,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) edge: EdgeId,
    pub(crate) channels: Arc<Channels>,
    pub(crate) interests: Arc<Interests>,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) applier: Arc<Applier>,
    pub(crate) prefetch: Option<Prefetch>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) health: Component,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
}

/// Why a session ended.
#[derive(Debug, Error)]
enum Ended {
    #[error("{}: {}", .0.code(), .0.message())]
    Refused(#[from] tonic::Status),
    #[error("the control plane was silent for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error("the control plane ended the stream")]
    Closed,
    #[error("the control plane does not read what it is sent")]
    Stuck,
}

impl Sync {
    /// Runs until it is time to stop; a lost stream is begun again.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
        while !self.stop.is_stopped() {
            let ended = self.stop.run_until(self.session(&mut backoff)).await;
            self.interests.set_fresh(false);
            self.meters.sync.is(SyncState::Away);
            let Some(ended) = ended else { return };
            let why = ended.err().unwrap_or(Ended::Closed).to_string();
            tracing::warn!(why, "the stream to the control plane is lost");
            self.health.set(State::Degraded, &why);
            if self.stop.run_until(tokio::time::sleep(backoff.next_wait())).await.is_none() {
                return;
            }
        }
    }

    async fn session(&self, backoff: &mut Backoff) -> Result<(), Ended> {
        let (say, said) = mpsc::channel(SAID_MAX);
        let (work, pending) = mpsc::channel(HEARD_MAX);
        put(&say, self.hello())?;
        let mut request = tonic::Request::new(ReceiverStream::new(said));
        request.metadata_mut().insert("authorization", self.authorization.clone());
        let mut client =
            EdgeServiceClient::new(self.control_plane.clone()).max_decoding_message_size(MESSAGE_MAX_BYTES);
        self.meters.sync_sessions.inc();
        let stream = timeout(silence_max(), client.sync(request)).await.map_err(|_| Ended::Silent)??.into_inner();
        self.interests.begin_session();
        self.meters.sync.is(SyncState::CatchingUp);
        tokio::select! {
            ended = self.listen(stream, work) => ended,
            ended = self.speak(&say) => ended,
            ended = self.work(pending, &say, backoff) => ended,
        }
    }

    fn hello(&self) -> Said {
        let have = |channel: Arc<crate::snapshot::Channel>| v1::SyncHave {
            key: Some(convert::channel_key_to_wire(&channel.snapshot.key)),
            version: Some(convert::version_to_wire(channel.snapshot.version)),
            digest: convert::sha256_to_wire(&channel.digest),
            blobs_ready: self.readiness.has(&channel.snapshot.key, channel.snapshot.version),
        };
        Said::Hello(v1::SyncHello {
            edge_id: self.edge.to_string(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_max: SCHEMA_MAX,
            have: self.channels.all().into_iter().map(have).collect(),
        })
    }

    /// Takes messages from the stream. Only the wait for the other side counts as silence.
    async fn listen(
        &self,
        mut stream: tonic::Streaming<v1::SyncResponse>,
        work: mpsc::Sender<Heard>,
    ) -> Result<(), Ended> {
        loop {
            let response = timeout(silence_max(), stream.message()).await.map_err(|_| Ended::Silent)??;
            self.meters.sync.heard();
            match response.ok_or(Ended::Closed)?.message {
                Some(Heard::Heartbeat(_)) | None => {}
                Some(message) => work.send(message).await.map_err(|_| Ended::Closed)?,
            }
        }
    }

    /// Sends heartbeats, says which bytes have come, and asks for what devices want.
    async fn speak(&self, say: &mpsc::Sender<v1::SyncRequest>) -> Result<(), Ended> {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wishes = tokio::time::interval(wishes::SEND_EVERY);
        wishes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let messages = tokio::select! {
                _ = heartbeat.tick() => vec![Said::Heartbeat(v1::SyncHeartbeat { now_us: self.clock.now().as_us() })],
                wanted = self.interests.wanted() => say_wanted(&wanted),
                ready = self.readiness.news() => ready.iter().map(say_ready).collect(),
                _ = wishes.tick() => self.wishes.take().iter().map(say_wish).collect(),
            };
            for message in messages {
                put(say, message)?;
            }
        }
    }

    /// Puts what was heard to use, in the order in which it came.
    async fn work(
        &self,
        mut pending: mpsc::Receiver<Heard>,
        say: &mpsc::Sender<v1::SyncRequest>,
        backoff: &mut Backoff,
    ) -> Result<(), Ended> {
        loop {
            match pending.recv().await.ok_or(Ended::Closed)? {
                Heard::Snapshot(snapshot) => {
                    let reply = self.apply(snapshot).await?;
                    put(say, reply)?;
                }
                Heard::Absent(absent) => self.remove(absent).await?,
                Heard::KeyAbsent(absent) => {
                    if let Ok(key) = absent.deployment_key.parse() {
                        self.interests.resolve_key(&key, Found::Absent);
                    }
                }
                Heard::CaughtUp(_) => {
                    backoff.reset();
                    self.interests.set_fresh(true);
                    self.meters.sync.is(SyncState::Current);
                    self.health.set(State::Ready, "caught up");
                    tracing::info!(channels = self.channels.len(), "caught up with the control plane");
                }
                Heard::Welcome(welcome) => {
                    tracing::info!(version = welcome.software_version, "the control plane answers");
                }
                Heard::Heartbeat(_) => {}
            }
        }
    }

    async fn apply(&self, snapshot: v1::SyncSnapshot) -> Result<Said, Ended> {
        let applier = self.applier.clone();
        let outcome = tokio::task::spawn_blocking(move || applier.apply(snapshot)).await.map_err(|_| Ended::Closed)?;
        if let (Some(prefetch), Some(channel)) = (&self.prefetch, &outcome.applied) {
            prefetch.request(channel);
        }
        Ok(outcome.reply)
    }

    async fn remove(&self, absent: v1::SyncAbsent) -> Result<(), Ended> {
        let Ok(key) = convert::channel_key_from_wire(absent.key) else { return Ok(()) };
        self.readiness.forget(&key);
        let applier = self.applier.clone();
        tokio::task::spawn_blocking(move || applier.remove(&key)).await.map_err(|_| Ended::Closed)
    }
}

fn say_wanted(wanted: &Wanted) -> Vec<Said> {
    let interest = |key| Said::Interest(v1::SyncInterest { key: Some(convert::channel_key_to_wire(key)) });
    let key_interest = |key: &DeploymentKey| Said::KeyInterest(v1::SyncKeyInterest { deployment_key: key.to_string() });
    wanted.channels.iter().map(interest).chain(wanted.keys.iter().map(key_interest)).collect()
}

fn say_ready((key, version): &(ChannelKey, SnapshotVersion)) -> Said {
    let (key, version) = (convert::channel_key_to_wire(key), convert::version_to_wire(*version));
    Said::Ready(v1::SyncReady { key: Some(key), version: Some(version) })
}

fn say_wish(wish: &Wish) -> Said {
    let (key, to_bundle_sha256) = (Some(convert::channel_key_to_wire(&wish.key)), convert::sha256_to_wire(&wish.to));
    match &wish.from {
        Base::Bundle(from) => {
            let from_bundle_sha256 = convert::sha256_to_wire(from);
            Said::DeltaWish(v1::SyncDeltaWish { key, from_bundle_sha256, to_bundle_sha256 })
        }
        Base::Package(from) => {
            let from_package_sha256 = convert::sha256_to_wire(from);
            Said::PackageDiffWish(v1::SyncPackageDiffWish { key, from_package_sha256, to_bundle_sha256 })
        }
    }
}

/// Queues a message, without waiting.
fn put(say: &mpsc::Sender<v1::SyncRequest>, message: Said) -> Result<(), Ended> {
    say.try_send(v1::SyncRequest { message: Some(message) }).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Ended::Stuck,
        mpsc::error::TrySendError::Closed(_) => Ended::Closed,
    })
}

/// How long the control plane may be silent.
fn silence_max() -> Duration {
    if failpoint::is_broken("edge.silence-noticed") { Duration::MAX } else { SILENCE_MAX }
}
