//! This file's job is to show that devices are answered while everything behind the edge is away.

use crate::world::{World, check_until, offers, update_to};
use standalone::demo::http::Http;
use std::time::Duration;
use testkit::wait_until_async;
use tests::stack::Stack;

#[tokio::test]
async fn a_restarted_edge_serves_from_its_disk_with_everything_behind_it_dead() {
    let mut world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    let mut first = world.device().await;
    update_to(&mut first, "v1").await;

    world.stack.control_plane.as_mut().unwrap().kill();
    world.stack.worker.as_mut().unwrap().kill();
    world.stack.stop_store();
    for _ in 0..3 {
        world.stack.edge.as_mut().unwrap().kill();
        world.stack.restart_edge();
        let mut device = world.device().await;
        let cost = update_to(&mut device, "v1").await;
        assert_eq!(cost.received_bytes, cost.full_bytes);
    }

    world.stack.restart_control_plane();
    let _ = world.channel(&["rollout", "pause"]);
    let late = world.device().await;
    check_until(&late, crate::world::is_settled).await;
}

#[tokio::test]
async fn an_edge_that_never_saw_a_channel_says_so_instead_of_no_update() {
    let mut world = World::new(Stack::in_separate_processes());
    world.stack.control_plane.as_mut().unwrap().kill();
    let http = Http::new(&world.stack.edge_url());
    let document = serde_json::json!({
        "app": world.app, "channel": "production", "platform": "android", "binary": "1.0.0", "nonce": "0".repeat(64),
    });
    let refused = http.post("/v1/devices/register", None, &document).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
}

#[tokio::test]
async fn commands_survive_lost_database_connections() {
    let world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    for round in 0..3 {
        world.stack.kill_database_connections();
        let notes = format!("after loss {round}");
        let changed = world.channel(&["releases", "update", "v1", "--notes", &notes]);
        assert!(changed.to_string().contains(&notes), "{changed}");
    }
    let device = world.device().await;
    check_until(&device, |checked| offers(checked, "v1")).await;
}

#[tokio::test]
async fn every_process_stops_softly_within_five_seconds() {
    let mut world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    let device = world.device().await;
    check_until(&device, |checked| offers(checked, "v1")).await;
    let stack = &mut world.stack;
    for process in [&mut stack.edge, &mut stack.worker, &mut stack.control_plane] {
        let (status, took) = process.as_mut().unwrap().stop();
        assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    }
    let mut one = World::new(Stack::in_one_process());
    let (status, took) = one.stack.standalone.as_mut().unwrap().stop();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[tokio::test]
async fn telemetry_waits_for_the_control_plane_and_is_stored_once() {
    let mut world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    let mut device = world.device().await;
    update_to(&mut device, "v1").await;
    world.stack.control_plane.as_mut().unwrap().kill();
    let installed = device.installation.running().unwrap().clone();
    for _ in 0..5 {
        device.report(domain::telemetry::EventKind::Launched, &installed, "while away").await.unwrap();
    }
    world.stack.edge.as_mut().unwrap().kill();
    world.stack.restart_edge();
    world.stack.restart_control_plane();
    let count = || async { world.stack.count("SELECT count(*) FROM event WHERE kind = 'launched'") };
    wait_until_async(Duration::from_secs(40), || async { count().await == 5 }).await;
}
