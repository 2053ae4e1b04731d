//! This file's job is to check what an edge is told, and when.

use crate::on_both_databases;
use crate::rig::{EDGE_TOKEN, PATIENCE, Rig, now, reason, with};
use domain::Sha256;
use domain::id::{DeviceId, EdgeId, EventId};
use proto::v1::sync_request::Message as FromEdge;
use proto::v1::sync_response::Message as ToEdge;
use proto::v1::{self, Platform};
use runtime::random;
use std::time::Duration;
use testkit::wait_until_async;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

on_both_databases!(
    a_published_release_reaches_the_edge,
    absent_channels_are_told_and_appear,
    what_the_edge_has_is_not_sent_again,
    a_slow_edge_gets_the_newest_state_only,
    a_stop_ends_open_streams_in_time,
    telemetry_is_stored_once,
    a_batch_that_is_too_large_is_refused_whole,
    a_stream_that_breaks_a_rule_ends_with_its_name,
    a_delta_that_devices_miss_is_made_once,
    a_diff_that_codepush_s_devices_miss_is_made_once,
    a_channel_is_found_by_its_deployment_key,
    an_edge_reads_bytes_of_blobs,
);

pub struct Edge {
    pub to: Sender<v1::SyncRequest>,
    from: Streaming<v1::SyncResponse>,
    id: EdgeId,
}

impl Edge {
    pub async fn connect(rig: &Rig, have: Vec<v1::SyncHave>) -> Self {
        let id = EdgeId::from_parts(now(), random::bytes());
        let (to, receiver) = tokio::sync::mpsc::channel(16);
        let hello = v1::SyncHello { edge_id: id.to_string(), software_version: "test".into(), schema_max: 1, have };
        to.send(v1::SyncRequest { message: Some(FromEdge::Hello(hello)) }).await.unwrap();
        let stream = rig.edges().sync(with(EDGE_TOKEN, ReceiverStream::new(receiver))).await.unwrap().into_inner();
        let mut edge = Self { to, from: stream, id };
        assert!(matches!(edge.next().await, ToEdge::Welcome(_)));
        edge
    }

    pub async fn want(&self, key: &v1::ChannelKey) {
        let interest = v1::SyncInterest { key: Some(key.clone()) };
        self.to.send(v1::SyncRequest { message: Some(FromEdge::Interest(interest)) }).await.unwrap();
    }

