//! This file's job is to check that uploads become bundles, in both shapes, and that bad ones are refused with a reason.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use bundle::Input;
use db::UploadState;
use domain::bundle::{ArchiveFormat, Engine, FileRole, content_hash};
use domain::job::Job;
use domain::{Platform, Sha256};
use rig::{Archive, PATIENCE, Rig, Shape, pack};
use std::collections::HashSet;
use testkit::wait_until_async;

macro_rules! in_both_shapes {
    ($($check:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $check() { super::$check(super::Shape::Embedded).await; })+
        }
        mod scaled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $check() { super::$check(super::Shape::Scaled).await; })+
        }
    };
}

in_both_shapes!(
    a_real_upload_becomes_a_bundle,
    content_that_is_known_needs_no_bytes,
    bad_uploads_fail_with_a_reason_and_no_retry,
    a_cancelled_upload_is_left_alone,
);

async fn a_real_upload_becomes_a_bundle(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let id = rig.upload(&pack("v1/android/hermes", &HashSet::new())).await;
    let upload = rig.processed(&id).await;
    assert_eq!((upload.state, &upload.failure_message), (UploadState::Ready, &None));
    let (scope, bundle_id) = (rig.scope.clone(), upload.bundle.unwrap());
    let (bundle, files, blobs) = rig
        .db
        .read(move |conn| {
            let files = db::bundles::files(conn, &scope, &bundle_id)?;
            let hashes: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
            Ok((db::bundles::get(conn, &scope, &bundle_id)?, files, db::blobs::find_many(conn, &scope, &hashes)?))
        })
        .await
        .unwrap();
    let scanned: Vec<Input> =
        bundle::scan(&rig::corpus("v1/android/hermes")).unwrap().into_iter().map(|file| file.input).collect();
    let found: Vec<Input> = files
        .iter()
        .map(|file| Input { path: file.path.clone(), sha256: file.sha256, size_bytes: file.size_bytes })
        .collect();
    assert_eq!(found, scanned);
    assert_eq!((bundle.engine, bundle.platform), (Engine::Hermes, Platform::Android));
    assert_eq!(bundle.content_hash, content_hash(&files));
    let launch: Vec<&str> =
        files.iter().filter(|file| file.role == FileRole::Launch).map(|file| file.path.as_str()).collect();
    assert_eq!(launch, [bundle.launch_path.as_str()]);
    for blob in blobs {
        let bytes = rig.store.read(&blob.sha256, u64::MAX).await.unwrap();
        assert_eq!(domain::bundle::Blob::of(&bytes), blob);
    }
    wait_until_async(PATIENCE, || async { rig.store.parts(&id).await.unwrap().is_empty() }).await;
    assert!(!rig.is_queued(&Job::ProcessUpload { upload: id }).await);
    assert_eq!(std::fs::read_dir(rig.folder.path().join("spool")).unwrap().count(), 0);
    running.stop().await;
}

async fn content_that_is_known_needs_no_bytes(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let whole = pack("v2/ios/hermes", &HashSet::new());
    let first = rig.processed(&rig.upload(&whole).await).await.bundle.unwrap();
    let scanned = bundle::scan(&rig::corpus("v2/ios/hermes")).unwrap();
    let launch = scanned.iter().find(|file| file.input.path == "main.jsbundle").unwrap().input.sha256;
    let all: HashSet<Sha256> = scanned.iter().map(|file| file.input.sha256).collect();
    for known in [all.clone(), HashSet::from([launch]), all.into_iter().filter(|hash| *hash != launch).collect()] {
        let archive = pack("v2/ios/hermes", &known);
        assert!(archive.bytes.len() < whole.bytes.len());
        let upload = rig.processed(&rig.upload(&archive).await).await;
        assert_eq!((upload.bundle.as_ref(), &upload.failure_message), (Some(&first), &None));
    }
    assert_eq!(rig.bundles().await.len(), 1);
    running.stop().await;
}

async fn bad_uploads_fail_with_a_reason_and_no_retry(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__FILE_MAX_BYTES", "1000000")]));
    let zip = Archive::zip;
    let good = zip(&[("index.android.bundle", b"1")]);
    let size_bytes = good.bytes.len() as u64;
    let mut cases = vec![
        (rig.upload_as(&good, Sha256::of(b"other"), size_bytes).await, "UPLOAD_MISMATCH", "SHA-256"),
        (rig.upload_as(&good, Sha256::of(b"other"), size_bytes + 1).await, "UPLOAD_MISMATCH", "bytes arrived instead"),
        (rig.upload_as(&good, Sha256::of(b"other"), size_bytes - 1).await, "UPLOAD_MISMATCH", "bytes arrived instead"),
    ];
    let known = Sha256::of(b"unknown");
    for (archive, reason, message) in [
        (zip(&[("../evil", b"1")]), "BUNDLE_INVALID", "\"../evil\""),
        (zip(&[("main.jsbundle", b"1")]), "BUNDLE_INVALID", "is for ios"),
        (zip(&[("readme.txt", b"1")]), "BUNDLE_INVALID", "no launch file"),
        (zip(&[("index.android.bundle", &[b'x'; 1_000_001])]), "SIZE_LIMIT", "larger than 1000000 bytes"),
        (Archive::android(ArchiveFormat::TarZstd, good.bytes.clone()), "BUNDLE_INVALID", "broken"),
        (
            Archive {
                known_files: format!(r#"[{{"path":"a.png","sha256":"{known}","size_bytes":3}}]"#),
                ..zip(&[("index.android.bundle", b"1")])
            },
            "BUNDLE_INVALID",
            "\"a.png\" was not sent",
        ),
    ] {
        cases.push((rig.upload(&archive).await, reason, message));
    }
    for (id, reason, message) in cases {
        let upload = rig.processed(&id).await;
        assert_eq!(upload.state, UploadState::Failed, "{message}");
        assert_eq!(upload.failure_reason.as_deref(), Some(reason), "{message}");
        let told = upload.failure_message.unwrap();
        assert!(told.contains(message), "{told}");
        assert!(!rig.is_queued(&Job::ProcessUpload { upload: id.clone() }).await, "{message}");
        wait_until_async(PATIENCE, || async { rig.store.parts(&id).await.unwrap().is_empty() }).await;
    }
    assert_eq!(rig.dead_count().await, 0);
    assert_eq!(rig.bundles().await, []);
    running.stop().await;
}

async fn a_cancelled_upload_is_left_alone(shape: Shape) {
    let rig = Rig::new(shape).await;
    let id = rig.upload(&Archive::zip(&[("index.android.bundle", b"1")])).await;
    let (scope, cancelled, now) = (rig.scope.clone(), id.clone(), rig.clock.now());
    let next = db::uploads::NextState::Cancelled;
    let cancel =
        rig.db.write(move |tx| db::uploads::set_state(tx, &scope, &cancelled, &[UploadState::Queued], &next, now));
    cancel.await.unwrap();
    let running = rig.start(rig.config(&[]));
    let work = Job::ProcessUpload { upload: id.clone() };
    wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
    assert_eq!(rig.find(&id).await.state, UploadState::Cancelled);
    assert_eq!(rig.bundles().await, []);
    running.stop().await;
}
