//! This file's job is to test what CodePush's clients get from a whole edge.

use crate::client::Answer;
use crate::harness::{RunningEdge, World, until};
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::Blob;
use domain::codepush::{Package, PackageDiff};
use domain::snapshot::ChannelSnapshot;
use http::Method;
use proto::v1;
use serde_json::{Value, json};

const KEY: &str = "deployment-key-of-ios";
const CHECK: &str = "/v0.1/public/codepush/update_check";
const DEPLOYED: &str = "/v0.1/public/codepush/report_status/deploy";
const DOWNLOADED: &str = "/v0.1/public/codepush/report_status/download";

/// A channel with a package and a diff, whose bytes are in the store.
async fn packed(world: &World) -> ChannelSnapshot {
    let mut snapshot = samples::channel(1, 3, b"launch", b"logo");
    let content = *snapshot.bundles.keys().next().unwrap();
    let (whole, diff) = (world.store(&samples::noise(5_000, 7)).await, world.store(b"the smaller diff").await);
    let platform = domain::Platform::Ios;
    snapshot.codepush.keys = [(KEY.parse().unwrap(), platform)].into();
    snapshot.codepush.packages = [(content, Package { hash: Sha256::of(b"package"), blob: whole.into() })].into();
    snapshot.codepush.diffs = vec![PackageDiff { from: Sha256::of(b"old"), to: content, blob: diff.into() }];
    snapshot
}

fn whole(snapshot: &ChannelSnapshot) -> &Blob {
    &snapshot.codepush.packages.values().next().unwrap().blob
}

async fn check(edge: &RunningEdge, more: &str) -> Answer {
    edge.client.get(&format!("{CHECK}?deployment_key={KEY}&app_version=1.2.0{more}"), &[]).await
}

async fn report(edge: &RunningEdge, path: &str, body: &Value) -> Answer {
    edge.client.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
}

