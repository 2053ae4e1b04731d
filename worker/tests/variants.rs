//! This file's job is to check that files are compressed once, as small as possible in the end, and come back as they were.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::variants::Variant;
use domain::Sha256;
use domain::bundle::Coding;
use domain::id::BundleId;
use domain::job::{DeltaEffort, Job, Tier};
use rig::{PATIENCE, Rig, Shape, corpus};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use testkit::wait_until_async;

fn make(bundle: &BundleId, effort: DeltaEffort) -> Job {
    Job::MakeVariants { bundle: bundle.clone(), effort }
}

/// Queues the quick forms, and waits until neither these nor the smallest are still to be made.
async fn all_made(rig: &Rig, bundle: &BundleId) {
    rig.enqueue(&rig.scope, make(bundle, DeltaEffort::Quick), Tier::P0).await;
    for effort in [DeltaEffort::Quick, DeltaEffort::Best] {
        let work = make(bundle, effort);
        wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
    }
}

/// Returns the forms of all files of the bundle.
async fn forms(rig: &Rig, bundle: &BundleId) -> BTreeMap<(Sha256, Coding), Variant> {
    let (scope, bundle) = (rig.scope.clone(), bundle.clone());
    let read = move |conn: &mut db::DbConn| {
        let files = db::bundles::files(conn, &scope, &bundle)?;
        let hashes: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
        db::variants::list_for(conn, &scope, &hashes)
    };
    let listed = rig.db.read(read).await.unwrap();
    listed.into_iter().map(|variant| ((variant.sha256, variant.coding), variant)).collect()
}

/// A folder with a launch file, text, noise with a name that does not tell, and a picture that would shrink.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    fs::copy(corpus("v1/android/js/index.android.bundle"), folder.path().join("index.android.bundle")).unwrap();
    write("words.json", "{\"some\": \"words\"}\n".repeat(1_000).as_bytes());
    write("tiny.json", b"{}");
    let noise: Vec<u8> = (0..200_u32).flat_map(|i| *Sha256::of(&i.to_le_bytes()).as_bytes()).collect();
    write("noise.dat", &noise);
    write("flat.mp3", &[0; 10_000]);
    folder
}

async fn files_become_smaller_and_come_back(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let folder = folder();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let bundle = rig.process(folder.path().to_str().unwrap()).await.id;
    all_made(&rig, &bundle).await;
    let made = forms(&rig, &bundle).await;
    let texts = [read("index.android.bundle"), read("words.json")];
    let expected: HashSet<(Sha256, Coding)> =
        texts.iter().flat_map(|text| Coding::ALL.iter().map(|&coding| (Sha256::of(text), coding))).collect();
    assert_eq!(made.keys().copied().collect::<HashSet<_>>(), expected, "text in every coding, and nothing else");
    for text in &texts {
        for &coding in Coding::ALL {
            let form = &made[&(Sha256::of(text), coding)];
            assert_eq!(form.effort, DeltaEffort::Best);
            let bytes = rig.store.read(&form.blob_sha256, u64::MAX).await.unwrap();
            assert!(bundle::decompress(&bytes, coding, text.len()).unwrap() == *text, "{coding}");
            assert!(bytes.len() * 3 < text.len(), "{coding}: {} of {}", bytes.len(), text.len());
        }
    }
    // A second run finds what the first one made.
    all_made(&rig, &bundle).await;
    assert_eq!(forms(&rig, &bundle).await, made);
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_become_smaller_in_the_embedded_shape() {
    files_become_smaller_and_come_back(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_become_smaller_in_the_scaled_shape() {
    files_become_smaller_and_come_back(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_forms_are_kept_when_there_is_no_time_for_the_smallest() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_BEST_MS", "1")]));
    let bundle = rig.process("v1/android/js").await.id;
    all_made(&rig, &bundle).await;
    let launch = Sha256::of(&fs::read(corpus("v1/android/js/index.android.bundle")).unwrap());
    let made = forms(&rig, &bundle).await;
    let efforts: Vec<DeltaEffort> = Coding::ALL.iter().map(|&coding| made[&(launch, coding)].effort).collect();
    assert_eq!(efforts, [DeltaEffort::Quick, DeltaEffort::Quick, DeltaEffort::Best], "Gzip is at its best at once");
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_time_or_a_bundle_nothing_is_made_and_nothing_fails() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__DELTA_QUICK_MS", "1")]));
    let bundle = rig.process("v1/android/js").await.id;
    all_made(&rig, &bundle).await;
    assert!(forms(&rig, &bundle).await.is_empty());
    all_made(&rig, &BundleId::from_parts(rig.clock.now(), [9; 10])).await;
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}
