//! This file's job is to check that deltas are made once, work, and are offered.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use domain::id::BundleId;
use domain::job::{Job, Tier};
use rig::{PATIENCE, Rig, Shape, pack};
use std::collections::HashSet;
use testkit::wait_until_async;

async fn process(rig: &Rig, folder: &str) -> BundleId {
    let id = rig.upload(&pack(folder, &HashSet::new())).await;
    rig.processed(&id).await.bundle.unwrap()
}

async fn deltas(rig: &Rig, to: &BundleId) -> Vec<db::deltas::Delta> {
    let to = to.clone();
    rig.db.read(move |conn| db::deltas::list_for(conn, std::slice::from_ref(&to))).await.unwrap()
}

async fn a_delta_makes_the_new_launch_file_from_the_old(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_LEVEL", "3")]));
    let (from, to) = (process(&rig, "v1/android/hermes").await, process(&rig, "v2/android/hermes").await);
    let work = Job::MakeDelta { from: from.clone(), to: to.clone() };
    // The second run finds the first one's delta.
    for _ in 0..2 {
        rig.enqueue(&rig.scope, work.clone(), Tier::P0).await;
        wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
    }
    let made = deltas(&rig, &to).await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0].from_bundle, made[0].format.as_str()), (&from, "dcz"));
    let patch = rig.store.read(&made[0].blob_sha256, u64::MAX).await.unwrap();
    let read = |path: &str| std::fs::read(rig::corpus(path).join("index.android.bundle")).unwrap();
    let (old, new) = (read("v1/android/hermes"), read("v2/android/hermes"));
    assert_eq!(made[0].base_sha256, domain::Sha256::of(&old));
    assert!(delta::decode(&old, &patch, new.len()).unwrap() == new);
    println!("{} bytes instead of {}", patch.len(), new.len());
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_works_in_the_embedded_shape() {
    a_delta_makes_the_new_launch_file_from_the_old(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_works_in_the_scaled_shape() {
    a_delta_makes_the_new_launch_file_from_the_old(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_that_is_useless_or_whose_bundle_is_gone_ends_quietly() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[]));
    let (hermes, script) = (process(&rig, "v1/android/hermes").await, process(&rig, "v1/android/js").await);
    let gone = BundleId::from_parts(rig.clock.now(), [9; 10]);
    for (from, to) in [(&script, &hermes), (&hermes, &hermes), (&gone, &hermes), (&hermes, &gone)] {
        let work = Job::MakeDelta { from: from.clone(), to: to.clone() };
        rig.enqueue(&rig.scope, work.clone(), Tier::P0).await;
        wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
        assert!(deltas(&rig, to).await.is_empty(), "{from} {to}");
    }
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}
