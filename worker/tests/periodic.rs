//! This file's job is to check that what comes round again removes what nobody needs, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use bytes::Bytes;
use db::UploadState;
use db::bundles::Bundle;
use db::channels::Channel;
use db::condemned::CONDEMNED_FOR;
use db::retention::NEWEST_KEPT;
use db::uploads::NextState;
use domain::Platform;
use domain::bundle::{ArchiveFormat, Blob, BundleFile, Engine, FileRole, content_hash};
use domain::id::{BundleId, ChannelId, UploadId};
use rig::publish::release_of;
use rig::{Archive, PATIENCE, Rig, Shape};
use runtime::clock::Clock;
use std::time::Duration;
use testkit::wait_until_async;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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

/// Adds a channel with so many releases of one bundle, and a bundle without a release.
async fn published(rig: &Rig, releases: usize) -> (ChannelId, BundleId) {
    let (scope, app, now) = (rig.scope.clone(), rig.app.clone(), rig.clock.now());
    let channel = ChannelId::from_parts(now, [3; 10]);
    let row = Channel::new(channel.clone(), app.clone(), "production".parse().unwrap(), now);
    let [released, unreleased] = [b"released".as_slice(), b"unreleased"].map(|bytes| (Blob::of(bytes), bytes.len()));
    let bundle = |(blob, size): &(Blob, usize)| {
        let file = BundleFile {
            path: "index.bundle".into(),
            sha256: blob.sha256,
            size_bytes: *size as u64,
            role: FileRole::Launch,
        };
        let row = Bundle {
            id: BundleId::from_parts(now, runtime::random::bytes()),
            app: app.clone(),
            platform: Platform::Android,
            content_hash: content_hash(std::slice::from_ref(&file)),
            engine: Engine::JavaScript,
            hermes_version: None,
            launch_path: file.path.clone(),
            file_count: 1,
            total_size_bytes: file.size_bytes,
            warnings: Vec::new(),
            created_at: now,
        };
        (row, file)
    };
    let bundles = [bundle(&released), bundle(&unreleased)];
    let unused = bundles[1].0.id.clone();
    let rows: Vec<_> = (0..releases).map(|_| release_of(&bundles[0].0, &channel, now)).collect();
    let insert = move |tx: &mut db::Tx<'_>| {
        db::channels::insert(tx, &scope, &row)?;
        db::blobs::insert_missing(tx, &scope, &[released.0.clone(), unreleased.0.clone()], now)?;
        for (bundle, file) in &bundles {
            db::bundles::insert_with_files(tx, &scope, bundle, std::slice::from_ref(file))?;
        }
        rows.iter().try_for_each(|row| db::releases::insert(tx, &scope, row).map(drop))
    };
    rig.db.write(insert).await.unwrap();
    (channel, unused)
}

async fn plans_say_how_long_old_releases_are_kept(shape: Shape) {
    let mut rig = Rig::new(shape).await;
    let (channel, unused) = published(&rig, NEWEST_KEPT + 3).await;
    let labels = async |rig: &Rig| -> Vec<u64> {
        let (scope, channel) = (rig.scope.clone(), channel.clone());
        let read = rig.db.read(move |conn| db::releases::list(conn, &scope, &channel, None, 100));
        read.await.unwrap().iter().map(|row| row.seq).collect()
    };
    let scope = rig.scope.clone();
    let days = rig.db.read(move |conn| db::plans::of(conn, &scope)).await.unwrap().retention();
    let retired = r#"aloft_worker_retired_total{kind="release"}"#;
    let start = rig.clock.now();
    // A day before they are old enough, nothing goes; the sweep's next turn is due when the clock has moved on.
    for (now, gone) in [(start.plus(days - DAY), 0), (start.plus(days + DAY), 3)] {
        rig.clock = Clock::manual(now);
        let running = rig.start(rig.config(&[]));
        let turn = async || {
            let known = rig.db.read(db::schedules::list).await.unwrap();
            known.iter().any(|row| row.name == "retire-releases" && row.due_at > now)
        };
        wait_until_async(PATIENCE, || async { turn().await }).await;
        assert_eq!(running.metric(retired), (gone > 0).then_some(gone as f64));
        running.stop().await;
        let kept: Vec<u64> = (gone + 1..=NEWEST_KEPT as u64 + 3).rev().collect();
        assert_eq!(labels(&rig).await, kept);
    }
    let scope = rig.scope.clone();
    let read = rig.db.read(move |conn| db::bundles::get(conn, &scope, &unused));
    assert_eq!(read.await.unwrap_err().kind(), domain::ErrorKind::NotFound);
    let scope = rig.scope.clone();
    let entries = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 100)).await.unwrap();
    let noted: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.actor_kind.as_str())).collect();
    let release = ("RetireRelease", "platform");
    assert_eq!(noted, [("RetireBundle", "platform"), release, release, release]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_say_how_long_old_releases_are_kept_embedded() {
    plans_say_how_long_old_releases_are_kept(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_say_how_long_old_releases_are_kept_scaled() {
    plans_say_how_long_old_releases_are_kept(Shape::Scaled).await;
}