    /// Returns the next message that is not a heartbeat.
    async fn next(&mut self) -> ToEdge {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.from.message()).await.unwrap().unwrap();
            match message.unwrap().message.unwrap() {
                ToEdge::Heartbeat(_) => {}
                other => return other,
            }
        }
    }

    pub async fn snapshot(&mut self) -> (v1::SyncSnapshot, domain::snapshot::ChannelSnapshot) {
        loop {
            match self.next().await {
                ToEdge::Snapshot(wire) => {
                    assert_eq!(wire.digest.as_ref(), Sha256::of(&wire.encoded).as_bytes());
                    let snapshot = proto::convert::decode_snapshot(&wire.encoded).unwrap();
                    return (wire, snapshot);
                }
                ToEdge::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

pub fn key(app: &v1::App, channel: &str) -> v1::ChannelKey {
    v1::ChannelKey { app_id: app.app_id.clone(), channel_name: channel.into() }
}

async fn a_published_release_reaches_the_edge(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    assert!(matches!(edge.next().await, ToEdge::CaughtUp(_)));
    edge.want(&key(&app, "production")).await;
    assert!(edge.snapshot().await.1.releases.is_empty());
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await;
    let (wire, snapshot) = edge.snapshot().await;
    assert_eq!(snapshot.releases[0].id.as_str(), release.release_id);
    assert_eq!(snapshot.bundles.len(), 1);
    assert_eq!(snapshot.token_keys.len(), 1);
    let ack = v1::SyncAck { key: wire.key, version: wire.version, digest: wire.digest };
    edge.to.send(v1::SyncRequest { message: Some(FromEdge::Ack(ack)) }).await.unwrap();
    let (db, id) = (rig.db.clone(), edge.id.clone());
    wait_until_async(PATIENCE, async || {
        let id = id.clone();
        db.read(move |conn| db::edges::find(conn, &id)).await.unwrap().is_some()
    })
    .await;
}

async fn a_channel_is_found_by_its_deployment_key(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    assert!(matches!(edge.next().await, ToEdge::CaughtUp(_)));
    let text = "deployment-key-1";
    let ask = async |edge: &Edge, deployment_key: &str| {
        let interest = v1::SyncKeyInterest { deployment_key: deployment_key.to_owned() };
        edge.to.send(v1::SyncRequest { message: Some(FromEdge::KeyInterest(interest)) }).await.unwrap();
    };
    for unknown in [text, "no key at all"] {
        ask(&edge, unknown).await;
        assert!(matches!(edge.next().await, ToEdge::KeyAbsent(absent) if absent.deployment_key == unknown));
    }
    let request = v1::CreateDeploymentKeyRequest {
        parent: channel.name.clone(),
        platform: Platform::Ios.into(),
        deployment_key: text.to_owned(),
        request_id: String::new(),
    };
    rig.deployment_keys().create_deployment_key(rig.ask(request)).await.unwrap();
    ask(&edge, text).await;
    let (wire, snapshot) = edge.snapshot().await;
    assert_eq!(wire.key, Some(key(&app, "production")));
    assert!(snapshot.codepush.keys.contains_key(&text.parse().unwrap()));
    // From now on the channel's releases are packed.
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await;
    let (scope, release_id) = (rig.scope.clone(), release.release_id.parse().unwrap());
    let packing = domain::job::Job::MakePackage { release: release_id };
    let queued = rig.db.read(move |conn| db::queue::find(conn, &scope, &packing)).await.unwrap();
    let is_android = release.platform() == Platform::Android;
    assert_eq!(queued.is_some(), !is_android, "only for the key's platform");
}

async fn absent_channels_are_told_and_appear(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    assert!(matches!(edge.next().await, ToEdge::CaughtUp(_)));
    edge.want(&key(&app, "later")).await;
    assert!(matches!(edge.next().await, ToEdge::Absent(absent) if absent.key == Some(key(&app, "later"))));
    let channel = rig.channel_of(&app, "later").await;
    assert_eq!(edge.snapshot().await.0.key, Some(key(&app, "later")));
    let delete = v1::DeleteChannelRequest { name: channel.name, etag: String::new() };
    rig.channels().delete_channel(rig.ask(delete)).await.unwrap();
    assert!(matches!(edge.next().await, ToEdge::Absent(_)));
}

async fn what_the_edge_has_is_not_sent_again(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    edge.want(&key(&app, "production")).await;
    let (wire, _) = edge.snapshot().await;
    let have = v1::SyncHave { key: wire.key, version: wire.version, digest: wire.digest, blobs_ready: false };
    let damaged = v1::SyncHave { digest: crate::rig::sha256(b"damaged"), ..have.clone() };
    let mut same = Edge::connect(&rig, vec![have.clone()]).await;
    assert!(matches!(same.next().await, ToEdge::CaughtUp(_)), "nothing before it is caught up");
    let mut other = Edge::connect(&rig, vec![damaged]).await;
    assert!(matches!(other.next().await, ToEdge::Snapshot(_)), "another digest is another state");
    assert!(matches!(other.next().await, ToEdge::CaughtUp(_)));
    rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    assert_eq!(same.snapshot().await.1.releases.len(), 1);
    let mut late = Edge::connect(&rig, vec![have]).await;
    assert_eq!(late.snapshot().await.1.releases.len(), 1, "what changed meanwhile comes first");
}

async fn a_slow_edge_gets_the_newest_state_only(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let mut slow = Edge::connect(&rig, Vec::new()).await;
    let mut fast = Edge::connect(&rig, Vec::new()).await;
    slow.want(&key(&app, "production")).await;
    fast.want(&key(&app, "production")).await;
    // Notes of 16 KiB for each release: far more than the stream's window holds.
    let bundle = rig.bundle(&app, "one").await;
    const RELEASES: usize = 60;
    for _ in 0..RELEASES {
        let request = v1::CreateReleaseRequest {
            parent: channel.name.clone(),
            bundle: bundle.clone(),
            target: Some(crate::rig::range("1.x")),
            notes: "n".repeat(16 * 1024),
            ..Default::default()
        };
        rig.releases().create_release(rig.ask(request)).await.unwrap();
    }
    // The fast one is at the end while the slow one has read nothing.
    while fast.snapshot().await.1.releases.len() < RELEASES {}
    let (mut seen, mut last) = (0, 0);
    while last < RELEASES {
        let releases = slow.snapshot().await.1.releases.len();
        assert!(releases >= last, "a state never goes back");
        last = releases;
        seen += 1;
    }
    assert!(seen < RELEASES, "{seen} states were sent for {RELEASES} changes");
}

async fn a_stop_ends_open_streams_in_time(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    edge.want(&key(&app, "production")).await;
    edge.snapshot().await;
    let took = rig.server.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let end = tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = edge.from.message().await {} }).await;
    end.unwrap();
}

fn event(app_id: &str) -> v1::TelemetryEvent {
    v1::TelemetryEvent {
        event_id: EventId::from_parts(now(), random::bytes()).to_string(),
        app_id: app_id.to_owned(),
        channel_name: "production".into(),
        device_id: DeviceId::from_parts(now(), random::bytes()).to_string(),
        kind: "launched".into(),
        platform: Platform::Ios.into(),
        received_at_us: now().as_us(),
        ..Default::default()
    }
}

async fn a_batch_that_is_too_large_is_refused_whole(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let edge_id = EdgeId::from_parts(now(), random::bytes()).to_string();
    let events: Vec<_> = (0..1_001).map(|_| event(&app.app_id)).collect();
    let push = async |events: &[v1::TelemetryEvent], offset| {
        let (edge_id, events) = (edge_id.clone(), events.to_vec());
        let batch = v1::PushTelemetryRequest { edge_id, segment: 1, offset, events };
        rig.edges().push_telemetry(with(EDGE_TOKEN, batch)).await
    };
    assert_eq!(reason(push(&events, 0).await), v1::Reason::InvalidField);
    assert_eq!(push(&events[1..], 1).await.unwrap().into_inner().stored, 1_000, "nothing of the batch was stored");
}

async fn a_stream_that_breaks_a_rule_ends_with_its_name(rig: Rig) {
    let edge_id = EdgeId::from_parts(now(), random::bytes()).to_string();
    let hello = |edge_id: &str, schema_max| {
        FromEdge::Hello(v1::SyncHello { edge_id: edge_id.to_owned(), schema_max, ..Default::default() })
    };
    let whole = hello(&edge_id, 1);
    let nowhere = v1::ChannelKey { app_id: "app_nowhere".into(), channel_name: "production".into() };
    let wish = v1::SyncDeltaWish { from_bundle_sha256: vec![1; 31].into(), ..Default::default() };
    for messages in [
        vec![FromEdge::Interest(v1::SyncInterest::default())],
        vec![hello("edg_me", 1)],
        vec![hello(&edge_id, 0)],
        vec![whole.clone(), whole.clone()],
        vec![whole.clone(), FromEdge::Interest(v1::SyncInterest { key: Some(nowhere) })],
        vec![whole.clone(), FromEdge::Ack(v1::SyncAck::default())],
        vec![whole.clone(), FromEdge::DeltaWish(wish)],
    ] {
        let shown = format!("{messages:?}");
        let requests = messages.into_iter().map(|message| v1::SyncRequest { message: Some(message) });
        let open = tokio_stream::StreamExt::chain(tokio_stream::iter(requests), tokio_stream::pending());
        let mut answers = rig.edges().sync(with(EDGE_TOKEN, open)).await.unwrap().into_inner();
        let ended = tokio::time::timeout(PATIENCE, async {
            loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    ended => return ended,
                }
            }
        });
        assert_eq!(reason(ended.await.unwrap()), v1::Reason::InvalidField, "{shown}");
    }
}

