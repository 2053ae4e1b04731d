//! This file's job is to check that what comes round again removes what nobody needs, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use bytes::Bytes;
use db::UploadState;
use db::condemned::CONDEMNED_FOR;
use db::uploads::NextState;
use domain::bundle::{ArchiveFormat, Blob};
use domain::id::UploadId;
use rig::{Archive, PATIENCE, Rig, Shape};
use runtime::clock::Clock;
use std::time::Duration;
use testkit::wait_until_async;

async fn upload_in(rig: &Rig, next: NextState) -> UploadId {
    let id = rig.receiving(b"bytes").await;
    let (scope, moved, now) = (rig.scope.clone(), id.clone(), rig.clock.now());
    let from = [UploadState::Receiving];
    let write = rig.db.write(move |tx| db::uploads::set_state(tx, &scope, &moved, &from, &next, now));
    write.await.unwrap();
    id
}

async fn has_parts(rig: &Rig, id: &UploadId) -> bool {
    !rig.store.parts(id).await.unwrap().is_empty()
}

async fn sweeps_remove_what_nobody_needs(shape: Shape) {
    let mut rig = Rig::new(shape).await;
    let failed = NextState::Failed { reason: "INTERNAL".into(), message: "x".into() };
    let cancelled = upload_in(&rig, NextState::Cancelled).await;
    let failed = upload_in(&rig, failed).await;
    let two_days = Duration::from_secs(2 * 24 * 60 * 60);
    let unknown = UploadId::from_parts(rig.clock.now().minus(two_days), [9; 10]);
    let young = UploadId::from_parts(rig.clock.now(), [8; 10]);
    for id in [&unknown, &young] {
        rig.store.append(id, 0, Bytes::from_static(b"bytes")).await.unwrap();
    }
    let (orphan, owned) = (Blob::of(b"orphan"), Blob::of(b"owned"));
    for (blob, bytes) in [(&orphan, &b"orphan"[..]), (&owned, b"owned")] {
        rig.store.put(blob, bytes).await.unwrap();
    }
    let (scope, kept, now) = (rig.scope.clone(), owned.clone(), rig.clock.now());
    let write = rig.db.write(move |tx| db::blobs::insert_missing(tx, &scope, std::slice::from_ref(&kept), now));
    write.await.unwrap();

    let running = rig.start(rig.config(&[]));
    for id in [&cancelled, &unknown] {
        wait_until_async(PATIENCE, || async { !has_parts(&rig, id).await }).await;
    }
    assert!(has_parts(&rig, &failed).await, "an operator may have it tried again");
    assert!(has_parts(&rig, &young).await, "somebody may be about to write its row");
    wait_until_async(PATIENCE, || async { rig.db.read(db::condemned::count).await.unwrap() == 1 }).await;
    assert!(rig.store.size_bytes(&orphan.sha256).await.unwrap().is_some(), "condemned, not removed");
    running.stop().await;

    rig.clock = Clock::manual(rig.clock.now().plus(CONDEMNED_FOR * 8));
    let running = rig.start(rig.config(&[]));
    wait_until_async(PATIENCE, || async { rig.store.size_bytes(&orphan.sha256).await.unwrap().is_none() }).await;
    wait_until_async(PATIENCE, || async { !has_parts(&rig, &failed).await }).await;
    assert!(rig.store.size_bytes(&owned.sha256).await.unwrap().is_some());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_remove_what_nobody_needs_embedded() {
    sweeps_remove_what_nobody_needs(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_remove_what_nobody_needs_scaled() {
    sweeps_remove_what_nobody_needs(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_upload_is_given_up_in_the_end() {
    let mut rig = Rig::new(Shape::Embedded).await;
    let id = rig.receiving(b"half").await;
    rig.clock = Clock::manual(rig.clock.now().plus(Duration::from_secs(25 * 60 * 60)));
    let running = rig.start(rig.config(&[]));
    wait_until_async(PATIENCE, || async { rig.find(&id).await.state == UploadState::Cancelled }).await;
    wait_until_async(PATIENCE, || async { !has_parts(&rig, &id).await }).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_is_told_of_once() {
    let rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&Archive::android(ArchiveFormat::Zip, b"bytes".to_vec())).await;
    let now = rig.clock.now();
    let claim = db::queue::Claim {
        tier: domain::job::Tier::P3,
        limit: 1,
        background_max: 1,
        first: domain::job::Lane::Foreground,
        tenant_max: None,
        worker: domain::id::WorkerId::from_parts(now, [3; 10]),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(30),
    };
    let lease = rig.db.write(move |tx| db::queue::claim(tx, &claim, now)).await.unwrap().pop().unwrap();
    let failure = db::queue::Failure { reason: "x".into(), error: "y".into(), retryable: false };
    rig.db.write(move |tx| db::queue::fail(tx, &lease, &failure, 0, now)).await.unwrap();
    let told = r#"aloft_worker_dead_total{kind="process-upload",reason="x"}"#;
    let running = rig.start(rig.config(&[]));
    wait_until_async(PATIENCE, || async { running.metric(told) == Some(1.0) }).await;
    running.stop().await;
    let again = rig.db.write(move |tx| db::queue::notice_dead(tx, 10, now)).await.unwrap();
    assert_eq!((again.len(), rig.dead_count().await), (0, 1), "told of, and still there: {id}");
}
