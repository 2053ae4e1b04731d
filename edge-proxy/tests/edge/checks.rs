//! This file's job is to test what devices get when they ask for updates and register.

use crate::harness::{World, until, updates};
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use domain::release::Content;
use http::Method;
use proptest::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_registers_and_gets_the_newest_release_with_all_that_it_needs() {
    let launch = samples::noise(2_500_000, 1);
    let snapshot = samples::channel(1, 5, &launch, b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let answer = edge.check(&snapshot, &token, "").await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    let update = &json["update"];
    assert_eq!((json["action"].as_str(), update["label"].as_str()), (Some("update"), Some("v5")));
    assert_eq!(update["release_id"], samples::release_id(5).as_str());
    assert_eq!(update["notes"], "Release 5");
    assert_eq!(update["bundle"]["sha256"], snapshot.bundles.keys().next().unwrap().to_hex());
    let files = update["bundle"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    let hash = samples::launch_hash(&snapshot);
    assert_eq!(files[1]["url"], format!("/v1/blobs/{hash}"));
    assert_eq!(update["bundle"]["launch"]["chunks"].as_array().unwrap().len(), 3);
    let next = json["next_check_s"].as_u64().unwrap();
    assert!((900..1_800).contains(&next), "{next}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_answer_is_not_sent_again_and_head_has_no_body() {
    let snapshot = samples::channel(1, 1, b"launch", b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let first = edge.check(&snapshot, &token, "").await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("if-none-match", first.header("etag"))];
    let again = edge.client.get(&updates(&snapshot, ""), &headers).await;
    assert_eq!((again.status.as_u16(), again.body.unwrap().len()), (304, 0));
    let head = edge.client.send(Method::HEAD, &updates(&snapshot, ""), &headers[..1], Bytes::new()).await;
    let length = first.body.as_ref().unwrap().len().to_string();
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, length.as_str()));
    assert!(head.body.unwrap().is_empty());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_to_date_and_embedded_are_said_as_such() {
    let mut snapshot = samples::channel(1, 1, b"launch", b"logo");
    let current = *snapshot.bundles.keys().next().unwrap();
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let json = edge.check(&snapshot, &token, &format!("&current={current}")).await.json();
    assert_eq!((json["action"].as_str(), json["reason"].as_str()), (Some("none"), Some("up-to-date")));
    assert!(json["update"].is_null());
    snapshot.version.version = 2;
    snapshot.releases.insert(0, samples::release(2, Content::Embedded));
    world.control_plane.publish(&snapshot).await;
    until("the second version is in use", || world.control_plane.acks().len() == 2).await;
    let json = edge.check(&snapshot, &token, &format!("&current={current}")).await.json();
    assert_eq!((json["action"].as_str(), json["install"].as_str()), (Some("embedded"), Some("next-restart")));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_offered_only_for_what_the_device_has_and_understands() {
    let mut snapshot = samples::channel(1, 1, &samples::noise(1_000, 1), b"logo");
    let (had, came_with) = (Sha256::of(b"had"), Sha256::of(b"embedded"));
    snapshot.deltas = vec![
        samples::delta(&snapshot, had, "dcz", b"large patch"),
        samples::delta(&snapshot, had, "hbc1", b"small"),
        samples::delta(&snapshot, came_with, "dcz", b"other patch"),
    ];
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    for (more, expected) in [
        (format!("&current={had}&formats=dcz"), Some(b"large patch".as_slice())),
        (format!("&current={had}&formats=dcz,hbc1"), Some(b"small")),
        (format!("&current={had}&embedded={came_with}&formats=dcz"), Some(b"large patch")),
        (format!("&embedded={came_with}&formats=dcz"), Some(b"other patch")),
        (format!("&current={had}"), None),
        (format!("&current={had}&formats=other"), None),
        ("&formats=dcz".to_owned(), None),
    ] {
        let json = edge.check(&snapshot, &token, &more).await.json();
        let found = json["update"]["delta"]["sha256"].as_str().map(str::to_owned);
        assert_eq!(found, expected.map(|bytes| Sha256::of(bytes).to_hex()), "{more}");
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_there_is_not_is_wished_for_once() {
    let mut snapshot = samples::channel(1, 1, &samples::noise(1_000, 1), b"logo");
    let (old, had) = (Sha256::of(b"old"), Sha256::of(b"had"));
    snapshot.deltas = vec![samples::delta(&snapshot, had, "dcz", b"patch")];
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let offered = *snapshot.bundles.keys().next().unwrap();
    for more in [
        format!("&current={had}&formats=dcz"),
        format!("&current={old}"),
        format!("&current={offered}&formats=dcz"),
        "&formats=dcz".to_owned(),
        format!("&current={old}&embedded={had}&formats=dcz"),
        format!("&current={old}&formats=dcz"),
    ] {
        assert_eq!(edge.check(&snapshot, &token, &more).await.status, 200, "{more}");
    }
    until("the wish is heard", || !world.control_plane.wishes().is_empty()).await;
    // Nothing was sent before it, and a second one would leave a second later: the next heartbeat comes after that.
    let beats = world.control_plane.beats();
    until("another heartbeat", || world.control_plane.beats() > beats).await;
    let wish = proto::v1::SyncDeltaWish {
        key: Some(proto::convert::channel_key_to_wire(&snapshot.key)),
        from_bundle_sha256: proto::convert::sha256_to_wire(&old),
        to_bundle_sha256: proto::convert::sha256_to_wire(&offered),
    };
    assert_eq!(world.control_plane.wishes(), [wish]);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_refused_when_forged_cut_or_of_another_app() {
    let (one, two) = (samples::channel(1, 1, b"one", b"logo"), samples::channel(2, 1, b"two", b"logo"));
    let (world, _server, edge) = World::serving(&one).await;
    world.control_plane.publish(&two).await;
    let (token, other) = (edge.token(&one).await, edge.token(&two).await);
    let renamed = other.replace(two.key.app.as_str(), one.key.app.as_str());
    let flipped = token.replace("adt1.1.", "adt1.2.");
    for bad in ["", "x", &token[..token.len() - 1], &token[..20], &other, &renamed, &flipped, &token.to_uppercase()] {
        let answer = edge.check(&one, bad, "").await;
        assert_eq!(answer.status, 401, "{bad}");
        assert_eq!(answer.json()["error"]["reason"], "token-invalid");
    }
    assert_eq!(edge.client.get(&updates(&one, ""), &[]).await.status, 401);
    assert_eq!(edge.check(&one, &token, "").await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_refused_everywhere_until_it_is_restored() {
    let mut snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let nonce = "a-nonce-with-enough-characters";
    let (token, registered) = (edge.token(&snapshot).await, edge.register(&snapshot, nonce).await.json());
    let other = edge.register(&snapshot, "the-nonce-of-another-device").await.json();
    let other = other["token"].as_str().unwrap();
    let report = serde_json::json!({"channel": "production", "platform": "ios", "events": []});
    for (version, revoked, expected) in [
        (1, vec![], [200, 202, 201, 200]),
        (2, vec![registered["device_id"].as_str().unwrap().parse().unwrap()], [403, 403, 403, 200]),
        (3, vec![], [200, 202, 201, 200]),
    ] {
        snapshot.version.version = version;
        snapshot.revoked_devices = revoked.into_iter().collect();
        world.control_plane.publish(&snapshot).await;
        let is_it = |ack: &proto::v1::SyncAck| ack.version.is_some_and(|acked| acked.version == version);
        until("the change is in use", || world.control_plane.acks().iter().any(is_it)).await;
        let answer = edge.check(&snapshot, &token, "").await;
        let reason = answer.json()["error"]["reason"].as_str().map(str::to_owned);
        assert_eq!(reason.as_deref(), (version == 2).then_some("device-revoked"));
        let statuses = [
            answer.status.as_u16(),
            edge.client.post("/v1/events", &token, &report).await.status.as_u16(),
            edge.register(&snapshot, nonce).await.status.as_u16(),
            edge.check(&snapshot, other, "").await.status.as_u16(),
        ];
        assert_eq!(statuses, expected);
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_twice_with_one_nonce_is_one_device_and_bad_registrations_are_refused() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let nonce = "0123456789abcdefABCDEF";
    let first = edge.register(&snapshot, nonce).await.json();
    assert_eq!(first["device_id"], edge.register(&snapshot, nonce).await.json()["device_id"]);
    assert_ne!(first["device_id"], edge.register(&snapshot, "another-nonce-of-a-device").await.json()["device_id"]);
    for bad in ["", "short", &"x".repeat(100), "0123456789abcdef ABCDEF", "ü0123456789abcdefABCDEF"] {
        assert_eq!(edge.register(&snapshot, bad).await.status, 400, "{bad}");
    }
    let post = async |body: &str| {
        edge.client.send(Method::POST, "/v1/devices/register", &[], body.to_owned()).await.status.as_u16()
    };
    for bad in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"app":1}"#,
        r#"{"app":"app_x","channel":"a","platform":"ios","nonce":"0123456789abcdefABCDEF"}"#,
    ] {
        assert_eq!(post(bad).await, 400, "{bad}");
    }
    assert_eq!(post(&format!("{{\"app\":\"{}\"}}", "a".repeat(5_000))).await, 413);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_channels_are_404_when_the_control_plane_says_so() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let absent = samples::empty(9, 1);
    assert_eq!(edge.register(&absent, "0123456789abcdefABCDEF").await.status, 404);
    // Made later, it is there at once: absence was not written in stone.
    world.control_plane.publish(&absent).await;
    until("the new channel is in use", || world.control_plane.acks().len() == 2).await;
    assert_eq!(edge.register(&absent, "0123456789abcdefABCDEF").await.status, 201);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_query_is_400_with_a_reason() {
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    for more in ["&app=x", "&current=1", "&embedded=%", "&formats=,", "&runtime=%20", "&runtime=%ff", "&platform=ios"] {
        let answer = edge.check(&snapshot, &token, more).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["reason"].as_str()),
            (400, Some("query-invalid")),
            "{more}"
        );
    }
    let path = updates(&snapshot, "").replace("1.0.0", "one");
    let answer = edge.client.get(&path, &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answer.status, 400);
    edge.stop().await;
}

#[test]
fn no_request_is_ever_answered_with_a_server_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let snapshot = samples::channel(1, 1, b"one", b"logo");
    let (_world, _server, edge) = runtime.block_on(World::serving(&snapshot));
    let token = runtime.block_on(edge.token(&snapshot));
    let token = format!("Bearer {token}");
    let paths = prop_oneof![
        "/v1/updates\\?(app|channel|platform|binary|current|formats|[a-z&=%0-9]){0,12}",
        "/v1/blobs/[0-9a-fA-F/%.]{0,70}",
        "/(v1|v2|healthz|\\.\\.|[a-z/%.]{0,10}){0,4}",
        Just(updates(&snapshot, ""))
            .prop_flat_map(|good| "[&=%+a-z0-9.,-]{0,40}".prop_map(move |more| format!("{good}{more}"))),
    ];
    let methods = prop_oneof![
        Just(Method::GET),
        Just(Method::HEAD),
        Just(Method::POST),
        Just(Method::DELETE),
        Just(Method::OPTIONS)
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let ran = runner.run(&(paths, methods, "[ -~]{0,60}"), |(path, method, body)| {
        prop_assume!(format!("http://localhost{path}").parse::<http::Uri>().is_ok());
        let answer = runtime.block_on(edge.client.send(method, &path, &[("authorization", &token)], body));
        prop_assert!(answer.status.as_u16() < 500, "{} for {path}", answer.status);
        Ok(())
    });
    ran.unwrap();
    runtime.block_on(edge.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_without_anything_says_that_it_is_unavailable_and_never_that_there_is_no_update() {
    let world = World::new().await;
    let edge = world.start(world.config(crate::harness::NOBODY)).await;
    let snapshot = samples::empty(1, 1);
    let answer = edge.register(&snapshot, "0123456789abcdefABCDEF").await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(edge.admin.get("/readyz", &[]).await.status, 503);
    assert_eq!(edge.admin.get("/livez", &[]).await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_further_device_registers_where_the_plan_is_full_and_those_that_have_are_served() {
    let mut snapshot = samples::channel(1, 1, b"one", b"logo");
    let (world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    for (version, closed) in [(2, true), (3, false)] {
        snapshot.version.version = version;
        snapshot.registration_closed = closed;
        world.control_plane.publish(&snapshot).await;
        let is_it = |ack: &proto::v1::SyncAck| ack.version.is_some_and(|acked| acked.version == version);
        until("the change is in use", || world.control_plane.acks().iter().any(is_it)).await;
        let answer = edge.register(&snapshot, "the-nonce-of-another-device").await;
        assert_eq!(answer.status, if closed { 429 } else { 201 });
        if closed {
            assert_eq!(answer.json()["error"]["reason"], "device-limit");
            let wait: u32 = answer.header("retry-after").parse().unwrap();
            assert!((3_600..=7_200).contains(&wait), "{wait}");
        }
        assert_eq!(edge.check(&snapshot, &token, "").await.status, 200);
    }
    edge.stop().await;
}
