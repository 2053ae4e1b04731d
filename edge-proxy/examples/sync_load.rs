//! This file's job is to put load on edges' snapshots for `./x bench sync`: fill a folder with them, or follow a channel over many streams.
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed")]

use domain::bundle::{Blob, BundleFile, Engine, FileRole, content_hash};
use domain::id::{AppId, ChannelId, EdgeId, ReleaseId};
use domain::release::{Content, Release, Retreat, Rollout, RolloutState};
use domain::snapshot::{ChannelKey, ChannelSnapshot, OfferedBundle, SnapshotVersion, TokenKey};
use domain::target::Target;
use domain::{Platform, Ppm, Sha256, Timestamp};
use proto::v1;
use proto::v1::edge_service_client::EdgeServiceClient;
use proto::v1::release_service_client::ReleaseServiceClient;
use proto::v1::sync_request::Message as Said;
use proto::v1::sync_response::Message as Heard;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Edges that follow the channel.
const STREAMS: usize = 100;
/// A change that takes longer has not arrived.
const PATIENCE: Duration = Duration::from_secs(30);
/// Channels of one app.
const CHANNELS_PER_APP: u32 = 10;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["fill", folder, channels, releases] => {
            fill(Path::new(folder), channels.parse().unwrap(), releases.parse().unwrap());
        }
        ["streams", server, token, key, app, channel, release, rounds] => {
            let publisher = Publisher { key, release, channel: Endpoint::from_shared((*server).to_owned()).unwrap() };
            let wanted = v1::ChannelKey { app_id: (*app).to_owned(), channel_name: (*channel).to_owned() };
            println!("{:?}", follow(publisher, token, wanted, rounds.parse().unwrap()).await);
        }
        _ => panic!(
            "usage: sync_load fill FOLDER CHANNELS RELEASES | streams SERVER TOKEN KEY APP CHANNEL RELEASE ROUNDS"
        ),
    }
}

/// Writes snapshots as an edge keeps them on disk (`edge-proxy/src/snapshot/disk.rs` says how).
fn fill(folder: &Path, channels: u32, releases: u32) {
    for number in 0..channels {
        let snapshot = snapshot(number, releases);
        let encoded = proto::convert::encode_snapshot(&snapshot);
        let place = folder.join("snapshots").join(snapshot.key.app.as_str()).join(snapshot.key.channel.as_str());
        std::fs::create_dir_all(&place).unwrap();
        let file = [b"ALOFTSN1".as_slice(), Sha256::of(&encoded).as_bytes(), &encoded].concat();
        std::fs::write(place.join("current"), file).unwrap();
    }
}

fn random(number: u32) -> [u8; 10] {
    let mut random = [0; 10];
    random[..4].copy_from_slice(&number.to_be_bytes());
    random
}

/// A channel as a small app has it: some releases, of which the newest is offered, as a launch file and three assets.
fn snapshot(number: u32, releases: u32) -> ChannelSnapshot {
    let at = Timestamp::from_us(1_790_000_000_000_000);
    let blobs: Vec<Arc<Blob>> = (0..4).map(|file| Blob::of(format!("{number}/{file}").as_bytes()).into()).collect();
    let files: Vec<BundleFile> = blobs
        .iter()
        .enumerate()
        .map(|(file, blob)| BundleFile {
            path: format!("assets/{file}.png"),
            sha256: blob.sha256,
            size_bytes: blob.size_bytes,
            role: if file == 0 { FileRole::Launch } else { FileRole::Asset },
        })
        .collect();
    let hash = content_hash(&files);
    let release = |seq: u32| Release {
        id: ReleaseId::from_parts(at, random(seq)),
        seq: u64::from(seq),
        platform: Platform::Ios,
        target: Target::BinaryRange("1.x".parse().unwrap()),
        content: Content::Bundle(hash),
        mandatory: false,
        enabled: true,
        rollout: Rollout {
            state: RolloutState::Active,
            share: Ppm::ALL,
            salt: format!("salt-{seq}"),
            retreat: Retreat::Stay,
        },
        notes: format!("What is new in release {seq}"),
    };
    let bundle = OfferedBundle { engine: Engine::Hermes, files, blobs, variants: vec![] };
    let app = AppId::from_parts(at, random(number / CHANNELS_PER_APP));
    ChannelSnapshot {
        key: ChannelKey { app, channel: format!("channel-{}", number % CHANNELS_PER_APP).parse().unwrap() },
        channel_id: ChannelId::from_parts(at, random(number)),
        version: SnapshotVersion { epoch: 1, version: 1 },
        blocked: false,
        releases: (1..=releases).rev().map(release).collect(),
        bundles: std::iter::once((hash, bundle.into())).collect(),
        deltas: vec![],
        pins: [].into(),
        token_keys: vec![TokenKey { generation: 1, secret: [1; 32] }],
        revoked_devices: [].into(),
        registration_closed: false,
        codepush: Default::default(),
        expo: Default::default(),
    }
}