async fn started(world: &World) -> (crate::control_plane::Running, RunningEdge) {
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    until("the edge has caught up", || edge.metric("aloft_edge_sync_state{state=\"current\"}") == 1).await;
    (server, edge)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_asked_for_before_finds_its_channel_and_the_package_arrives_whole() {
    let world = World::new().await;
    let snapshot = packed(&world).await;
    world.control_plane.publish(&snapshot).await;
    let (_server, edge) = started(&world).await;
    let answer = check(&edge, "&client_unique_id=phone").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json; charset=utf-8"));
    let info = &answer.json()["update_info"];
    assert_eq!((&info["is_available"], &info["label"]), (&json!(true), &json!("v3")));
    assert_eq!(
        (&info["package_hash"], &info["package_size"]),
        (&json!(Sha256::of(b"package").to_hex()), &json!(5_000))
    );
    assert_eq!((&info["target_binary_range"], &info["description"]), (&json!("1.2.0"), &json!("Release 3")));
    let base = format!("http://{}", edge.client.address);
    let path = info["download_url"].as_str().unwrap().strip_prefix(&base).unwrap().to_owned();
    let package = edge.client.get(&path, &[("accept-encoding", "identity")]).await;
    assert_eq!((package.status.as_u16(), package.header("content-length")), (200, "5000"));
    assert_eq!(Sha256::of(&package.body.unwrap()), whole(&snapshot).sha256);
    assert_eq!(world.control_plane.key_interests(), 1);

    let camel = edge.client.get(&format!("/updateCheck?deploymentKey={KEY}&appVersion=1.2.0"), &[]).await.json();
    assert_eq!(
        (&camel["updateInfo"]["isAvailable"], &camel["updateInfo"]["downloadURL"]),
        (&json!(true), &info["download_url"])
    );
    let old = Sha256::of(b"old");
    let diffed = check(&edge, &format!("&package_hash={old}&label=v1")).await.json();
    assert_eq!(diffed["update_info"]["package_size"], 16);
    let current = Sha256::of(b"package");
    let same = check(&edge, &format!("&package_hash={current}&label=v3")).await.json();
    assert_eq!(same["update_info"]["is_available"], false);
    assert_eq!(world.control_plane.key_interests(), 1, "the channel is known now");
    edge.stop().await;

    // The key is on disk with the channel: no control plane is needed.
    let edge = world.start(world.config(crate::harness::NOBODY)).await;
    assert_eq!(check(&edge, "").await.json()["update_info"]["label"], "v3");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_asked_for_once_and_malformed_requests_never() {
    let world = World::new().await;
    let (_server, edge) = started(&world).await;
    for _ in 0..20 {
        let answer = check(&edge, "").await;
        assert_eq!(answer.status, 404, "{:?}", answer.body);
    }
    assert_eq!(world.control_plane.key_interests(), 1);
    let long = format!("{CHECK}?deployment_key=another-key-1&app_version=1.0.0&label={}", "v".repeat(12_000));
    for (path, status) in [
        (CHECK, 400),
        ("/updateCheck?deploymentKey=short&appVersion=1.0.0", 400),
        ("/updateCheck?deploymentKey=another-key-1", 400),
        ("/updateCheck?deploymentKey=another-key-1&appVersion=one", 400),
        ("/updateCheck?deploymentKey=another-key-1&appVersion=1.0.0&label=%ff", 400),
        (long.as_str(), 400),
        ("/updateCheck/", 404),
    ] {
        let answer = edge.client.get(path, &[]).await;
        assert_eq!(answer.status, status, "{}", &path[..path.len().min(80)]);
    }
    for (path, body, status) in [
        (DEPLOYED, "{", 400),
        (DEPLOYED, "[]", 400),
        (DEPLOYED, r#"{"deployment_key":"another-key-1"}"#, 400),
        (DEPLOYED, r#"{"deployment_key":"another-key-1","app_version":"1.0.0","label":"v1"}"#, 400),
        (DEPLOYED, r#"{"deployment_key":"another-key-1","app_version":"1.0.0","label":"v1","status":"Great"}"#, 400),
        (DOWNLOADED, r#"{"deployment_key":"another-key-1"}"#, 400),
        (DOWNLOADED, r#"{"label":"v1"}"#, 400),
    ] {
        let answer = edge.client.send(Method::POST, path, &[], body).await;
        assert_eq!(answer.status, status, "{body}");
    }
    let large = edge.client.send(Method::POST, DEPLOYED, &[], Bytes::from(vec![b' '; 20_000])).await;
    assert_eq!(large.status, 413);
    assert_eq!(edge.client.get(DEPLOYED, &[]).await.status, 405);
    assert_eq!(world.control_plane.key_interests(), 1, "the control plane is asked for well-formed keys only");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_control_plane_an_unknown_key_is_never_told_that_there_is_nothing() {
    let world = World::new().await;
    let edge = world.start(world.config(crate::harness::NOBODY)).await;
    let answer = check(&edge, "").await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_an_event_and_a_repeated_one_the_same_event() {
    let world = World::new().await;
    let snapshot = packed(&world).await;
    world.control_plane.publish(&snapshot).await;
    let (_server, edge) = started(&world).await;
    let succeeded = json!({"deployment_key": KEY, "client_unique_id": "phone", "app_version": "1.2.0", "label": "v3",
        "status": "DeploymentSucceeded", "previous_label_or_app_version": "1.2.0", "previous_deployment_key": KEY});
    let failed = json!({"deploymentKey": KEY, "clientUniqueId": "phone", "appVersion": "1.2.0", "label": "v2",
        "status": "DeploymentFailed"});
    let binary = json!({"deployment_key": KEY, "client_unique_id": "phone", "app_version": "1.2.0"});
    let downloaded = json!({"deployment_key": KEY, "client_unique_id": "phone", "label": "v3"});
    for (path, body) in [
        (DOWNLOADED, &downloaded),
        (DEPLOYED, &succeeded),
        (DEPLOYED, &succeeded),
        ("/reportStatus/deploy", &failed),
        (DEPLOYED, &binary),
    ] {
        let answer = report(&edge, path, body).await;
        assert_eq!((answer.status.as_u16(), answer.body.unwrap().as_ref()), (200, b"OK".as_slice()));
    }
    let nobody = json!({"deployment_key": "a-key-that-nobody-has", "app_version": "1.0.0"});
    assert_eq!(report(&edge, DEPLOYED, &nobody).await.status, 200);
    until("the events have arrived", || world.control_plane.events().len() == 5).await;
    let events = world.control_plane.events();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["downloaded", "launched", "launched", "rolled-back", "launched"]);
    assert_eq!(events[1].event_id, events[2].event_id, "the same report twice");
    assert_ne!(events[1].event_id, events[4].event_id);
    assert!(events.iter().all(|event| event.device_id == events[0].device_id));
    let release = |event: &v1::TelemetryEvent| (event.release_id.clone(), event.detail.clone());
    assert_eq!(release(&events[1]), (samples::release_id(3).to_string(), String::new()));
    assert_eq!(release(&events[3]), (String::new(), "v2".to_owned()), "the channel has no v2");
    assert_eq!(events[4].binary_version, "1.2.0");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_begin_with_the_public_address_when_there_is_one() {
    let world = World::new().await;
    let snapshot = packed(&world).await;
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.public_url = "https://updates.example.com/ota/".to_owned();
    let edge = world.start(config).await;
    until("the edge has caught up", || edge.metric("aloft_edge_sync_state{state=\"current\"}") == 1).await;
    let url = check(&edge, "").await.json()["update_info"]["download_url"].clone();
    assert_eq!(url, format!("https://updates.example.com/ota/v1/blobs/{}", whole(&snapshot).sha256));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_refused_and_its_reports_are_not_kept() {
    let world = World::new().await;
    let mut snapshot = packed(&world).await;
    world.control_plane.publish(&snapshot).await;
    let (_server, edge) = started(&world).await;
    let launched = |client: &str| json!({"deployment_key": KEY, "app_version": "1.2.0", "client_unique_id": client});
    assert_eq!(report(&edge, DEPLOYED, &launched("stolen")).await.status, 200);
    until("the report is there", || world.control_plane.events().len() == 1).await;
    // The platform knows a device by what it has heard of it.
    let stolen = world.control_plane.events()[0].device_id.clone();
    snapshot.revoked_devices.insert(stolen.parse().unwrap());
    snapshot.version.version += 1;
    let acked = world.control_plane.acks().len();
    world.control_plane.publish(&snapshot).await;
    until("the edge has the change", || world.control_plane.acks().len() > acked).await;
    assert_eq!(check(&edge, "&client_unique_id=stolen").await.status, 403);
    assert_eq!(check(&edge, "&client_unique_id=other").await.status, 200);
    assert_eq!(check(&edge, "").await.status, 200, "who says nothing cannot be told from others");
    let again = json!({"deployment_key": KEY, "label": "v3", "client_unique_id": "stolen"});
    assert_eq!(report(&edge, DOWNLOADED, &again).await.status, 200, "it is not sent again");
    assert_eq!(report(&edge, DEPLOYED, &launched("other")).await.status, 200);
    until("the other's is there", || world.control_plane.events().iter().any(|event| event.device_id != stolen)).await;
    assert_eq!(world.control_plane.events().len(), 2);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_that_there_is_not_is_wished_for_once() {
    let world = World::new().await;
    let snapshot = packed(&world).await;
    world.control_plane.publish(&snapshot).await;
    let (_server, edge) = started(&world).await;
    let (old, unknown) = (Sha256::of(b"old"), Sha256::of(b"older"));
    let content = *snapshot.bundles.keys().next().unwrap();
    for (running, size_bytes) in [
        (String::new(), 5_000),
        (format!("&package_hash={old}"), 16),
        (format!("&package_hash={unknown}"), 5_000),
        (format!("&package_hash={unknown}&client_unique_id=phone"), 5_000),
    ] {
        let info = check(&edge, &running).await.json()["update_info"].clone();
        assert_eq!(info["package_size"], size_bytes, "{running}");
    }
    let up_to_date = check(&edge, &format!("&package_hash={}", Sha256::of(b"package"))).await.json();
    assert_eq!(up_to_date["update_info"]["is_available"], false);
    until("the wish is heard", || !world.control_plane.package_diff_wishes().is_empty()).await;
    // A second one would leave a second later: the next heartbeat comes after that.
    let beats = world.control_plane.beats();
    until("another heartbeat", || world.control_plane.beats() > beats).await;
    let wish = v1::SyncPackageDiffWish {
        key: Some(proto::convert::channel_key_to_wire(&snapshot.key)),
        from_package_sha256: proto::convert::sha256_to_wire(&unknown),
        to_bundle_sha256: proto::convert::sha256_to_wire(&content),
    };
    assert_eq!(world.control_plane.package_diff_wishes(), [wish]);
    edge.stop().await;
}
