//! This file's job is to show that a database that is away or hangs delays the platform, and breaks nothing.

use crate::world::{World, check_until, offers, update_to};
use std::time::Duration;
use testkit::door::Door;
use testkit::postgres::TestDatabase;
use testkit::wait_until;
use tests::process::{Process, free_port};
use tests::stack::Stack;

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_process_works_on_postgresql_and_s3_over_tls_too() {
    let world = World::new(Stack::in_one_process_on_servers());
    let mut device = world.device().await;
    world.release("v1", &[]);
    update_to(&mut device, "v1").await;
    assert_eq!(world.stack.count("SELECT count(*) FROM release"), 1);
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_waited_for_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create();
    let (door_port, port) = (free_port(), free_port());
    let url = database.behind(|_| format!("127.0.0.1:{door_port}"));
    let store = folder.path().join("store").display().to_string();
    let settings = [
        ("ALOFT_DATABASE__URL", url.as_str()),
        ("ALOFT_STORE__URL", &store),
        ("ALOFT_CONTROL_PLANE__LISTEN", &format!("127.0.0.1:{port}")),
        ("ALOFT_CONTROL_PLANE__PEPPER", &"p".repeat(48)),
        ("ALOFT_CONTROL_PLANE__EDGE_TOKEN", &"e".repeat(48)),
    ];
    let mut control_plane = Process::new("aloft-control-plane", folder.path(), &settings);
    control_plane.start();
    wait_until(DEADLINE, || control_plane.log().contains("waiting for the database"));
    let mut server = String::new();
    let _ = database.behind(|address| {
        address.clone_into(&mut server);
        server.clone()
    });
    let _door = Door::before(&server, Some(door_port));
    control_plane.wait_for_port(port);
    let (status, _) = control_plane.stop();
    assert!(status.success());
}

#[tokio::test]
async fn a_database_that_hangs_gives_bounded_refusals_and_then_goes_on() {
    let mut world = World::new(Stack::in_separate_processes());
    world.release("v1", &[]);
    let device = world.device().await;
    let door = world.stack.put_door_before_database();
    world.channel(&["releases", "update", "v1", "--notes", "before"]);
    check_until(&device, |checked| offers(checked, "v1")).await;
    door.shut();
    let update = ["releases", "update", "v1", "--notes", "while it hangs"];
    let ended = world.cli().run(&[&update[..], &["--app", "trailhead", "--channel", "production"]].concat());
    let reason = ended.json.to_string();
    assert_ne!(ended.code, 0, "{reason}");
    assert!(reason.contains("UNAVAILABLE") || reason.contains("unavailable"), "{reason}");
    assert!(offers(&device.check().await.unwrap(), "v1"), "devices are served meanwhile");
    door.open();
    let changed = world.channel(&["releases", "update", "v1", "--notes", "after"]);
    assert!(changed.to_string().contains("after"), "{changed}");
}
