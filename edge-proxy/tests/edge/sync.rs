//! This file's job is to test how snapshots arrive, are refused, survive, and go away.

use crate::control_plane::envelope;
use crate::harness::{ANY_PORT, NOBODY, World, until};
use crate::samples;
use domain::snapshot::SnapshotVersion;
use proto::v1;
use proto::v1::sync_response::Message as Reply;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_snapshot_changes_the_next_answer_and_is_acknowledged_with_its_digest() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    assert_eq!(edge.check(&snapshot, &token, "").await.json()["update"]["label"], "v1");
    let next = samples::channel(1, 2, b"two", b"logo");
    world.control_plane.publish(&next).await;
    until("both are acknowledged", || world.control_plane.acks().len() == 2).await;
    assert_eq!(world.control_plane.acks()[1].digest, envelope(&next).digest);
    assert_eq!(edge.check(&snapshot, &token, "").await.json()["update"]["label"], "v2");
    edge.stop().await;
}

fn first_blob(snapshot: &mut domain::snapshot::ChannelSnapshot) -> &mut domain::bundle::Blob {
    Arc::make_mut(&mut snapshot.bundles.iter_mut().next().unwrap().1.blobs[0])
}

/// Snapshots that an edge with version 10 of the first channel must refuse, and what is wrong with each.
fn bad_snapshots() -> Vec<(&'static str, v1::SyncSnapshot)> {
    let good = samples::channel(1, 11, b"two", b"logo");
    let broken = |change: fn(&mut domain::snapshot::ChannelSnapshot)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        envelope(&snapshot)
    };
    let wire = |change: fn(&mut v1::SyncSnapshot)| {
        let mut envelope = envelope(&good);
        change(&mut envelope);
        envelope
    };
    vec![
        ("older", envelope(&samples::channel(1, 9, b"two", b"logo"))),
        ("the same version, other content", envelope(&samples::channel(1, 10, b"two", b"logo"))),
        ("an older epoch", broken(|s| s.version = SnapshotVersion { epoch: 0, version: 99 })),
        ("no token key", broken(|s| s.token_keys.clear())),
        ("a missing bundle", broken(|s| s.bundles.clear())),
        ("a chunk with a wrong hash", broken(|s| first_blob(s).chunks[0] = domain::Sha256::of(b"x"))),
        ("too few chunks", broken(|s| first_blob(s).chunks.clear())),
        ("a path out of the folder", broken(|s| s.bundles.iter_mut().next().unwrap().1.files[0].path = "../x".into())),
        ("two releases with one number", broken(|s| s.releases.push(s.releases[0].clone()))),
        (
            "too many releases",
            broken(|s| {
                let newest = s.releases[0].clone();
                s.releases = (0..501)
                    .rev()
                    .map(|seq| domain::release::Release { seq, id: samples::release_id(seq), ..newest.clone() })
                    .collect();
            }),
        ),
        (
            "too many pins",
            broken(|s| {
                let release = s.releases[0].id.clone();
                s.pins = (0..1_001).map(|i| (format!("device-{i}").parse().unwrap(), release.clone())).collect();
            }),
        ),
        ("a wrong digest", wire(|s| s.digest = vec![0; 32].into())),
        ("no digest", wire(|s| s.digest = vec![].into())),
        (
            "garbage",
            wire(|s| {
                s.encoded = vec![255; 100].into();
                s.digest = proto::convert::sha256_to_wire(&domain::Sha256::of(&s.encoded));
            }),
        ),
        ("another channel's envelope", wire(|s| s.key.as_mut().unwrap().channel_name = "staging".into())),
        ("another version's envelope", wire(|s| s.version.as_mut().unwrap().version = 12)),
        ("no key", wire(|s| s.key = None)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_snapshot_is_refused_and_the_old_one_stays() {
    let snapshot = samples::channel(1, 10, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let bad = bad_snapshots();
    let count = bad.len();
    for (_, snapshot) in &bad {
        world.control_plane.say(Reply::Snapshot(snapshot.clone())).await;
    }
    until("all are refused", || world.control_plane.nacks().len() + world.control_plane.acks().len() > count).await;
    let nacks = world.control_plane.nacks();
    assert_eq!(nacks.len(), count, "{:?}", nacks.iter().map(|nack| &nack.reason).collect::<Vec<_>>());
    assert!(nacks.iter().all(|nack| !nack.reason.is_empty()));
    assert_eq!(edge.check(&snapshot, &token, "").await.json()["update"]["label"], "v10");
    // A greater epoch wins over a smaller version: the database was restored.
    let mut restored = samples::channel(1, 3, b"two", b"logo");
    restored.version.epoch = 2;
    world.control_plane.publish(&restored).await;
    until("the restored one is in use", || world.control_plane.acks().len() == 2).await;
    assert_eq!(edge.check(&snapshot, &token, "").await.json()["update"]["label"], "v3");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_with_the_control_plane_dead_every_device_is_answered_from_disk() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let before = edge.check(&snapshot, &token, "").await;
    edge.stop().await;
    server.kill().await;
    let edge = world.start(world.config(NOBODY)).await;
    let after = edge.check(&snapshot, &token, "").await;
    assert_eq!((after.status.as_u16(), after.body), (200, before.body));
    assert_eq!(edge.register(&snapshot, "0123456789abcdefABCDEF").await.status, 201);
    assert_eq!(edge.admin.get("/readyz", &[]).await.status, 200);
    // A channel that nobody asked for before may exist: it is not denied.
    assert_eq!(edge.register(&samples::empty(5, 1), "0123456789abcdefABCDEF").await.status, 503);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_snapshot_file_falls_back_to_the_one_before_and_heals() {
    let (one, two) = (samples::channel(1, 1, b"one", b"logo"), samples::channel(1, 2, b"two", b"logo"));
    let (world, server, edge) = World::serving(&one).await;
    world.control_plane.publish(&two).await;
    until("both are acknowledged", || world.control_plane.acks().len() == 2).await;
    let token = edge.token(&one).await;
    edge.stop().await;
    let folder = world.data.path().join("snapshots").join(one.key.app.as_str()).join("production");
    let whole = std::fs::read(folder.join("current")).unwrap();
    for torn in [&whole[..whole.len() / 2], &[], b"nonsense", &[&whole[..whole.len() - 1], b"x"].concat()] {
        std::fs::write(folder.join("current"), torn).unwrap();
        let edge = world.start(world.config(NOBODY)).await;
        assert_eq!(edge.check(&one, &token, "").await.json()["update"]["label"], "v1");
        assert_eq!(edge.metric("aloft_edge_snapshot_files_bad_total"), 1);
        edge.stop().await;
    }
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    until("the newest one is back", || world.control_plane.acks().len() == 3).await;
    assert_eq!(edge.check(&one, &token, "").await.json()["update"]["label"], "v2");
    edge.stop().await;
    // The good older one was not overwritten by the torn one.
    std::fs::remove_file(folder.join("current")).unwrap();
    let edge = world.start(world.config(NOBODY)).await;
    assert_eq!(edge.check(&one, &token, "").await.json()["update"]["label"], "v1");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_is_begun_again_and_only_what_changed_is_sent() {
    let (one, two) = (samples::channel(1, 1, b"one", b"logo"), samples::channel(2, 1, b"two", b"logo"));
    let (world, _server, edge) = World::serving(&one).await;
    let token = edge.token(&one).await;
    world.control_plane.publish(&two).await;
    edge.token(&two).await;
    world.control_plane.cut().await;
    let newer = samples::channel(1, 2, b"newer", b"logo");
    world.control_plane.publish(&newer).await;
    let digest = envelope(&newer).digest;
    until("the newer one arrives", || world.control_plane.acks().iter().any(|ack| ack.digest == digest)).await;
    let hellos = world.control_plane.hellos();
    assert_eq!((hellos.len(), hellos[1].have.len()), (2, 2));
    assert_eq!(hellos[0].edge_id, hellos[1].edge_id);
    assert_eq!(edge.check(&one, &token, "").await.json()["update"]["label"], "v2");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_starts_first_waits_for_its_control_plane() {
    let world = World::new().await;
    let free = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let edge = world.start(world.config(&format!("http://{address}"))).await;
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    assert_eq!(edge.register(&snapshot, "0123456789abcdefABCDEF").await.status, 503);
    world.control_plane.publish(&snapshot).await;
    let _server = world.control_plane.run(address).await;
    edge.token(&snapshot).await;
    until("the edge is caught up", || edge.metric("aloft_edge_sync_state{state=\"current\"}") == 1).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_gone_is_forgotten_also_on_disk() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    until("the channel is counted", || edge.metric("aloft_edge_snapshots") == 1).await;
    world.control_plane.0.lock().channels.clear();
    let key = envelope(&snapshot).key;
    world.control_plane.say(Reply::Absent(v1::SyncAbsent { key })).await;
    until("the channel is gone", || edge.metric("aloft_edge_snapshots") == 0).await;
    assert_eq!(edge.check(&snapshot, &token, "").await.status, 404);
    edge.stop().await;
    let edge = world.start(world.config(NOBODY)).await;
    assert_eq!(edge.check(&snapshot, &token, "").await.status, 503);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_edge_on_the_same_folder_is_refused() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let (_shutdown, stop) = runtime::shutdown::channel();
    let clock = runtime::clock::Clock::system();
    let deps = edge_proxy::Deps {
        control_plane: edge_proxy::connect(NOBODY).unwrap(),
        store: Some(world.store.clone()),
        health: runtime::health::Health::new(clock.clone()),
        clock,
        metrics: runtime::observe::Metrics::new(),
        stop,
    };
    let config = edge_proxy::Config { handover_wait_s: 0, ..world.config(NOBODY) };
    let second = edge_proxy::Edge::build(config, deps).await;
    assert!(matches!(second, Err(edge_proxy::Error::InUse { .. })));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_says_that_it_is_ready_when_all_bytes_are_on_its_disk_and_not_before() {
    let world = World::new().await;
    let logo = world.store(b"logo").await;
    // The store lacks the launch file.
    let lacking = samples::channel(1, 1, b"one", b"logo");
    world.control_plane.publish(&lacking).await;
    let server = world.control_plane.run(ANY_PORT).await;
    let config = || edge_proxy::Config { prefetch: true, ..world.config(&format!("http://{}", server.address)) };
    let edge = world.start(config()).await;
    edge.token(&lacking).await;
    until("what there is is kept", || world.edge_path(&logo.sha256).exists()).await;
    let two = world.store(b"two").await;
    let whole = samples::channel(1, 2, b"two", b"logo");
    world.control_plane.publish(&whole).await;
    until("it is ready", || !world.control_plane.ready().is_empty()).await;
    assert_eq!(world.control_plane.ready(), [2], "never for the one that lacks something");
    assert!(world.edge_path(&two.sha256).exists());
    edge.stop().await;

    let edge = world.start(config()).await;
    until("it is ready again", || world.control_plane.ready().len() == 2).await;
    world.control_plane.cut().await;
    until("it comes back", || world.control_plane.hellos().len() == 3).await;
    assert!(world.control_plane.hellos()[2].have[0].blobs_ready);
    assert_eq!(world.control_plane.ready(), [2, 2], "who has said it at the beginning does not repeat it");
    edge.stop().await;
}
