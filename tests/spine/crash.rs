//! This file's job is to show that uploads and jobs survive crashes of either side.

use crate::world::{World, update_to};
use std::process::Stdio;
use std::time::Duration;
use testkit::wait_until;
use tests::stack::Stack;

/// Slow enough that an upload of the example app can be hit in its middle.
const RATE: &str = "400000";

fn slow_upload(folder: &str) -> [&str; 8] {
    ["upload", folder, "--app", "trailhead", "--platform", "android", "--limit-rate", RATE]
}

fn received_bytes(world: &World) -> u64 {
    u64::try_from(world.stack.count("SELECT COALESCE(MAX(received_bytes), 0) FROM upload")).unwrap()
}

#[tokio::test]
async fn an_upload_resumes_after_the_command_was_killed() {
    let world = World::new(Stack::in_separate_processes());
    let folder = tests::corpus("v1", "android/js").display().to_string();
    let mut command = world.cli().command(&slow_upload(&folder));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(Duration::from_secs(30), || received_bytes(&world) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = received_bytes(&world);

    let again = world.cli().json(&["upload", &folder, "--app", "trailhead", "--platform", "android"]);
    let upload = &again["uploads"][0];
    let (sent, size) = (upload["sent_size_bytes"].as_u64().unwrap(), upload["archive_size_bytes"].as_u64().unwrap());
    assert_eq!(upload["state"], "ready", "{upload}");
    assert!(before > 0 && sent <= size - before, "sent {sent} of {size} although {before} were there");
    assert_eq!(world.stack.count("SELECT count(*) FROM upload"), 1);
}

#[tokio::test]
async fn an_upload_goes_on_after_the_control_plane_was_killed() {
    let mut world = World::new(Stack::in_separate_processes());
    let folder = tests::corpus("v1", "android/js").display().to_string();
    let mut command = world.cli().command(&slow_upload(&folder));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(Duration::from_secs(30), || received_bytes(&world) > 0);
    world.stack.control_plane.as_mut().unwrap().kill();
    world.stack.restart_control_plane();
    let output = child.wait_with_output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{answer}");
    assert!(answer.contains("\"ready\""), "{answer}");
    assert_eq!(world.stack.count("SELECT count(*) FROM upload"), 1);
}

#[tokio::test]
async fn a_job_whose_worker_was_killed_is_done_by_the_next_one() {
    let mut world = World::new(Stack::in_separate_processes());
    world.stack.worker.as_mut().unwrap().kill();
    let folder = tests::corpus("v1", "android/hermes").display().to_string();
    let queued = world.cli().json(&["upload", &folder, "--app", "trailhead", "--platform", "android", "--wait", "0"]);
    assert_eq!(queued["uploads"][0]["state"], "queued", "{queued}");
    // Kill a worker in the middle again and again, then let one live.
    for _ in 0..3 {
        world.stack.worker.as_mut().unwrap().start();
        wait_until(Duration::from_secs(60), || {
            world.stack.count("SELECT count(*) FROM job WHERE state = 'running'") > 0
                || world.stack.count("SELECT count(*) FROM bundle") > 0
        });
        world.stack.worker.as_mut().unwrap().kill();
    }
    world.stack.worker.as_mut().unwrap().start();
    wait_until(Duration::from_secs(120), || {
        world.stack.count("SELECT count(*) FROM upload WHERE state = 'ready'") == 1
    });
    assert_eq!(world.stack.count("SELECT count(*) FROM bundle"), 1);
    world.release("v1", &[]);
    let mut device = world.device().await;
    update_to(&mut device, "v1").await;
}
