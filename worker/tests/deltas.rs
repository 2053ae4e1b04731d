//! This file's job is to check that deltas are made once, work, and are offered.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use domain::id::BundleId;
use domain::job::{DeltaEffort, Job, Tier};
use rig::{PATIENCE, Rig, Shape};
use testkit::wait_until_async;

async fn deltas(rig: &Rig, to: &BundleId) -> Vec<db::deltas::Delta> {
    let to = to.clone();
    rig.db.read(move |conn| db::deltas::list_for(conn, std::slice::from_ref(&to))).await.unwrap()
}

fn make(from: &BundleId, to: &BundleId, effort: DeltaEffort) -> Job {
    Job::MakeDelta { from: from.clone(), to: to.clone(), effort }
}

/// Waits until neither the quick deltas nor the smallest are still to be made.
async fn all_made(rig: &Rig, from: &BundleId, to: &BundleId) {
    for effort in [DeltaEffort::Quick, DeltaEffort::Best] {
        let work = make(from, to, effort);
        wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
    }
}

async fn deltas_make_the_new_launch_file_from_the_old(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let (from, to) = (rig.process("v1/android/js").await.id, rig.process("v2/android/js").await.id);
    // The second run finds what the first one made.
    for _ in 0..2 {
        rig.enqueue(&rig.scope, make(&from, &to, DeltaEffort::Quick), Tier::P0).await;
        all_made(&rig, &from, &to).await;
    }
    let made = deltas(&rig, &to).await;
    let formats: Vec<&str> = made.iter().map(|delta| delta.format.as_str()).collect();
    assert_eq!(formats, ["bsdiff40", "dcb", "dcz"]);
    let read = |path: &str| std::fs::read(rig::corpus(path).join("index.android.bundle")).unwrap();
    let (old, new) = (read("v1/android/js"), read("v2/android/js"));
    for delta in made {
        assert_eq!((&delta.from_bundle, delta.base_sha256), (&from, domain::Sha256::of(&old)));
        let patch = rig.store.read(&delta.blob_sha256, u64::MAX).await.unwrap();
        let format: delta::Format = delta.format.parse().unwrap();
        assert!(format.decode(&old, &patch, &delta::Limits::output(new.len())).unwrap() == new, "{format}");
        println!("{format}: {} bytes instead of {}", patch.len(), new.len());
    }
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_work_in_the_embedded_shape() {
    deltas_make_the_new_launch_file_from_the_old(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_work_in_the_scaled_shape() {
    deltas_make_the_new_launch_file_from_the_old(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_that_is_useless_or_whose_bundle_is_gone_ends_quietly() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[]));
    let (hermes, script) = (rig.process("v1/android/hermes").await.id, rig.process("v1/android/js").await.id);
    let gone = BundleId::from_parts(rig.clock.now(), [9; 10]);
    for (from, to) in [(&script, &hermes), (&hermes, &hermes), (&gone, &hermes), (&hermes, &gone)] {
        rig.enqueue(&rig.scope, make(from, to, DeltaEffort::Quick), Tier::P0).await;
        all_made(&rig, from, to).await;
        assert!(deltas(&rig, to).await.is_empty(), "{from} {to}");
    }
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_much_memory_or_time_is_not_made_and_is_no_failure() {
    let rig = Rig::new(Shape::Embedded).await;
    for (key, value) in [("ALOFT_WORKER__DELTA_MEMORY_MAX_BYTES", "100000"), ("ALOFT_WORKER__DELTA_QUICK_MS", "1")] {
        let running = rig.start(rig.config(&[(key, value), ("ALOFT_WORKER__DELTA_BEST_MS", "1")]));
        let (from, to) = (rig.process("v1/android/js").await.id, rig.process("v2/android/js").await.id);
        rig.enqueue(&rig.scope, make(&from, &to, DeltaEffort::Quick), Tier::P0).await;
        all_made(&rig, &from, &to).await;
        assert!(deltas(&rig, &to).await.is_empty(), "{key}");
        running.stop().await;
    }
    assert_eq!(rig.dead_count().await, 0);
}
