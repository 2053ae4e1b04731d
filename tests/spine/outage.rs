//! This file's job is to show that devices are answered while everything behind the edge is away.

use crate::world::{World, check_until, files_of, offers, update_to};
use standalone::demo::http::Http;
use std::time::Duration;
use testkit::disk::SmallDisk;
use testkit::{wait_until, wait_until_async};
use tests::stack::Stack;

/// Syncing a few files takes milliseconds; a busy disk takes longer.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_restarted_edge_serves_from_its_disk_with_everything_behind_it_dead() {
    let mut world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    let mut first = world.device().await;
    update_to(&mut first, "v1").await;
    // A device has its bytes before the edge has synced its own.
    let files = files_of(&tests::corpus("v1", "android/hermes"));
    wait_until(DEADLINE, || files.iter().all(|(_, sha256)| world.stack.edge_keeps(&sha256.to_hex())));

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

/// Holds the example app with room to spare.
const DISK_BYTES: u64 = 128 << 20;
/// Enough for snapshots, too little for any launch file.
const REST_BYTES: u64 = 512 << 10;

#[tokio::test]
async fn an_edge_with_a_full_disk_passes_bytes_through_and_recovers_alone() {
    let disk = SmallDisk::mount(DISK_BYTES);
    let mut world = World::new(Stack::in_separate_processes());
    let edge = world.stack.edge.as_mut().unwrap();
    edge.kill();
    edge.set("ALOFT_EDGE__DATA_FOLDER", &disk.path().join("edge").display().to_string());
    edge.set("ALOFT_EDGE__DISK_RESERVE_BYTES", "1048576");
    world.stack.restart_edge();
    disk.fill(REST_BYTES);
    world.release("v1", &[]);
    let cost = update_to(&mut world.device().await, "v1").await;
    assert_eq!(cost.received_bytes, cost.full_bytes);
    let log = || world.stack.edge.as_ref().unwrap().log();
    wait_until(DEADLINE, || log().contains("cannot be kept on disk") && log().contains("full"));

    disk.clear();
    // Every download is a new try to keep it: once it is kept, the store may go.
    let launch_bytes =
        std::fs::metadata(tests::corpus("v1", "android/hermes").join("index.android.bundle")).unwrap().len();
    let kept = || {
        files_of(&disk.path().join("edge/blobs")).iter().any(|(path, _)| {
            std::fs::metadata(disk.path().join("edge/blobs").join(path)).is_ok_and(|file| file.len() == launch_bytes)
        })
    };
    let begun = std::time::Instant::now();
    while !kept() {
        update_to(&mut world.device().await, "v1").await;
        assert!(begun.elapsed() < Duration::from_secs(60), "the edge does not notice the room");
    }
    world.stack.edge.as_mut().unwrap().kill();
}
