//! This file's job is to test that events reach the control plane once, whatever happens in between.

use crate::harness::{ANY_PORT, RunningEdge, World, stored, until};
use crate::samples;
use domain::bundle::Coding;
use domain::id::EventId;
use domain::snapshot::ChannelSnapshot;
use domain::{Sha256, Timestamp};
use serde_json::{Value, json};

fn event(number: u8) -> Value {
    let id = EventId::from_parts(Timestamp::from_us(1_790_000_000_000_000), [number; 10]);
    json!({"id": id, "kind": "launched", "release_id": samples::release_id(1)})
}

fn report(events: &[Value]) -> Value {
    json!({"channel": "production", "platform": "ios", "binary": "1.0.0", "events": events})
}

/// The content hash of the only bundle.
fn content(snapshot: &ChannelSnapshot) -> Sha256 {
    *snapshot.bundles.keys().next().unwrap()
}

async fn send(edge: &RunningEdge, snapshot: &ChannelSnapshot, body: &Value) -> crate::client::Answer {
    let token = edge.token(snapshot).await;
    edge.client.post("/v1/events", &token, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_registrations_reach_the_control_plane() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let answer = send(&edge, &snapshot, &report(&[event(1), event(2)])).await;
    assert_eq!((answer.status.as_u16(), answer.json()["accepted"].as_u64()), (202, Some(2)));
    let launched = |world: &World| world.control_plane.events().iter().filter(|event| event.kind == "launched").count();
    until("both arrive", || launched(&world) == 2).await;
    let events = world.control_plane.events();
    let registered = events.iter().find(|event| event.kind == "registered").unwrap();
    let reported = events.iter().find(|event| event.kind == "launched").unwrap();
    assert_eq!(registered.device_id, reported.device_id);
    assert_eq!(reported.app_id, snapshot.key.app.as_str());
    assert!(reported.received_at_us > 1_700_000_000_000_000);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_event_is_refused_alone_with_its_index() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let mut events = vec![event(1); 7];
    events[1]["kind"] = json!("exploded");
    events[2]["kind"] = json!("registered");
    events[3]["id"] = json!("evt_1");
    events[4]["detail"] = json!("x".repeat(2_049));
    events[5] = json!(5);
    let json = send(&edge, &snapshot, &report(&events)).await.json();
    assert_eq!(json["accepted"], 2);
    let indexes: Vec<u64> =
        json["refused"].as_array().unwrap().iter().map(|line| line["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 3, 4, 5]);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_without_token_or_beyond_the_limits_are_refused() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    assert_eq!(edge.client.post("/v1/events", "", &report(&[event(1)])).await.status, 401);
    let token = edge.token(&snapshot).await;
    let last = if token.ends_with('A') { 'E' } else { 'A' };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    assert_eq!(edge.client.post("/v1/events", &forged, &report(&[event(1)])).await.status, 401);
    assert_eq!(send(&edge, &snapshot, &report(&vec![event(1); 101])).await.status, 400);
    assert_eq!(send(&edge, &snapshot, &json!({"events": []})).await.status, 400);
    assert_eq!(send(&edge, &snapshot, &report(&[json!("x".repeat(70_000))])).await.status, 413);
    let mut staging = report(&[event(1)]);
    staging["channel"] = json!("staging");
    assert_eq!(send(&edge, &snapshot, &staging).await.status, 404);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_survive_a_restart_with_the_control_plane_away_and_batches_are_sent_once() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, server, edge) = World::serving(&snapshot).await;
    until("the registration is sent", || !world.control_plane.events().is_empty()).await;
    world.control_plane.0.lock().refuse_pushes = true;
    let before: Vec<Value> = (1..=50).map(event).collect();
    assert_eq!(send(&edge, &snapshot, &report(&before)).await.status, 202);
    edge.stop().await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    let after: Vec<Value> = (51..=80).map(event).collect();
    assert_eq!(send(&edge, &snapshot, &report(&after)).await.status, 202);
    world.control_plane.0.lock().refuse_pushes = false;
    let launched = || world.control_plane.events().iter().filter(|event| event.kind == "launched").count();
    until("all arrive", || launched() >= 80).await;
    until("the spool is empty", || edge.metric("aloft_edge_telemetry_queue_bytes") == 0).await;
    let pushed = world.control_plane.0.lock().pushed.clone();
    let mut ids: Vec<_> = pushed
        .iter()
        .flat_map(|push| &push.events)
        .filter(|event| event.kind == "launched")
        .map(|event| &event.event_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), launched()), (80, 80));
    let mut names: Vec<_> = pushed.iter().map(|push| (&push.edge_id, push.segment, push.offset)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), pushed.len());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_counted_by_what_devices_were_told() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let has_it = format!("&current={}", content(&snapshot));
    for (more, times) in [("", 3), (has_it.as_str(), 2)] {
        for _ in 0..times {
            assert_eq!(edge.check(&snapshot, &token, more).await.status, 200);
        }
    }
    let counted = |measure: &str| world.control_plane.counted(measure).0;
    until("they are told", || (counted("check-offered"), counted("check-nothing")) == (3, 2)).await;
    let text = edge.metrics.render();
    for line in [
        "aloft_edge_update_checks_total{result=\"check-offered\"} 3",
        "aloft_edge_update_checks_total{result=\"check-nothing\"} 2",
        // Answers from memory are not timed; registrations are.
        "aloft_edge_request_duration_seconds_count{route=\"updates\"} 0",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("aloft_edge_request_duration_seconds_count{route=\"register\"} 0"), "{text}");
    let told = world.control_plane.0.lock().counted.clone();
    let offered = told.iter().flat_map(|push| &push.tallies).find(|tally| tally.measure == "check-offered").unwrap();
    assert_eq!(
        (offered.app_id.as_str(), offered.channel_name.as_str(), offered.release_id.as_str()),
        (snapshot.key.app.as_str(), "production", samples::release_id(1).as_str())
    );
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_last_is_told_after_a_restart_and_once() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    world.control_plane.0.lock().refuse_pushes = true;
    for _ in 0..20 {
        assert_eq!(edge.check(&snapshot, &token, "").await.status, 200);
    }
    edge.stop().await;
    world.control_plane.0.lock().refuse_pushes = false;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    assert_eq!(edge.check(&snapshot, &token, "").await.status, 200);
    until("all are told", || world.control_plane.counted("check-offered").0 == 21).await;
    until("none waits", || edge.metric("aloft_edge_tallies_waiting") == 0).await;
    assert_eq!(world.control_plane.counted("check-offered").0, 21);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted_for_the_bundle_that_they_belong_to() {
    const LAUNCH_BYTES: u64 = 1_500_000;
    let world = World::new().await;
    let launch = samples::noise(LAUNCH_BYTES as usize, 7);
    let mut snapshot = stored(&world, 1, 1, &launch).await;
    let (hash, brotli) = (samples::launch_hash(&snapshot), b"the launch file in Brotli".as_slice());
    world.store(brotli).await;
    samples::add_variant(&mut snapshot, hash, Coding::Brotli, brotli);
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(ANY_PORT).await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    edge.token(&snapshot).await;
    let tag = format!("\"{hash}\"");
    let another_edge = format!("{}/{}", snapshot.key.app, snapshot.key.channel);
    let of = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let asset = snapshot.bundles.values().next().unwrap().files.iter().find(|file| file.sha256 != hash).unwrap();
    for (file, headers, status) in [
        (hash, vec![], 200),
        // A download that breaks off and goes on is one.
        (hash, of("range", "bytes=0-399999"), 206),
        (hash, of("range", "bytes=400000-"), 206),
        (hash, of("accept-encoding", "br"), 200),
        (asset.sha256, vec![], 200),
        (hash, of("if-none-match", &tag), 304),
        (hash, of("aloft-channel", &another_edge), 200),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(edge.blob(&file, &headers).await.status, status, "{headers:?}");
    }
    let counted = |product: &str| world.control_plane.counted(product);
    let expected = [(2, 2 * LAUNCH_BYTES), (1, brotli.len() as u64), (1, asset.size_bytes)];
    until("all is told", || ["launch", "launch-br", "asset"].map(counted) == expected).await;
    let pushed = world.control_plane.0.lock().counted.clone();
    let launch = pushed.iter().flat_map(|push| &push.tallies).find(|tally| tally.measure == "launch").unwrap();
    assert_eq!(launch.bundle_sha256.as_ref(), content(&snapshot).as_bytes());
    edge.stop().await;
}