/// Who changes a release.
struct Publisher<'a> {
    key: &'a str,
    release: &'a str,
    channel: Endpoint,
}

impl Publisher<'_> {
    async fn change(&self, channel: &Channel, round: usize) {
        let name = self.release.to_owned();
        let release = v1::Release { name, notes: format!("round {round}"), ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["notes".to_owned()] });
        let request = v1::UpdateReleaseRequest { release: Some(release), update_mask, etag: String::new() };
        let request = authorized(request, self.key);
        ReleaseServiceClient::new(channel.clone()).update_release(request).await.unwrap();
    }
}

fn authorized<T>(message: T, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

/// Returns, for each round, the milliseconds from before the call that changes the release until the last edge has acknowledged the state.
async fn follow(publisher: Publisher<'_>, token: &str, wanted: v1::ChannelKey, rounds: usize) -> Vec<f64> {
    let (note, mut acked) = mpsc::channel(STREAMS);
    for number in 0..STREAMS {
        tokio::spawn(edge(number, publisher.channel.clone(), token.to_owned(), wanted.clone(), note.clone()));
    }
    all(&mut acked).await;
    let channel = publisher.channel.connect().await.unwrap();
    let mut samples = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let began = Instant::now();
        publisher.change(&channel, round).await;
        samples.push((all(&mut acked).await - began).as_secs_f64() * 1_000.0);
    }
    samples
}

/// Waits until every edge has acknowledged, and returns when the last one did.
async fn all(acked: &mut mpsc::Receiver<Instant>) -> Instant {
    let mut last = None;
    for _ in 0..STREAMS {
        last = last.max(tokio::time::timeout(PATIENCE, acked.recv()).await.unwrap());
    }
    last.unwrap()
}

/// Follows the channel as an edge does, on a connection of its own.
async fn edge(number: usize, server: Endpoint, token: String, key: v1::ChannelKey, note: mpsc::Sender<Instant>) {
    let (say, said) = mpsc::channel(16);
    let put = async |message| say.send(v1::SyncRequest { message: Some(message) }).await.unwrap();
    let edge_id = EdgeId::from_parts(Timestamp::from_us(1), random(number as u32)).to_string();
    put(Said::Hello(v1::SyncHello { edge_id, software_version: "bench".into(), schema_max: 1, have: vec![] })).await;
    put(Said::Interest(v1::SyncInterest { key: Some(key) })).await;
    let mut client = EdgeServiceClient::new(server.connect().await.unwrap());
    let mut stream = client.sync(authorized(ReceiverStream::new(said), &token)).await.unwrap().into_inner();
    let mut beats = tokio::time::interval(Duration::from_secs(5));
    loop {
        let message = tokio::select! {
            message = stream.message() => message,
            _ = beats.tick() => {
                put(Said::Heartbeat(v1::SyncHeartbeat { now_us: 0 })).await;
                continue;
            }
        };
        let Ok(Some(v1::SyncResponse { message: Some(message) })) = message else { return };
        if let Heard::Snapshot(snapshot) = message {
            assert_eq!(snapshot.digest.as_ref(), Sha256::of(&snapshot.encoded).as_bytes());
            let v1::SyncSnapshot { key, version, digest, .. } = snapshot;
            put(Said::Ack(v1::SyncAck { key, version, digest })).await;
            // An error means that the measurement is over.
            let _ = note.send(Instant::now()).await;
        }
    }
}
