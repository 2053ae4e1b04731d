//! This file's job is to test what Expo clients get. Real clients' code is run in `tests/clients/expo`; here are the corners.

use crate::client::Answer;
use crate::harness::{RunningEdge, World, until};
use crate::samples;
use domain::Sha256;
use domain::expo::{ExpoUpdate, UpdateId, launch_path};
use domain::release::{Content, Release};
use domain::snapshot::ChannelSnapshot;
use domain::target::Target;
use http::Method;

const CLIENT: &str = "0192f0a1-b2c3-d4e5-f607-18293a4b5c6d";
const EMBEDDED: &str = "00000000-0000-4000-8000-000000000001";
const SIGNATURE: &str = r#"sig="AA==", keyid="main", alg="rsa-v1_5-sha256""#;

fn told(seq: u64) -> ExpoUpdate {
    ExpoUpdate {
        committed_at_ms: 1_790_000_000_000 + seq,
        body: format!(r#"{{"id":"{}"}}"#, id(seq)),
        signature: String::new(),
        certificate_chain: String::new(),
    }
}

fn id(seq: u64) -> String {
    UpdateId::from(&samples::release_id(seq)).to_string()
}

fn release(seq: u64, content: Content) -> Release {
    Release { target: Target::RuntimeVersion("1".parse().unwrap()), ..samples::release(seq, content) }
}

/// A channel with one release for Expo clients.
fn channel() -> ChannelSnapshot {
    let mut snapshot = samples::channel(1, 1, b"launch", b"logo");
    let hash = *snapshot.bundles.keys().next().unwrap();
    snapshot.releases = vec![release(1, Content::Bundle(hash))];
    snapshot.expo.updates.insert(samples::release_id(1), told(1));
    snapshot.expo.embedded.insert(EMBEDDED.parse().unwrap(), Sha256::of(b"embedded"));
    snapshot
}

async fn ask(edge: &RunningEdge, snapshot: &ChannelSnapshot, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![
        ("expo-platform", "ios"),
        ("expo-protocol-version", "1"),
        ("expo-runtime-version", "1"),
        ("eas-client-id", CLIENT),
        ("expo-embedded-update-id", EMBEDDED),
    ];
    headers.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    headers.extend(more.iter().copied().filter(|(_, value)| !value.is_empty()));
    edge.client.get(&format!("/v1/expo/{}/{}", snapshot.key.app, snapshot.key.channel), &headers).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone().unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_the_bytes_that_were_frozen_in_the_form_that_is_asked_for() {
    let mut snapshot = channel();
    snapshot.expo.updates.get_mut(&samples::release_id(1)).unwrap().signature = SIGNATURE.into();
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let answer = ask(&edge, &snapshot, &[("accept", "application/expo+json")]).await;
    assert_eq!((answer.status.as_u16(), text(&answer)), (200, told(1).body));
    assert_eq!(answer.header("content-type"), "application/expo+json");
    assert_eq!(answer.header("expo-protocol-version"), "1");
    assert_eq!(answer.header("expo-sfv-version"), "0");
    assert_eq!(answer.header("expo-manifest-filters"), "branchname=\"production\"");
    assert_eq!(answer.header("cache-control"), "private, max-age=0");
    assert_eq!(answer.header("expo-signature"), "");
    let expects = ("expo-expect-signature", "sig, keyid=\"main\"");
    let signed = ask(&edge, &snapshot, &[("accept", "application/json"), expects]).await;
    assert_eq!(signed.header("expo-signature"), SIGNATURE);
    let multipart = ask(&edge, &snapshot, &[expects]).await;
    let expected = format!("expo-signature: {SIGNATURE}\r\n\r\n{}\r\n--", told(1).body);
    assert!(text(&multipart).contains(&expected), "{}", text(&multipart));
    assert!(!text(&ask(&edge, &snapshot, &[]).await).contains("expo-signature"));
    assert_eq!(ask(&edge, &snapshot, &[("expo-protocol-version", "")]).await.header("expo-protocol-version"), "0");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_what_to_send_and_gain_nothing_by_sending_it() {
    const NAME: &str = "expo-server-defined-headers";
    let mut snapshot = channel();
    snapshot.expo.server_defined_headers = Some(r#"x-ring="early", x-on"#.parse().unwrap());
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let current = id(1);
    for (more, status) in [
        (&[] as &[_], 200),
        (&[("accept", "application/json")], 200),
        (&[("expo-current-update-id", current.as_str())], 200),
        (&[("expo-current-update-id", current.as_str()), ("accept", "application/json")], 204),
    ] {
        let answer = ask(&edge, &snapshot, more).await;
        assert_eq!((answer.status.as_u16(), answer.header(NAME)), (status, r#"x-ring="early", x-on"#), "{more:?}");
        let returned = [more, &[("x-ring", "early"), ("x-on", "true")]].concat();
        let again = ask(&edge, &snapshot, &returned).await;
        assert_eq!(
            (again.status, text(&again), again.header(NAME)),
            (answer.status, text(&answer), answer.header(NAME))
        );
    }
    let refused = ask(&edge, &snapshot, &[("expo-platform", "windows")]).await;
    assert_eq!((refused.status.as_u16(), refused.headers.contains_key(NAME)), (400, false));
    edge.stop().await;
    // Told nothing, a client keeps what it has; told that there are none, it forgets.
    for (headers, expected) in [(None, None), (Some(""), Some(""))] {
        let mut snapshot = channel();
        snapshot.expo.server_defined_headers = headers.map(|text| text.parse().unwrap());
        let (_world, _server, edge) = World::serving(&snapshot).await;
        let answer = ask(&edge, &snapshot, &[]).await;
        assert_eq!(answer.headers.get(NAME).map(|value| value.to_str().unwrap()), expected);
        edge.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_says_what_to_send_with_requests_for_its_files() {
    let mut snapshot = channel();
    let update = snapshot.expo.updates.get_mut(&samples::release_id(1)).unwrap();
    update.body = r#"{"launchAsset":{"key":"a"},"assets":[{"key":"b"}]}"#.into();
    update.signature = SIGNATURE.into();
    update.certificate_chain = "PEM".into();
    snapshot.expo.asset_request_headers = r#"authorization="Bearer 1""#.parse().unwrap();
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let sent = r#"{"authorization":"Bearer 1"}"#;
    let part = format!(
        "content-disposition: inline; name=\"extensions\"\r\ncontent-type: application/json\r\n\r\n\
         {{\"assetRequestHeaders\":{{\"a\":{sent},\"b\":{sent}}}}}\r\n--"
    );
    let expects = ("expo-expect-signature", "sig, keyid=\"main\"");
    for (more, parts) in [(&[] as &[_], 2), (&[expects], 3)] {
        let multipart = text(&ask(&edge, &snapshot, more).await);
        assert!(multipart.contains(&part), "{multipart}");
        assert_eq!(multipart.matches("content-disposition").count(), parts);
    }
    // There is no place for it in JSON, and none in directives.
    let json = text(&ask(&edge, &snapshot, &[("accept", "application/json")]).await);
    assert!(!json.contains("assetRequestHeaders"), "{json}");
    let nothing = text(&ask(&edge, &snapshot, &[("expo-runtime-version", "2")]).await);
    assert!(nothing.contains("noUpdateAvailable") && !nothing.contains("extensions"), "{nothing}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_said_in_the_words_that_each_client_knows() {
    let snapshot = channel();
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let (first, failed) = (id(1), format!("\"{}\"", id(1)));
    let current = ("expo-current-update-id", first.as_str());
    let directive = ask(&edge, &snapshot, &[current]).await;
    assert!(text(&directive).contains(r#"{"type":"noUpdateAvailable"}"#));
    for more in [
        &[current, ("accept", "application/json")] as &[_],
        &[current, ("expo-expect-signature", "sig")],
        // Nobody signed it, so it would be an error on the device.
        &[("expo-expect-signature", "sig")],
    ] {
        let answer = ask(&edge, &snapshot, more).await;
        assert_eq!((answer.status.as_u16(), text(&answer).as_str()), (204, ""), "{more:?}");
        assert_eq!(answer.header("expo-protocol-version"), "1");
    }
    let other = ask(&edge, &snapshot, &[("expo-runtime-version", "2")]).await;
    assert!(text(&other).contains("noUpdateAvailable"));
    let refused = ask(&edge, &snapshot, &[("expo-recent-failed-update-ids", &failed)]).await;
    assert!(text(&refused).contains("noUpdateAvailable"));
    // The older protocol has no word for it: the client compares dates.
    let older = ask(&edge, &snapshot, &[current, ("expo-protocol-version", "0")]).await;
    assert!(text(&older).contains(&told(1).body));
    let nothing = ask(&edge, &snapshot, &[("expo-runtime-version", "2"), ("expo-protocol-version", "0")]).await;
    assert_eq!((nothing.status.as_u16(), nothing.json()["error"]["reason"].as_str()), (404, Some("no-update")));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directive_goes_only_to_those_who_can_obey_it() {
    let mut snapshot = channel();
    snapshot.releases.insert(0, release(2, Content::Embedded));
    snapshot.expo.updates.insert(samples::release_id(2), told(2));
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let first = id(1);
    let current = ("expo-current-update-id", first.as_str());
    let back = ask(&edge, &snapshot, &[current]).await;
    assert!(text(&back).contains("name=\"directive\"") && text(&back).contains(&told(2).body));
    let json = ask(&edge, &snapshot, &[current, ("accept", "application/json")]).await;
    assert_eq!(json.status, 406);
    for more in [
        &[("expo-current-update-id", EMBEDDED)] as &[_],
        &[current, ("expo-embedded-update-id", "")],
        // It runs something newer already.
        &[],
    ] {
        assert!(text(&ask(&edge, &snapshot, more).await).contains("noUpdateAvailable"), "{more:?}");
    }
    // What another channel brought is left, too.
    let foreign = ask(&edge, &snapshot, &[("expo-current-update-id", CLIENT)]).await;
    assert!(text(&foreign).contains("name=\"directive\""));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_and_launches_are_told_once_however_often_a_client_repeats_them() {
    let snapshot = channel();
    let (world, _server, edge) = World::serving(&snapshot).await;
    let failed = format!("\"{}\", \"{EMBEDDED}\"", id(1));
    for _ in 0..3 {
        let more = [("expo-recent-failed-update-ids", failed.as_str()), ("expo-fatal-error", "TypeError")];
        assert_eq!(ask(&edge, &snapshot, &more).await.status, 200);
    }
    let first = id(1);
    ask(&edge, &snapshot, &[("expo-current-update-id", first.as_str())]).await;
    let of_kind = |kind: &str| world.control_plane.events().into_iter().filter(|e| e.kind == kind).collect::<Vec<_>>();
    until("both are there", || !of_kind("crashed").is_empty() && !of_kind("launched").is_empty()).await;
    let crashed = of_kind("crashed");
    assert_eq!((crashed.len(), crashed[0].detail.as_str()), (1, "TypeError"));
    assert_eq!(crashed[0].release_id, samples::release_id(1).as_str());
    let device = domain::id::DeviceId::from_bits(CLIENT.parse::<UpdateId>().unwrap().bits());
    assert_eq!(crashed[0].device_id, device.as_str());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_with_another_configuration_are_an_update() {
    let mut snapshot = channel();
    let content = snapshot.releases[0].content;
    for seq in [2, 3] {
        snapshot.releases.insert(0, release(seq, content));
    }
    let configured = |seq: u64, name: &str| {
        let created = domain::expo::date_text(told(seq).committed_at_ms);
        ExpoUpdate { body: format!(r#"{{"id":"{}","createdAt":"{created}","name":"{name}"}}"#, id(seq)), ..told(seq) }
    };
    let names = ["one", "two", "two"];
    for (seq, name) in (1..).zip(names) {
        snapshot.expo.updates.insert(samples::release_id(seq), configured(seq, name));
    }
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let offered = async |running: u64| {
        let (running, json) = (id(running), ("accept", "application/json"));
        ask(&edge, &snapshot, &[("expo-current-update-id", running.as_str()), json]).await
    };
    assert_eq!(text(&offered(1).await), configured(3, "two").body);
    for running in [2, 3] {
        assert_eq!(offered(running).await.status, 204, "v{running} says the same as v3");
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refused_client_reports_is_not_kept() {
    let mut snapshot = channel();
    let refused = domain::id::DeviceId::from_bits(CLIENT.parse::<UpdateId>().unwrap().bits());
    snapshot.revoked_devices.insert(refused.clone());
    let (world, _server, edge) = World::serving(&snapshot).await;
    let first = id(1);
    let current = ("expo-current-update-id", first.as_str());
    assert_eq!(ask(&edge, &snapshot, &[current]).await.status, 403);
    let other = ("eas-client-id", "00000000-0000-4000-8000-00000000000f");
    ask(&edge, &snapshot, &[current, other]).await;
    // Events go on in the order in which they came.
    let launched =
        || world.control_plane.events().into_iter().filter(|event| event.kind == "launched").collect::<Vec<_>>();
    until("the other's is there", || launched().iter().any(|event| event.device_id != refused.as_str())).await;
    assert_eq!(launched().len(), 1, "{:?}", launched());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_their_types_and_patches_their_status() {
    let launch = samples::noise(10_000, 1);
    let world = World::new().await;
    let mut snapshot = crate::harness::stored(&world, 1, 1, &launch).await;
    let hash = *snapshot.bundles.keys().next().unwrap();
    snapshot.releases = vec![release(1, Content::Bundle(hash))];
    snapshot.expo = channel().expo;
    let from = Sha256::of(b"embedded");
    snapshot.deltas = vec![samples::delta(&snapshot, from, "bsdiff40", b"BSDIFF40")];
    world.store(b"BSDIFF40").await;
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    edge.token(&snapshot).await;
    let asset = samples::noise(1_000, 1);
    let path = format!("/v1/expo/assets/{}.png", Sha256::of(&asset));
    let answer = edge.client.get(&path, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "image/png"));
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(answer.body.unwrap(), asset);
    let path = launch_path(&snapshot.key, &Sha256::of(&launch));
    let wish = [("a-im", "bsdiff"), ("expo-current-update-id", EMBEDDED), ("expo-embedded-update-id", EMBEDDED)];
    let patch = edge.client.get(&path, &wish).await;
    assert_eq!((patch.status.as_u16(), patch.header("im")), (226, "bsdiff"));
    assert_eq!(patch.header("expo-base-update-id"), EMBEDDED);
    assert_eq!(patch.header("cache-control"), "private, no-store");
    assert_eq!(patch.body.unwrap(), b"BSDIFF40".as_slice());
    let head = edge.client.send(Method::HEAD, &path, &wish, "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (226, "8"));
    for other in [
        &wish[1..],
        &[("a-im", "bsdiff"), ("expo-current-update-id", CLIENT)],
        &[("a-im", "vcdiff"), wish[1]],
        &[("a-im", "bsdiff"), ("expo-current-update-id", "x")],
    ] {
        let full = edge.client.get(&path, other).await;
        assert_eq!((full.status.as_u16(), full.header("content-type")), (200, "application/javascript"), "{other:?}");
        assert_eq!(full.header("vary"), "accept-encoding, a-im, expo-current-update-id");
        assert_eq!(full.body.unwrap(), launch);
    }
    assert_eq!(edge.client.get("/v1/expo/assets/00.png", &[]).await.status, 400);
    assert_eq!(edge.client.get(&format!("/v1/expo/assets/{}.png", Sha256::of(b"x")), &[]).await.status, 404);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_never_reach_the_control_plane() {
    let snapshot = channel();
    let (world, _server, edge) = World::serving(&snapshot).await;
    let heard = || world.control_plane.0.lock().heard.iter().filter(|said| is_interest(said)).count();
    let before = heard();
    for path in ["/v1/expo/app_1/production", "/v1/expo//x", &format!("/v1/expo/{}/a%20b", snapshot.key.app)] {
        let headers = [("expo-platform", "ios"), ("expo-runtime-version", "1")];
        let answer = edge.client.get(path, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.header("expo-protocol-version")), (400, "1"), "{path}");
    }
    assert_eq!(edge.client.get("/v1/expo/a/b/c/d", &[]).await.status, 404);
    assert_eq!(edge.client.send(Method::POST, "/v1/expo/a", &[], "").await.status, 405);
    let long = format!("/v1/expo/{}?x={}", snapshot.key.app, "a".repeat(60 << 10));
    let refused = edge.client.get(&long, &[]).await.status.as_u16();
    assert!((400..500).contains(&refused), "{refused}");
    assert_eq!(heard(), before);
    edge.stop().await;
}

fn is_interest(said: &proto::v1::sync_request::Message) -> bool {
    matches!(said, proto::v1::sync_request::Message::Interest(_))
}