async fn telemetry_is_stored_once(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let unknown = domain::id::AppId::from_parts(now(), random::bytes()).to_string();
    let broken = v1::TelemetryEvent { kind: "exploded".into(), ..event(&app.app_id) };
    let batch = v1::PushTelemetryRequest {
        edge_id: EdgeId::from_parts(now(), random::bytes()).to_string(),
        segment: 7,
        offset: 1_024,
        events: vec![event(&app.app_id), event(&app.app_id), event(&unknown), broken],
    };
    let push = |batch: &v1::PushTelemetryRequest| with(EDGE_TOKEN, batch.clone());
    let first = rig.edges().push_telemetry(push(&batch)).await.unwrap().into_inner();
    assert_eq!((first.stored, first.skipped), (2, 2));
    let again = rig.edges().push_telemetry(push(&batch)).await.unwrap().into_inner();
    assert_eq!((again.stored, again.skipped), (0, 4));
    let elsewhere = v1::PushTelemetryRequest { offset: 2_048, ..batch };
    let third = rig.edges().push_telemetry(push(&elsewhere)).await.unwrap().into_inner();
    assert_eq!(third.stored, 0, "an event counts once in any batch");
}

async fn a_delta_that_devices_miss_is_made_once(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (old, new) = (rig.bundle(&app, "old").await, rig.bundle(&app, "new").await);
    rig.publish(&channel, &new).await;
    let bundle = async |name: &str| {
        let request = v1::GetBundleRequest { name: name.to_owned() };
        rig.bundles().get_bundle(rig.ask(request)).await.unwrap().into_inner().bundle.unwrap()
    };
    let (old, new) = (bundle(&old).await, bundle(&new).await);
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    let wish = async |key: v1::ChannelKey, from: &[u8]| {
        let (from_bundle_sha256, to_bundle_sha256) = (from.to_vec().into(), new.content_sha256.clone());
        let wish = v1::SyncDeltaWish { key: Some(key), from_bundle_sha256, to_bundle_sha256 };
        edge.to.send(v1::SyncRequest { message: Some(FromEdge::DeltaWish(wish)) }).await.unwrap();
    };
    let before = rig.ready_jobs().await;
    let unknown = domain::id::AppId::from_parts(now(), random::bytes()).to_string();
    let stranger = v1::App { app_id: unknown, ..app.clone() };
    wish(key(&stranger, "production"), &old.content_sha256).await;
    wish(key(&app, "production"), Sha256::of(b"made up").as_bytes()).await;
    for _ in 0..3 {
        wish(key(&app, "production"), &old.content_sha256).await;
    }
    // Messages are heard one after another: what the edge is told about this one comes after all wishes.
    edge.want(&key(&app, "absent")).await;
    while !matches!(edge.next().await, ToEdge::Absent(_)) {}
    assert_eq!(rig.ready_jobs().await, before + 1);
}

