//! This file's job is to show that an edge's log names no device and holds no secret, however much it says.

use crate::world::World;
use reqwest::StatusCode;
use std::time::{Duration, Instant};
use tests::stack::Stack;

/// Far longer than a channel needs to come to an edge on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn no_token_and_no_device_stands_in_an_edges_log() {
    let mut stack = Stack::in_separate_processes();
    let edge = stack.edge.as_mut().unwrap();
    edge.set("ALOFT_LOG__FILTER", "edge_proxy=trace,info");
    edge.kill();
    let api = stack.put_api_port_before_control_planes();
    stack.restart_edge();
    let world = World::new(stack);
    world.release("v1", &[]);
    let (http, url) = (reqwest::Client::new(), world.stack.edge_url());
    let registration = serde_json::json!({
        "app": world.app, "channel": "production", "platform": "android", "nonce": "a-nonce-that-nobody-may-see",
    });
    let began = Instant::now();
    let register =
        async || http.post(format!("{url}/v1/devices/register")).body(registration.to_string()).send().await.unwrap();
    let mut answer = register().await;
    while answer.status() != StatusCode::CREATED {
        assert!(began.elapsed() < DEADLINE, "{}", answer.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = register().await;
    }
    let registered: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let (device, token) = (registered["device_id"].as_str().unwrap(), registered["token"].as_str().unwrap());
    let check = format!("{url}/v1/updates?app={}&channel=production&platform=android&binary=1.4.0", world.app);
    let forged = format!("{token}x");
    for (token, expected) in [(token, StatusCode::OK), (&forged, StatusCode::UNAUTHORIZED)] {
        assert_eq!(http.get(&check).bearer_auth(token).send().await.unwrap().status(), expected);
    }
    let events = serde_json::json!({"events": [{"id": "evt_1", "kind": "launched", "detail": device}]});
    let _ = http.post(format!("{url}/v1/events")).bearer_auth(token).body(events.to_string()).send().await.unwrap();
    let key = world.cli().api_key().to_owned();
    let _ = world.cli().at(&api).json(&["app", "list"]);

    let log = world.stack.edge.as_ref().unwrap().log();
    for (what, secret) in [("device", device), ("token", token), ("key", key.as_str()), ("nonce", "nobody-may-see")] {
        assert!(!log.contains(secret), "the {what} stands in the log:\n{log}");
    }
    // The log does say what happens, in detail.
    assert!(log.contains("a request was passed on") && log.contains("caught up"), "{log}");
}
