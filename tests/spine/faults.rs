//! This file's job is to inject the faults of the main job: processes that are killed where it hurts most, and lost connections.
//!
//! `./x faults spine` repeats them. Each has a guard; one more round runs with the guard broken, and must show harm.

use crate::world::{World, check_until, update_to};
use standalone::demo::device::Checked;
use std::process::Stdio;
use std::time::Duration;
use testkit::fault::{Dice, Guard, Harm, repeat};
use testkit::wait_until;
use tests::process::Process;
use tests::stack::Stack;

/// Names the points where a process crashes and the guards that are left out.
const FAILPOINTS: &str = "ALOFT_FAILPOINTS";
/// Longer than a lease of the worker and a retry of its job, on a loaded machine.
const PROCESSING_DEADLINE: Duration = Duration::from_secs(120);
/// Cuts in a round; after each, the database must take a change to the channel.
const CUTS: u64 = 5;
/// The server's own work may meet the cut before a command does, and then the command finds a good connection: without the guard, the
/// cuts go on until one is noticed.
const CONTROL_CUTS_MAX: u64 = 200;

fn version(dice: &mut Dice) -> &'static str {
    ["v1", "v2", "v3", "v4"][dice.below(4) as usize]
}

fn failpoints(crash: &str, guard: (&str, Guard)) -> String {
    match guard {
        (_, Guard::Stands) => format!("{crash}=crash"),
        (name, Guard::Broken) => format!("{crash}=crash,{name}=break"),
    }
}

fn restart(process: &mut Process, failpoints: &str) {
    process.kill();
    process.set(FAILPOINTS, failpoints);
    process.start();
}

fn is_mandatory(checked: &Checked) -> bool {
    checked.page.update.as_ref().is_some_and(|update| update.mandatory)
}

fn count(world: &World, sql: &str) -> u64 {
    u64::try_from(world.stack.count(sql)).unwrap()
}

/// Uploads, lets the worker crash at the point, and looks at what the next worker makes of it.
async fn worker_killed(point: &str, guard: (&str, Guard), attempts: u64, mut dice: Dice) -> Harm {
    let mut world = World::new(Stack::in_separate_processes());
    let version = version(&mut dice);
    let folder = tests::corpus(version, "android/hermes").display().to_string();
    let worker = world.stack.worker.as_mut().unwrap();
    for (key, value) in [("LEASE_MS", "3000"), ("HEARTBEAT_MS", "1000"), ("RESCUE_MS", "200")] {
        worker.set(&format!("ALOFT_WORKER__{key}"), value);
    }
    // The first owner gets a mail; its job is not what is looked at.
    wait_until(PROCESSING_DEADLINE, || count(&world, "SELECT count(*) FROM job") == 0);
    let before = count(&world, "SELECT count(*) FROM job_attempt");
    restart(world.stack.worker.as_mut().unwrap(), &failpoints(point, guard));
    let upload = ["upload", &folder, "--app", "trailhead", "--platform", "android", "--wait", "0"];
    let _ = world.cli().json(&upload);
    world.stack.worker.as_mut().unwrap().wait_for_end();
    restart(world.stack.worker.as_mut().unwrap(), "");
    wait_until(PROCESSING_DEADLINE, || {
        count(&world, "SELECT count(*) FROM upload WHERE state IN ('ready', 'failed')") == 1
            && count(&world, "SELECT count(*) FROM job") == 0
    });
    let ready = count(&world, "SELECT count(*) FROM upload WHERE state = 'ready'");
    let bundles = count(&world, "SELECT count(*) FROM bundle");
    let ran = count(&world, "SELECT count(*) FROM job_attempt") - before;
    if ready == 1 && guard.1 == Guard::Stands {
        // Every byte is there: a device gets it.
        world.release(version, &[]);
        update_to(&mut world.device().await, "v1").await;
    }
    Harm { lost: 1 - ready, wrong: bundles.abs_diff(ready) + ran.abs_diff(attempts) }
}

#[tokio::test]
async fn a_worker_killed_between_the_store_and_the_commit_loses_nothing() {
    let guard = "the parts of an upload stay until its commit";
    repeat("worker killed before its commit", guard, async |guard, dice| {
        worker_killed("worker.before-commit", ("worker.keeps-parts", guard), 2, dice).await
    })
    .await;
}

#[tokio::test]
async fn a_worker_killed_right_after_the_commit_does_nothing_twice() {
    let guard = "a job's effect and its completion are one transaction";
    repeat("worker killed after its commit", guard, async |guard, dice| {
        worker_killed("worker.after-commit", ("worker.one-transaction", guard), 1, dice).await
    })
    .await;
}

