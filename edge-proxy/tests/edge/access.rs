//! This file's job is to test the lines that an edge writes about its answers, and that nobody waits for them.

use crate::client::Client;
use crate::doors::soon;
use crate::harness::{ANY_PORT, NOBODY, World, register, updates};
use crate::process::EdgeProcess;
use crate::samples;
use serde_json::Value;
use std::time::Duration;
use testkit::fault::Guard;

/// More lines than a pipe, the queue before it and whoever stands between them hold.
const LINES_MANY: usize = 40_000;
/// Whoever gets no answer in this time gets none: a busy machine takes some milliseconds.
const SILENCE: Duration = Duration::from_secs(10);
const DROPPED: &str = "aloft_log_lines_dropped_total ";
const SKIPPED: &str = "aloft_edge_access_lines_skipped_total ";

fn edge(world: &World, control_plane: &str, guard: Guard, every: &str) -> EdgeProcess {
    let store = world.store_folder.path().display().to_string();
    let guard = ("runtime.log-waits-for-nobody", guard);
    let mut edge = EdgeProcess::new(world.data.path(), &store, control_plane, guard);
    edge.process.set("ALOFT_LOG__FILTER", "info");
    edge.process.set("ALOFT_LOG__FORMAT", "json");
    edge.process.set("ALOFT_EDGE__ACCESS_LOG_EVERY", every);
    edge
}

/// Returns the lines about answers with this status.
fn lines(edge: &EdgeProcess, status: u16) -> Vec<Value> {
    let log = edge.process.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "access" && line["status"] == status).collect()
}

async fn metric(edge: &EdgeProcess, name: &str) -> u64 {
    let text = edge.admin.get("/metrics", &[]).await.body.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_what_was_asked_and_answered_and_names_no_device() {
    let (world, snapshot) = (World::new().await, samples::empty(1, 1));
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(ANY_PORT).await;
    let mut edge = edge(&world, &format!("http://{}", server.address), Guard::Stands, "1");
    edge.start();
    let token = register(&edge.client, &snapshot).await;
    let bearer = format!("Bearer {token}");
    let answer = edge.client.get(&updates(&snapshot, ""), &[("authorization", &bearer)]).await;
    assert_eq!(answer.status.as_u16(), 200);
    let refused = edge.client.get("/nowhere?secret", &[]).await;
    soon("both are written down", async || !lines(&edge, 404).is_empty() && lines(&edge, 200).len() == 1).await;

    let line = lines(&edge, 200).remove(0);
    let expected = serde_json::json!({
        "level": "info", "msg": "answered", "target": "access", "route": "updates", "status": 200,
        "request_id": answer.header("x-request-id"), "bytes": answer.body.unwrap().len(),
        "app": snapshot.key.app, "channel": snapshot.key.channel.as_str(),
        "snapshot_version": snapshot.version.version, "peer": "127.0.0.1",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name}: {line}");
    }
    assert!(line["dur_s"].as_f64().is_some_and(|took| (0.0..60.0).contains(&took)), "{line}");
    assert!(line["edge_id"].as_str().is_some_and(|edge| edge.starts_with("edg_")) && line["ts"].is_string(), "{line}");
    let line = lines(&edge, 404).remove(0);
    assert_eq!((&line["request_id"], &line["route"]), (&refused.header("x-request-id").into(), &"other".into()));
    let log = edge.process.log();
    assert!(!log.contains("secret") && !log.contains(&token), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_written_down_up_to_a_rate_and_other_answers_only_in_turn() {
    let world = World::new().await;
    let mut edge = edge(&world, NOBODY, Guard::Stands, "101");
    edge.process.set("ALOFT_EDGE__ACCESS_LOG_REFUSALS_PER_S", "1");
    edge.start();
    for _ in 0..500 {
        edge.client.get("/healthz", &[]).await;
        edge.client.get("/nowhere", &[]).await;
    }
    let skipped = metric(&edge, SKIPPED).await;
    soon("the lines are there", async || lines(&edge, 404).len() + skipped as usize == 500).await;
    // About one of 101 answers is due, whatever it is; a connection begins anywhere. Of the refusals ten more may come at once.
    let (well, refused) = (lines(&edge, 200).len(), lines(&edge, 404).len());
    assert!((1..=25).contains(&well), "{well}");
    assert!((10..500).contains(&refused) && skipped > 0, "{refused} of 500, {skipped} skipped");
}

/// Asks with a deadline for each answer until lines are dropped. Returns whether all were answered.
async fn ask_until_dropped(edge: &EdgeProcess) -> bool {
    let ask = async |client: &Client| tokio::time::timeout(SILENCE, client.get("/healthz", &[])).await.is_ok();
    for count in 0..LINES_MANY {
        if !ask(&edge.client).await {
            return false;
        }
        if count % 1_000 == 999 && metric(edge, DROPPED).await > 0 {
            return true;
        }
    }
    panic!("{LINES_MANY} lines fit");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_log_that_is_not_read() {
    for guard in [Guard::Stands, Guard::Broken] {
        let world = World::new().await;
        let mut edge = edge(&world, NOBODY, guard, "1");
        edge.process.leave_output_unread();
        edge.start();
        assert_eq!(ask_until_dropped(&edge).await, guard == Guard::Stands, "{guard:?}");
        if guard == Guard::Stands {
            // It stops in time, too, with thousands of lines that nobody will ever read.
            let (status, _) = edge.process.stop();
            assert!(status.success(), "{status}");
        }
    }
}
