//! This file's job is to check that a release gets deltas from the bundles that devices most likely have.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::binaries::Binary;
use db::bundles::Bundle;
use db::telemetry::Batch;
use domain::id::{BinaryId, BundleId, DeviceId, EdgeId, EventId, ReleaseId};
use domain::job::{DeltaEffort, Job, Tier};
use domain::telemetry::{Event, EventKind};
use domain::{Platform, Sha256};
use rig::{PATIENCE, Rig, Shape, corpus};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;
use testkit::wait_until_async;

/// The second version with the same code and another picture.
async fn process_other_picture(rig: &Rig) -> Bundle {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(corpus("v2/android/js/index.android.bundle"), folder.path().join("index.android.bundle")).unwrap();
    fs::write(folder.path().join("picture.txt"), "another one").unwrap();
    rig.process(folder.path().to_str().unwrap()).await
}

/// Adds binaries, the oldest first, with the content hashes of what they came with.
async fn add_binaries(rig: &Rig, embedded: &[Sha256]) {
    let binary = |(number, hash): (usize, &Sha256)| {
        let now = rig.clock.now().plus(Duration::from_millis(number as u64));
        Binary {
            id: BinaryId::from_parts(now, [4; 10]),
            app: rig.app.clone(),
            platform: Platform::Android,
            version: format!("1.0.{number}"),
            build_number: "1".into(),
            runtime_version: None,
            embedded_bundle_hash: Some(*hash),
            hermes_version: None,
            embedded_update: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        }
    };
    let rows: Vec<Binary> = embedded.iter().enumerate().map(binary).collect();
    let scope = rig.scope.clone();
    rig.db.write(move |tx| rows.iter().try_for_each(|row| db::binaries::insert(tx, &scope, row))).await.unwrap();
}

async fn launch(rig: &Rig, bundles: &[Sha256]) {
    let now = rig.clock.now();
    let event = |bundle: &Sha256| Event {
        id: EventId::from_parts(now, runtime::random::bytes()),
        app: rig.app.clone(),
        channel: "production".parse().unwrap(),
        device: DeviceId::from_parts(now, runtime::random::bytes()),
        kind: EventKind::Launched,
        platform: Platform::Android,
        binary_version: None,
        release: None,
        bundle: Some(*bundle),
        received_at: now,
        detail: None,
    };
    let events = bundles.iter().map(event).collect();
    let batch = Batch { edge: EdgeId::from_parts(now, [5; 10]), segment: "1".into(), offset: 0, events };
    rig.db.write(move |tx| db::telemetry::store_batch(tx, &batch, now)).await.unwrap();
}

/// Plans the deltas of the release, waits for all of them, and returns what they are made from.
async fn bases(rig: &Rig, release: &ReleaseId, to: &Bundle, candidates: &[&Bundle]) -> BTreeSet<BundleId> {
    let plan = Job::PlanDeltas { release: release.clone() };
    rig.enqueue(&rig.scope, plan.clone(), Tier::P0).await;
    wait_until_async(PATIENCE, || async { !rig.is_queued(&plan).await }).await;
    for from in candidates {
        for effort in [DeltaEffort::Quick, DeltaEffort::Best] {
            let work = Job::MakeDelta { from: from.id.clone(), to: to.id.clone(), effort };
            wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
        }
    }
    let to = to.id.clone();
    let made = rig.db.read(move |conn| db::deltas::list_for(conn, std::slice::from_ref(&to))).await.unwrap();
    made.into_iter().map(|delta| delta.from_bundle).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_gets_deltas_from_what_binaries_came_with_and_devices_run_most() {
    let rig = Rig::new(Shape::Embedded).await;
    let quick = ("ALOFT_WORKER__DELTA_BEST_MS", "1");
    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_BASES", "1"), quick]));
    let channel = rig.add_channel().await;
    let (embedded, used) = (rig.process("v1/android/js").await, rig.process("v2/android/js").await);
    let (rare, bytecode) = (process_other_picture(&rig).await, rig.process("v1/android/hermes").await);
    let newest = rig.process("v3/android/js").await;
    add_binaries(&rig, &[embedded.content_hash]).await;
    launch(&rig, &[rare.content_hash, used.content_hash, used.content_hash, newest.content_hash]).await;
    for bundle in [&used, &rare, &bytecode] {
        rig.release(&channel, bundle).await;
    }
    let new = rig.release(&channel, &newest).await;
    let candidates = [&embedded, &used, &rare, &bytecode];
    let ids = |bundles: &[&Bundle]| bundles.iter().map(|bundle| bundle.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(bases(&rig, &new, &newest, &candidates).await, ids(&[&embedded, &used]));
    running.stop().await;

    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_BASES", "100"), quick]));
    let all = bases(&rig, &new, &newest, &candidates).await;
    assert_eq!(all, ids(&[&embedded, &used, &rare]), "bytecode is no base for JavaScript");
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_of_many_binaries_count() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_BEST_MS", "1")]));
    let channel = rig.add_channel().await;
    let (embedded, newest) = (rig.process("v1/android/js").await, rig.process("v3/android/js").await);
    let mut hashes: Vec<Sha256> = (0..600_u32).map(|number| Sha256::of(&number.to_be_bytes())).collect();
    hashes.push(embedded.content_hash);
    add_binaries(&rig, &hashes).await;
    let new = rig.release(&channel, &newest).await;
    assert_eq!(bases(&rig, &new, &newest, &[&embedded]).await, BTreeSet::from([embedded.id]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_gone_needs_no_deltas() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[]));
    let plan = Job::PlanDeltas { release: ReleaseId::from_parts(rig.clock.now(), [9; 10]) };
    rig.enqueue(&rig.scope, plan.clone(), Tier::P0).await;
    wait_until_async(PATIENCE, || async { !rig.is_queued(&plan).await }).await;
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}
