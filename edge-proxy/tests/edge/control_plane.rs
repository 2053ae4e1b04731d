//! This file's job is to play the control plane's side of the contract, as each test needs it.

use parking_lot::Mutex;
use proto::convert::{channel_key_to_wire, encode_snapshot, sha256_to_wire, version_to_wire};
use proto::v1;
use proto::v1::edge_service_server::{EdgeService, EdgeServiceServer};
use proto::v1::sync_request::Message as Said;
use proto::v1::sync_response::Message as Reply;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

pub const TOKEN: &str = "enrolment-token-of-the-test";

type Line = mpsc::Sender<Result<v1::SyncResponse, Status>>;

#[derive(Default)]
pub struct Script {
    pub channels: HashMap<KeyText, v1::SyncSnapshot>,
    /// The channel of each deployment key.
    pub keys: HashMap<String, KeyText>,
    pub heard: Vec<Said>,
    pub sessions: usize,
    pub pushed: Vec<v1::PushTelemetryRequest>,
    /// What was counted, each batch once.
    pub counted: Vec<v1::PushTalliesRequest>,
    pub refuse_pushes: bool,
    /// What blobs are read from.
    pub store: Option<blob::Store>,
    line: Option<Line>,
}

pub type KeyText = String;

/// A running control plane. Clones share it.
#[derive(Clone, Default)]
pub struct ControlPlane(pub Arc<Mutex<Script>>);

pub struct Running {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Kills the server and every stream.
    pub async fn kill(mut self) {
        self.stop.take();
        self.task.abort();
        let _ = self.task.await;
    }
}

pub fn text(key: &v1::ChannelKey) -> String {
    format!("{}/{}", key.app_id, key.channel_name)
}

/// Wraps a snapshot as the control plane does.
pub fn envelope(snapshot: &domain::snapshot::ChannelSnapshot) -> v1::SyncSnapshot {
    let encoded = encode_snapshot(snapshot);
    v1::SyncSnapshot {
        key: Some(channel_key_to_wire(&snapshot.key)),
        version: Some(version_to_wire(snapshot.version)),
        digest: sha256_to_wire(&domain::Sha256::of(&encoded)),
        encoded,
    }
}

impl ControlPlane {
    /// Makes the snapshot the channel's state, and pushes it when an edge is connected.
    pub async fn publish(&self, snapshot: &domain::snapshot::ChannelSnapshot) {
        let envelope = envelope(snapshot);
        let key = text(envelope.key.as_ref().unwrap());
        {
            let mut script = self.0.lock();
            script.keys.extend(snapshot.codepush.keys.keys().map(|known| (known.to_string(), key.clone())));
            script.channels.insert(key, envelope.clone());
        }
        self.say(Reply::Snapshot(envelope)).await;
    }

    /// Sends any message.
    pub async fn say(&self, message: Reply) {
        let line = self.0.lock().line.clone();
        if let Some(line) = line {
            let _ = line.send(Ok(v1::SyncResponse { message: Some(message) })).await;
        }
    }

    pub fn acks(&self) -> Vec<v1::SyncAck> {
        let script = self.0.lock();
        script
            .heard
            .iter()
            .filter_map(|said| if let Said::Ack(ack) = said { Some(ack.clone()) } else { None })
            .collect()
    }

    /// Returns the versions whose bytes the edge says it has.
    pub fn ready(&self) -> Vec<u64> {
        let script = self.0.lock();
        let ready = script.heard.iter();
        ready
            .filter_map(|said| if let Said::Ready(ready) = said { Some(ready.version?.version) } else { None })
            .collect()
    }

    pub fn nacks(&self) -> Vec<v1::SyncNack> {
        let script = self.0.lock();
        let nacks = script.heard.iter();
        nacks.filter_map(|said| if let Said::Nack(nack) = said { Some(nack.clone()) } else { None }).collect()
    }

    pub fn hellos(&self) -> Vec<v1::SyncHello> {
        let script = self.0.lock();
        let hellos = script.heard.iter();
        hellos.filter_map(|said| if let Said::Hello(hello) = said { Some(hello.clone()) } else { None }).collect()
    }

    pub fn wishes(&self) -> Vec<v1::SyncDeltaWish> {
        let script = self.0.lock();
        let wishes = script.heard.iter();
        wishes.filter_map(|said| if let Said::DeltaWish(wish) = said { Some(wish.clone()) } else { None }).collect()
    }

    pub fn package_diff_wishes(&self) -> Vec<v1::SyncPackageDiffWish> {
        let script = self.0.lock();
        let wishes = script.heard.iter();
        wishes
            .filter_map(|said| if let Said::PackageDiffWish(wish) = said { Some(wish.clone()) } else { None })
            .collect()
    }

    pub fn key_interests(&self) -> usize {
        self.0.lock().heard.iter().filter(|said| matches!(said, Said::KeyInterest(_))).count()
    }

    pub fn beats(&self) -> usize {
        self.0.lock().heard.iter().filter(|said| matches!(said, Said::Heartbeat(_))).count()
    }

    pub fn events(&self) -> Vec<v1::TelemetryEvent> {
        self.0.lock().pushed.iter().flat_map(|push| push.events.clone()).collect()
    }