async fn a_diff_that_codepush_s_devices_miss_is_made_once(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (old, new) = (rig.bundle(&app, "old").await, rig.bundle(&app, "new").await);
    rig.publish(&channel, &new).await;
    crate::rig::put_package(&rig, &rig.scope, &old, b"PK old").await;
    let request = v1::GetBundleRequest { name: new.clone() };
    let new_row = rig.bundles().get_bundle(rig.ask(request)).await.unwrap().into_inner().bundle.unwrap();
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    let wish = async |from: &[u8], to: &[u8]| {
        let (from_package_sha256, to_bundle_sha256) = (from.to_vec().into(), to.to_vec().into());
        let key = Some(key(&app, "production"));
        let wish = v1::SyncPackageDiffWish { key, from_package_sha256, to_bundle_sha256 };
        edge.to.send(v1::SyncRequest { message: Some(FromEdge::PackageDiffWish(wish)) }).await.unwrap();
    };
    let before = rig.ready_jobs().await;
    let has = Sha256::of(b"files");
    wish(Sha256::of(b"made up").as_bytes(), &new_row.content_sha256).await;
    wish(has.as_bytes(), Sha256::of(b"made up").as_bytes()).await;
    for _ in 0..3 {
        wish(has.as_bytes(), &new_row.content_sha256).await;
    }
    edge.want(&key(&app, "absent")).await;
    while !matches!(edge.next().await, ToEdge::Absent(_)) {}
    assert_eq!(rig.ready_jobs().await, before + 1);
}

async fn an_edge_reads_bytes_of_blobs(rig: Rig) {
    let blob = domain::bundle::Blob::of(b"bytes of a blob");
    rig.store.put(&blob, &b"bytes of a blob"[..]).await.unwrap();
    let read = async |sha256: &[u8], offset, size_bytes| {
        let request = v1::ReadBlobRequest { sha256: sha256.to_vec().into(), offset, size_bytes };
        rig.edges().read_blob(with(EDGE_TOKEN, request)).await
    };
    let name = blob.sha256.as_bytes();
    assert_eq!(read(name, 6, 9).await.unwrap().into_inner().content, "of a blob");
    let absent = Sha256::of(b"not there");
    assert_eq!(read(absent.as_bytes(), 0, 1).await.unwrap_err().code(), tonic::Code::NotFound);
    assert_eq!(reason(read(name, 0, (1 << 20) + 1).await), v1::Reason::InvalidField);
    assert_eq!(reason(read(&name[1..], 0, 1).await), v1::Reason::InvalidField);
}
