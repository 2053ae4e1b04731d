//! This file's job is to test that no network and no app gets more answers than it is granted, and that those refused are told why.

use crate::client::Answer;
use crate::harness::{NOBODY, RunningEdge, World};
use crate::samples;

/// One a second is granted, so ten may come at once.
const RATE: u32 = 1;
const BURST: usize = 10;
/// However slow the machine is, these come faster than one a second.
const MANY: usize = 60;

/// Asks until it is refused; returns how many answers came before, and the refusal.
async fn until_refused(mut ask: impl AsyncFnMut() -> Answer) -> (usize, Answer) {
    for count in 0..MANY {
        let answer = ask().await;
        if !answer.status.is_success() {
            return (count, answer);
        }
    }
    panic!("{MANY} requests were answered");
}

fn check_refusal(answer: &Answer, scope: &str) {
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["reason"].as_str()), (429, Some("rate-limited")));
    assert_eq!(answer.header("ratelimit-policy"), format!("\"{scope}\";q=10;w=10"));
    assert_eq!(answer.header("ratelimit"), format!("\"{scope}\";r=0;t=1"));
    assert!(matches!(answer.header("retry-after"), "1" | "2"), "{}", answer.header("retry-after"));
}

fn limited(edge: &RunningEdge, scope: &str) -> bool {
    edge.metrics.render().contains(&format!("aloft_edge_rate_limited_total{{scope=\"{scope}\"}} 1\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_no_more_answers_than_it_is_granted() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.address_requests_per_s = RATE;
    let edge = world.start(config).await;
    let (count, refused) = until_refused(async || edge.client.get("/healthz", &[]).await).await;
    assert!(count >= BURST, "{count}");
    check_refusal(&refused, "address");
    assert!(limited(&edge, "address"));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_address_that_it_names_has_its_own_share() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.address_requests_per_s = RATE;
    config.client_address_header = "x-forwarded-for".to_owned();
    let edge = world.start(config).await;
    let ask = async |from: &str| edge.client.get("/healthz", &[("x-forwarded-for", from)]).await;
    // What the client wrote itself stands before the address that the proxy saw.
    let mut number = 0;
    let (count, refused) = until_refused(async || {
        number += 1;
        ask(&format!("203.0.113.{number}, 192.0.2.1")).await
    })
    .await;
    assert!(count >= BURST, "{count}");
    check_refusal(&refused, "address");
    assert_eq!(ask("192.0.2.2").await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_app_gets_no_more_answers_than_it_is_granted_and_strangers_cannot_use_them_up() {
    let world = World::new().await;
    let snapshots = [samples::empty(1, 1), samples::empty(2, 1)];
    for snapshot in &snapshots {
        world.control_plane.publish(snapshot).await;
    }
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.app_requests_per_s = RATE;
    let edge = world.start(config).await;
    let tokens = [edge.token(&snapshots[0]).await, edge.token(&snapshots[1]).await];
    let check = async |index: usize, token: &str| {
        let path = format!("/v1/updates?app={}&channel=production&platform=ios&binary=1.0.0", snapshots[index].key.app);
        edge.client.get(&path, &[("authorization", &format!("Bearer {token}"))]).await
    };
    let last = if tokens[0].ends_with('A') { 'E' } else { 'A' };
    let forged = format!("{}{last}", &tokens[0][..tokens[0].len() - 1]);
    for _ in 0..MANY {
        assert_eq!(check(0, &forged).await.status, 401);
    }
    let (count, refused) = until_refused(async || check(0, &tokens[0]).await).await;
    assert!(count >= BURST, "{count}");
    check_refusal(&refused, "app");
    assert!(limited(&edge, "app"));
    assert_eq!(check(1, &tokens[1]).await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_kind_of_device_gets_no_more_answers_than_it_is_granted() {
    let world = World::new().await;
    let snapshot = samples::empty(1, 1);
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.class_requests_per_s = RATE;
    let edge = world.start(config).await;
    let token = edge.token(&snapshot).await;
    let check = async |platform: &str| {
        let path = format!("/v1/updates?app={}&channel=production&platform={platform}&binary=1.0.0", snapshot.key.app);
        edge.client.get(&path, &[("authorization", &format!("Bearer {token}"))]).await
    };
    let (count, refused) = until_refused(async || check("ios").await).await;
    assert!(count >= BURST, "{count}");
    check_refusal(&refused, "device-class");
    assert!(limited(&edge, "device-class"));
    assert_eq!(check("android").await.status, 200);
    let path = format!("/v1/expo/{}/production", snapshot.key.app);
    let expo =
        [("expo-protocol-version", "1"), ("expo-platform", "ios"), ("expo-runtime-version", "1"), ("accept", "*/*")];
    let (count, refused) = until_refused(async || edge.client.get(&path, &expo).await).await;
    assert!(count >= BURST && refused.status == 429, "{count}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_left_when_that_is_little() {
    let world = World::new().await;
    let snapshot = samples::empty(1, 1);
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.address_requests_per_s = RATE;
    let edge = world.start(config).await;
    let first = edge.client.get("/healthz", &[]).await;
    assert!(first.headers.get("ratelimit").is_none(), "there is plenty");
    let (mut last, mut refused) = (None, first);
    for _ in 0..MANY {
        if refused.status == 429 {
            break;
        }
        last = refused.headers.get("ratelimit").cloned();
        refused = edge.client.get("/healthz", &[]).await;
    }
    let last = last.unwrap();
    let last = last.to_str().unwrap();
    assert!(last.starts_with("\"address\";r=") && last.contains(";t="), "{last}");
    check_refusal(&refused, "address");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_registers_only_so_many_devices_of_one_app() {
    let world = World::new().await;
    let snapshots = [samples::empty(1, 1), samples::empty(2, 1)];
    for snapshot in &snapshots {
        world.control_plane.publish(snapshot).await;
    }
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.registrations_per_s = RATE;
    config.client_address_header = "x-forwarded-for".to_owned();
    let edge = world.start(config).await;
    let token = edge.token(&snapshots[0]).await;
    edge.token(&snapshots[1]).await;
    let (mut number, address) = (0, "2001:db8:1:2::7");
    let (count, refused) = until_refused(async || {
        number += 1;
        // Another address of the same network each time, and another device.
        let from = format!("2001:db8:1:2::{number:x}");
        edge.register_from(&snapshots[0], &format!("nonce-of-the-device-no-{number:04}"), &from).await
    })
    .await;
    assert!(count >= BURST, "{count}");
    check_refusal(&refused, "registration");
    assert!(limited(&edge, "registration"));
    let register = async |index: usize, from: &str| {
        edge.register_from(&snapshots[index], "the-nonce-of-another-device", from).await.status
    };
    assert_eq!(register(1, address).await, 201, "another app");
    assert_eq!(register(0, "2001:db8:1:3::7").await, 201, "another network");
    // Those who have registered are served.
    assert_eq!(edge.check(&snapshots[0], &token, "").await.status, 200);
    edge.stop().await;
}
