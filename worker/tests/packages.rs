//! This file's job is to check that releases get packages for CodePush's clients, and diffs where these are smaller.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::deployment_keys::Key;
use domain::codepush::{CodePush, package_hash};
use domain::id::{ChannelId, ReleaseId};
use domain::job::{Job, Tier};
use domain::snapshot::ChannelKey;
use domain::{Platform, Sha256};
use rig::{PATIENCE, Rig, Shape};
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use testkit::wait_until_async;
use zip::ZipArchive;

/// Adds the channel with a deployment key, which is what its releases are packed for.
async fn add_channel(rig: &Rig) -> ChannelId {
    let channel = rig.add_channel().await;
    let (created_by, platform, created_at) = ("test".to_owned(), Platform::Android, rig.clock.now());
    let key =
        Key { key: "deployment-key".parse().unwrap(), channel: channel.clone(), platform, created_by, created_at };
    let scope = rig.scope.clone();
    rig.db.write(move |tx| db::deployment_keys::insert(tx, &scope, &key)).await.unwrap();
    channel
}

async fn make(rig: &Rig, work: Job) {
    rig.enqueue(&rig.scope, work.clone(), Tier::P0).await;
    wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
}

async fn offered(rig: &Rig) -> CodePush {
    let key = ChannelKey { app: rig.app.clone(), channel: "production".parse().unwrap() };
    rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap().codepush
}

/// What is in a zip file of the store.
async fn unzip(rig: &Rig, blob: &Sha256) -> BTreeMap<String, Vec<u8>> {
    let bytes = rig.store.read(blob, u64::MAX).await.unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(name, content);
    }
    files
}

async fn a_release_is_packed_and_then_only_what_differs(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let channel = add_channel(&rig).await;
    let (old, new) = (rig.process("v1/android/hermes").await, rig.process("v2/android/hermes").await);
    let first = rig.release(&channel, &old).await;
    // The second run finds what the first one made.
    for _ in 0..2 {
        make(&rig, Job::MakePackage { release: first.clone() }).await;
    }
    let second = rig.release(&channel, &new).await;
    make(&rig, Job::MakePackage { release: second }).await;
    let diff = Job::MakePackageDiff { from: old.id.clone(), to: new.id.clone() };
    wait_until_async(PATIENCE, || async { !rig.is_queued(&diff).await }).await;

    let made = offered(&rig).await;
    assert_eq!(made.packages.len(), 2);
    let (old_package, new_package) = (&made.packages[&old.content_hash], &made.packages[&new.content_hash]);
    let (scope, id) = (rig.scope.clone(), new.id.clone());
    let files = rig.db.read(move |conn| db::bundles::files(conn, &scope, &id)).await.unwrap();
    assert_eq!(new_package.hash, package_hash(&files));
    let whole = unzip(&rig, &new_package.blob.sha256).await;
    assert_eq!(whole.len(), files.len());
    for file in &files {
        assert_eq!(Sha256::of(&whole[&format!("CodePush/{}", file.path)]), file.sha256, "{}", file.path);
    }

    assert_eq!(made.diffs.len(), 1);
    let diff = &made.diffs[0];
    assert_eq!((diff.from, diff.to), (old_package.hash, new.content_hash));
    assert!(diff.blob.size_bytes < new_package.blob.size_bytes);
    let mut changes = unzip(&rig, &diff.blob.sha256).await;
    let manifest: serde_json::Value = serde_json::from_slice(&changes.remove("hotcodepush.json").unwrap()).unwrap();
    let mut folder = unzip(&rig, &old_package.blob.sha256).await;
    for path in manifest["deletedFiles"].as_array().unwrap() {
        folder.remove(path.as_str().unwrap());
    }
    folder.extend(changes);
    assert_eq!(folder, whole, "the diff makes the new package of the old one");
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_work_in_the_embedded_shape() {
    a_release_is_packed_and_then_only_what_differs(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_work_in_the_scaled_shape() {
    a_release_is_packed_and_then_only_what_differs(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_ends_quietly() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[]));
    let bundle = rig.process("v1/android/hermes").await;
    make(&rig, Job::MakePackage { release: ReleaseId::from_parts(rig.clock.now(), [9; 10]) }).await;
    // There is no package that a diff would save.
    make(&rig, Job::MakePackageDiff { from: bundle.id.clone(), to: bundle.id.clone() }).await;
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}
