//! This file's job is to show that what devices did is known to the last event after the control plane was away for long.

use crate::world::World;
use domain::Timestamp;
use domain::id::EventId;
use serde_json::{Value, json};
use standalone::demo::http::Http;
use std::time::Duration;
use testkit::wait_until;
use tests::stack::Stack;

/// The smallest spool that an edge may have.
const SPOOL_BYTES: u64 = 8 << 20;
/// Of a bit more than 2 KiB each: one and a half times what the spool holds.
const EVENTS: usize = 6_000;
/// As many as fit into one report.
const EVENTS_A_REPORT: usize = 25;
const LAUNCHED: &str = "event-launched";
/// Reports after which the edge is killed.
const KILLED_AFTER: usize = 50;
/// Batches are sent again after a minute at most.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(150);

fn report(release: &str, first: usize) -> Value {
    let event = |number: usize| {
        let id = EventId::from_parts(Timestamp::from_us(1_790_000_000_000_000), {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&(number as u64).to_be_bytes());
            random
        });
        json!({"id": id, "kind": "launched", "release_id": release, "detail": "x".repeat(2_000)})
    };
    let events: Vec<Value> = (first..first + EVENTS_A_REPORT).map(event).collect();
    json!({"channel": "production", "platform": "android", "binary": "1.0.0", "events": events})
}

/// Registers at the edge, which must know the channel.
async fn token(world: &World, http: &Http) -> String {
    let document = json!({
        "app": world.app, "channel": "production", "platform": "android", "binary": "1.0.0", "nonce": "0".repeat(64),
    });
    let answer = http.post("/v1/devices/register", None, &document).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// Returns how often that was counted.
fn times(world: &World, measure: &str) -> i64 {
    world.stack.count(&format!("SELECT coalesce(sum(times), 0)::bigint FROM tally WHERE measure = '{measure}'"))
}

#[tokio::test]
async fn more_than_the_spool_holds_is_counted_to_the_last_event_whoever_dies() {
    let mut world = World::new(Stack::in_separate_processes());
    let release = world.release("v1", &[])["release_id"].as_str().unwrap().to_owned();
    let _ = world.device().await;
    let edge = world.stack.edge.as_mut().unwrap();
    edge.kill();
    edge.set("ALOFT_EDGE__SPOOL_MAX_BYTES", &SPOOL_BYTES.to_string());
    for limit in ["ADDRESS", "APP", "CLASS"] {
        edge.set(&format!("ALOFT_EDGE__{limit}_REQUESTS_PER_S"), "0");
    }
    world.stack.restart_edge();
    let mut http = Http::new(&world.stack.edge_url());
    let token = token(&world, &http).await;

    world.stack.control_plane.as_mut().unwrap().kill();
    for (number, first) in (0..EVENTS).step_by(EVENTS_A_REPORT).enumerate() {
        if number % KILLED_AFTER == KILLED_AFTER - 1 {
            world.stack.edge.as_mut().unwrap().kill();
            world.stack.restart_edge();
            http = Http::new(&world.stack.edge_url());
        }
        let answer = http.post("/v1/events", Some(&token), &report(&release, first)).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["accepted"], EVENTS_A_REPORT);
    }

    // An edge that has just started does not wait for long before it tries again.
    world.stack.edge.as_mut().unwrap().kill();
    world.stack.restart_edge();
    // It dies when it has added the first numbers, before it says so.
    let control_plane = world.stack.control_plane.as_mut().unwrap();
    control_plane.set("ALOFT_FAILPOINTS", "control-plane.tallies-added=crash");
    control_plane.start();
    control_plane.wait_for_end();
    assert!(times(&world, LAUNCHED) > 0);
    world.stack.control_plane.as_mut().unwrap().set("ALOFT_FAILPOINTS", "");
    world.stack.restart_control_plane();
    wait_until(ARRIVAL_DEADLINE, || times(&world, LAUNCHED) >= EVENTS as i64);
    // Numbers come in order: when this one is there, nothing of before is on its way.
    world.device().await.check().await.unwrap();
    wait_until(ARRIVAL_DEADLINE, || times(&world, "check-offered") > 0);
    assert_eq!(times(&world, LAUNCHED), EVENTS as i64);
    let stored = world.stack.count("SELECT count(*) FROM event WHERE kind = 'launched'");
    assert!((1..EVENTS as i64).contains(&stored), "{stored} came one by one, the others as numbers");
    assert_eq!(world.channel(&["releases", "get", "v1"])["activity"]["launched"], EVENTS);
}
