//! This file's job is to show that what no client sends is refused at the edge, and costs the control plane nothing.

use crate::control_plane::Running;
use crate::harness::{RunningEdge, World, until};
use crate::samples;
use domain::snapshot::ChannelSnapshot;
use http::Method;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const KEY: &str = "deployment-key-of-ios";
const CHECKS: [&str; 2] = ["/updateCheck", "/v0.1/public/codepush/update_check"];
const REPORTS: [&str; 2] = ["/reportStatus/deploy", "/v0.1/public/codepush/report_status/download"];
/// What is never answered ends the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A channel that CodePush's and Expo's clients follow.
fn channel() -> ChannelSnapshot {
    let mut snapshot = samples::channel(1, 1, b"launch", b"logo");
    snapshot.codepush.keys = [(KEY.parse().unwrap(), domain::Platform::Ios)].into();
    snapshot
}

/// A control plane, and an edge that has the channel and has told of the one device that it registered.
async fn serving(snapshot: &ChannelSnapshot) -> (World, Running, RunningEdge) {
    let (world, server, edge) = World::serving(snapshot).await;
    until("the registration is told", || world.control_plane.events().len() == 1).await;
    (world, server, edge)
}

/// What the control plane has heard of: keys and events.
fn heard(world: &World) -> (usize, usize) {
    (world.control_plane.key_interests(), world.control_plane.events().len())
}