#[tokio::test]
async fn a_command_killed_in_the_middle_sends_nothing_twice() {
    repeat("command killed while it uploads", "the same content finds its upload again", async |guard, mut dice| {
        let mut world = World::new(Stack::in_separate_processes());
        if guard == Guard::Broken {
            world.stack.control_plane.as_mut().unwrap().kill();
            world.stack.control_plane.as_mut().unwrap().set(FAILPOINTS, "upload.found-again=break");
            world.stack.restart_control_plane();
        }
        let folder = tests::corpus(version(&mut dice), "android/js").display().to_string();
        let upload = ["upload", &folder, "--app", "trailhead", "--platform", "android"];
        // Slow enough to be hit in its middle.
        let mut command = world.cli().command(&[&upload[..], &["--limit-rate", "400000"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let received = || count(&world, "SELECT COALESCE(MAX(received_bytes), 0) FROM upload");
        wait_until(Duration::from_secs(60), || received() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        let stored = received();
        let again = world.cli().run(&upload);
        let upload = &again.json["uploads"][0];
        let number = |key: &str| upload[key].as_u64().unwrap_or_default();
        let (sent, size) = (number("sent_size_bytes"), number("archive_size_bytes"));
        let whole = u64::from(upload["state"] == "ready");
        Harm { lost: 1 - whole, wrong: (sent + stored).saturating_sub(size) }
    })
    .await;
}

#[tokio::test]
async fn a_control_plane_killed_between_a_part_and_its_count_loses_nothing() {
    let guard = "a part is durable before it is counted";
    repeat("control plane killed while it receives", guard, async |guard, mut dice| {
        let mut world = World::new(Stack::in_separate_processes());
        let points = failpoints("upload.part-stored", ("upload.durable-first", guard));
        world.stack.control_plane.as_mut().unwrap().kill();
        world.stack.control_plane.as_mut().unwrap().set(FAILPOINTS, &points);
        world.stack.restart_control_plane();
        let folder = tests::corpus(version(&mut dice), "android/hermes").display().to_string();
        let mut command = world.cli().command(&["upload", &folder, "--app", "trailhead", "--platform", "android"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        world.stack.control_plane.as_mut().unwrap().wait_for_end();
        world.stack.control_plane.as_mut().unwrap().set(FAILPOINTS, "");
        world.stack.restart_control_plane();
        let ended = child.wait_with_output().unwrap();
        let ready = count(&world, "SELECT count(*) FROM upload WHERE state = 'ready'");
        let uploads = count(&world, "SELECT count(*) FROM upload");
        Harm { lost: u64::from(ready != 1 || !ended.status.success()), wrong: uploads.abs_diff(1) }
    })
    .await;
}

#[tokio::test]
async fn an_edge_killed_while_it_writes_a_snapshot_goes_on_from_the_one_before() {
    let guard = "the snapshot before is kept until the next one has its name";
    repeat("edge killed while it writes a snapshot", guard, async |guard, mut dice| {
        let mut world = World::new(Stack::in_separate_processes());
        world.release(version(&mut dice), &[]);
        // The release has all its forms, so that nothing but this test changes the channel from here on.
        wait_until(PROCESSING_DEADLINE, || count(&world, "SELECT count(*) FROM job") == 0);
        world.channel(&["releases", "update", "v1", "--mandatory", "true"]);
        check_until(&world.device().await, is_mandatory).await;
        let points = failpoints("edge.snapshot-half-written", ("edge.two-generations", guard));
        restart(world.stack.edge.as_mut().unwrap(), &points);
        world.channel(&["releases", "update", "v1", "--notes", "a change"]);
        world.stack.edge.as_mut().unwrap().wait_for_end();
        world.stack.control_plane.as_mut().unwrap().kill();
        world.stack.edge.as_mut().unwrap().set(FAILPOINTS, "");
        world.stack.restart_edge();
        // A connection of its own: that of the first device ended with the edge.
        match world.try_device().await {
            Ok(device) => Harm { lost: 0, wrong: u64::from(!is_mandatory(&device.check().await.unwrap())) },
            Err(error) => {
                println!("a device is refused: {error}");
                Harm { lost: 1, wrong: 0 }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn cut_connections_to_the_database_are_not_noticed() {
    let guard = "a transaction that loses its connection runs again";
    repeat("database connections cut", guard, async |guard, mut dice| {
        let mut world = World::new(Stack::in_separate_processes());
        world.release(version(&mut dice), &[]);
        if guard == Guard::Broken {
            world.stack.control_plane.as_mut().unwrap().kill();
            world.stack.control_plane.as_mut().unwrap().set(FAILPOINTS, "db.run-again=break");
            world.stack.restart_control_plane();
        }
        let mut harm = Harm::default();
        let cuts = if guard == Guard::Broken { CONTROL_CUTS_MAX } else { CUTS };
        for cut in 0..cuts {
            if guard == Guard::Broken && harm != Harm::default() {
                break;
            }
            world.stack.kill_database_connections();
            let notes = format!("after cut {cut}");
            let update =
                ["releases", "update", "v1", "--app", "trailhead", "--channel", "production", "--notes", &notes];
            let ended = world.cli().run(&update);
            harm.lost += u64::from(ended.code != 0 || !ended.json.to_string().contains(&notes));
            let refused = world.stack.control_plane.as_ref().unwrap().log().matches("could not be served").count();
            harm.wrong = refused as u64;
        }
        if guard == Guard::Stands {
            let device = world.device().await;
            check_until(&device, |checked| checked.page.update.is_some()).await;
        }
        harm
    })
    .await;
}