    /// Returns how often something was counted, and its bytes.
    pub fn counted(&self, measure: &str) -> (u64, u64) {
        let script = self.0.lock();
        let tallies = script.counted.iter().flat_map(|push| &push.tallies).filter(|tally| tally.measure == measure);
        tallies.fold((0, 0), |sum, tally| (sum.0 + tally.times, sum.1 + tally.bytes))
    }

    pub async fn run(&self, address: SocketAddr) -> Running {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = EdgeServiceServer::new(self.clone()).max_encoding_message_size(64 << 20);
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tonic::transport::Server::builder().add_service(service);
        let task = tokio::spawn(async move {
            let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
            tokio::select! {
                _ = serving => (),
                _ = stopped => (),
            }
        });
        Running { address, stop: Some(stop), task }
    }

    /// Ends the present stream with an error, as a killed server would.
    pub async fn cut(&self) {
        let line = self.0.lock().line.take();
        if let Some(line) = line {
            let _ = line.send(Err(Status::unavailable("cut by the test"))).await;
        }
    }

    async fn answer(&self, said: &Said, line: &Line) {
        let replies = match said {
            Said::Hello(hello) => {
                let script = self.0.lock();
                let mut replies = vec![Reply::Welcome(v1::SyncWelcome { software_version: "test".into() })];
                for have in &hello.have {
                    match script.channels.get(&text(have.key.as_ref().unwrap())) {
                        Some(snapshot) if snapshot.digest != have.digest => {
                            replies.push(Reply::Snapshot(snapshot.clone()));
                        }
                        Some(_) => {}
                        None => replies.push(Reply::Absent(v1::SyncAbsent { key: have.key.clone() })),
                    }
                }
                replies.push(Reply::CaughtUp(v1::SyncCaughtUp {}));
                replies
            }
            Said::Interest(interest) => match self.0.lock().channels.get(&text(interest.key.as_ref().unwrap())) {
                Some(snapshot) => vec![Reply::Snapshot(snapshot.clone())],
                None => vec![Reply::Absent(v1::SyncAbsent { key: interest.key.clone() })],
            },
            Said::KeyInterest(interest) => {
                let script = self.0.lock();
                let found = script.keys.get(&interest.deployment_key).and_then(|channel| script.channels.get(channel));
                match found {
                    Some(snapshot) => vec![Reply::Snapshot(snapshot.clone())],
                    None => {
                        let deployment_key = interest.deployment_key.clone();
                        vec![Reply::KeyAbsent(v1::SyncKeyAbsent { deployment_key })]
                    }
                }
            }
            Said::Ack(_)
            | Said::Nack(_)
            | Said::Ready(_)
            | Said::Heartbeat(_)
            | Said::DeltaWish(_)
            | Said::PackageDiffWish(_) => vec![],
        };
        for reply in replies {
            let _ = line.send(Ok(v1::SyncResponse { message: Some(reply) })).await;
        }
    }
}

fn authorized<T>(request: &Request<T>) -> Result<(), Status> {
    let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {TOKEN}")) { Ok(()) } else { Err(Status::unauthenticated("no token")) }
}

#[tonic::async_trait]
impl EdgeService for ControlPlane {
    type SyncStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        authorized(&request)?;
        let (line, replies) = mpsc::channel(256);
        {
            let mut script = self.0.lock();
            script.sessions += 1;
            script.line = Some(line.clone());
        }
        let (this, mut said) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Some(Ok(message)) = said.next().await {
                let Some(message) = message.message else { continue };
                this.0.lock().heard.push(message.clone());
                this.answer(&message, &line).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn push_telemetry(
        &self,
        request: Request<v1::PushTelemetryRequest>,
    ) -> Result<Response<v1::PushTelemetryResponse>, Status> {
        authorized(&request)?;
        let mut script = self.0.lock();
        if script.refuse_pushes {
            return Err(Status::unavailable("not now"));
        }
        let push = request.into_inner();
        let stored = push.events.len() as u32;
        script.pushed.push(push);
        Ok(Response::new(v1::PushTelemetryResponse { stored, skipped: 0 }))
    }

    async fn push_tallies(
        &self,
        request: Request<v1::PushTalliesRequest>,
    ) -> Result<Response<v1::PushTalliesResponse>, Status> {
        authorized(&request)?;
        let mut script = self.0.lock();
        if script.refuse_pushes {
            return Err(Status::unavailable("not now"));
        }
        let push = request.into_inner();
        let name = |push: &v1::PushTalliesRequest| (push.ledger, push.sequence);
        let repeated = script.counted.iter().any(|known| name(known) == name(&push));
        if !repeated {
            script.counted.push(push);
        }
        Ok(Response::new(v1::PushTalliesResponse { repeated }))
    }

    async fn read_blob(&self, request: Request<v1::ReadBlobRequest>) -> Result<Response<v1::ReadBlobResponse>, Status> {
        authorized(&request)?;
        let request = request.into_inner();
        let (store, sha256) = (self.0.lock().store.clone().unwrap(), request.sha256.as_ref().try_into().unwrap());
        let range = request.offset..request.offset + u64::from(request.size_bytes);
        let content = store.get_range(&sha256, range).await.map_err(|error| Status::not_found(error.to_string()))?;
        Ok(Response::new(v1::ReadBlobResponse { content }))
    }
}