async fn refused(edge: &RunningEdge, path: &str, headers: &[(&str, &str)], expected: &[u16]) {
    let status = edge.client.get(path, headers).await.status.as_u16();
    let shown: String = path.chars().take(80).collect();
    assert!(expected.contains(&status), "{status} for {shown} with {headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_no_client_sends_are_refused_without_the_control_plane() {
    let snapshot = channel();
    let (world, _server, edge) = serving(&snapshot).await;
    let before = heard(&world);
    // With the rest of the address as much as a client can write: 64 KiB.
    let huge = "x".repeat(63 << 10);
    let many: String = (0..700).map(|number| format!("&a{number}=1")).collect();
    let ours = format!("/v1/updates?app={}&channel=production", snapshot.key.app);
    let expo = format!("/v1/expo/{}/{}?", snapshot.key.app, snapshot.key.channel);
    for path in CHECKS.map(str::to_owned).into_iter().chain([ours, expo]) {
        let join = if path.contains('?') { "&" } else { "?" };
        // A head of more than 16 KiB is not even read.
        refused(&edge, &format!("{path}{join}deployment_key={huge}"), &[], &[431]).await;
    }
    for path in CHECKS {
        for query in [
            "".to_owned(),
            many.clone(),
            format!("deployment_key={}&app_version=1.0.0", "k".repeat(101)),
            "deployment_key=unknown%00key1&app_version=1.0.0".to_owned(),
            "deployment_key=unknown:key-1&app_version=1.0.0".to_owned(),
            "deployment_key=unknown-key-1&app_version=".to_owned(),
            "deployment_key=unknown-key-1&app_version=1.2.3.4".to_owned(),
            "deployment_key=unknown-key-1&app_version=%FF%FE".to_owned(),
            format!("deployment_key=unknown-key-1&app_version={}", "9".repeat(5_000)),
            "%%%%%%%%&&&&====".to_owned(),
        ] {
            refused(&edge, &format!("{path}?{query}"), &[], &[400]).await;
        }
    }
    for path in REPORTS {
        for body in
            ["", "{", "[]", "\u{0}", &"[".repeat(9_000), &format!(r#"{{"deployment_key":"{}"}}"#, "k".repeat(101))]
        {
            let answer = edge.client.send(Method::POST, path, &[("content-type", "application/json")], body.to_owned());
            let status = answer.await.status.as_u16();
            assert!((400..500).contains(&status), "{status} for {path} with {body:.40}");
        }
    }
    assert_eq!(heard(&world), before, "nothing of it was asked or told");
    // The control: a request that a client might send is asked about.
    let answer = edge.client.get(&format!("{}?deployment_key=unknown-key-1&app_version=1.0.0", CHECKS[1]), &[]).await;
    assert!(matches!(answer.status.as_u16(), 404 | 503), "{}", answer.status);
    until("the key is asked for", || world.control_plane.key_interests() == before.0 + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn structured_fields_that_are_bombs_are_refused_without_the_control_plane() {
    let snapshot = channel();
    let (world, _server, edge) = serving(&snapshot).await;
    let before = heard(&world);
    let path = format!("/v1/expo/{}/{}", snapshot.key.app, snapshot.key.channel);
    let base = [("expo-platform", "ios"), ("expo-protocol-version", "1"), ("expo-runtime-version", "1")];
    let nested = format!("{}\"a\"{}", "(".repeat(4_000), ")".repeat(4_000));
    let items: String = vec!["\"x\""; 3_000].join(", ");
    let parameters = format!("\"x\"{}", ";a=1".repeat(3_000));
    for (name, value) in [
        ("expo-recent-failed-update-ids", nested.as_str()),
        ("expo-recent-failed-update-ids", &items),
        ("expo-recent-failed-update-ids", &parameters),
        ("expo-recent-failed-update-ids", "\"unterminated"),
        ("expo-recent-failed-update-ids", "\"a\",,\"b\""),
        ("expo-expect-signature", "((((((("),
        ("expo-expect-signature", "sig=:not base64:"),
        ("expo-expect-signature", "sig=99999999999999999999"),
        ("expo-extra-params", "a=1e999"),
        ("expo-extra-params", "=;=;="),
        ("eas-client-id", "not-a-uuid"),
        ("expo-current-update-id", "{}"),
        ("expo-protocol-version", "-1"),
        ("expo-protocol-version", "1, 1"),
    ] {
        let mut headers = base.to_vec();
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value));
        refused(&edge, &path, &headers, &[400, 406]).await;
    }
    let unknown = "/v1/expo/app_00000000000000000000000000/production";
    refused(&edge, unknown, &[("expo-protocol-version", "one")], &[400, 404, 406]).await;
    assert_eq!(heard(&world), before, "nothing of it was asked or told");
}

/// Sends bytes and returns what comes back until the edge closes the connection.
async fn exchange(edge: &RunningEdge, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(edge.client.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the edge ends the connection").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_an_earlier_age_are_refused_or_answered_and_end() {
    let snapshot = channel();
    let (world, _server, edge) = serving(&snapshot).await;
    let before = heard(&world);
    let line = format!("GET {}?deployment_key={KEY}&app_version=1", CHECKS[0]);
    for (request, begin) in [
        (format!("{line}\r\n\r\n"), ["HTTP/1.1 400", ""]),
        (format!("{line} HTTP/0.9\r\n\r\n"), ["HTTP/1.1 400", ""]),
        (format!("{line} HTTP/1.1\r\nconnection: close\r\n\r\n"), ["HTTP/1.1 400", "HTTP/1.1 400"]),
        (format!("{line} HTTP/1.0\r\n\r\n"), ["HTTP/1.0 400", "HTTP/1.0 400"]),
        (format!("{line} HTTP/1.0\r\nhost: updates.example.com\r\n\r\n"), ["HTTP/1.0 200", "HTTP/1.0 200"]),
        (format!("{line} HTTP/3.7\r\nhost: x\r\n\r\n"), ["HTTP/1.1 400", ""]),
    ] {
        let answer = exchange(&edge, request.as_bytes()).await;
        let fits =
            begin.iter().any(|begin| if begin.is_empty() { answer.is_empty() } else { answer.starts_with(begin) });
        assert!(fits, "{request:?}: {answer:?}");
    }
    assert_eq!(heard(&world), before, "nothing of it was asked or told");
}
