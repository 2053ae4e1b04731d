//! This file's job is to check what a worker finds inside of uploads, and that it keeps it private and as long as its bundle.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use bundle::Contents;
use db::UploadState;
use db::bundle_contents;
use db::condemned::CONDEMNED_FOR;
use db::source_maps::{self, SourceMap};
use db::unused::UNUSED_KEPT;
use domain::bundle::Stage;
use domain::id::{BinaryId, BundleId};
use domain::warning::WarningKind;
use domain::{Platform, Sha256};
use rig::{Archive, PATIENCE, Rig, Shape, corpus, pack};
use runtime::clock::Clock;
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
    a_source_map_is_kept_apart_and_names_the_modules,
    what_is_private_goes_with_its_bundle,
    a_bundle_that_no_binary_runs_brings_a_warning,
);

/// Packs a release of the example app with its source map beside the launch file.
fn with_map(version: &str, kind: &str, known: &HashSet<Sha256>) -> Archive {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(corpus(&format!("{version}/android/{kind}/.")))
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    let map = corpus(&format!("maps/{version}/android/{kind}.map"));
    std::fs::copy(map, folder.path().join("index.android.bundle.map")).unwrap();
    Archive { platform: Platform::Android, ..pack(folder.path().to_str().unwrap(), known) }
}

async fn bundle_of(rig: &Rig, archive: &Archive) -> BundleId {
    let upload = rig.processed(&rig.upload(archive).await).await;
    assert_eq!((upload.state, upload.stage, &upload.failure_message), (UploadState::Ready, Some(Stage::Ready), &None));
    upload.bundle.unwrap()
}

async fn known(rig: &Rig, bundle: &BundleId) -> (bundle_contents::Contents, Option<SourceMap>) {
    let (scope, bundle) = (rig.scope.clone(), bundle.clone());
    let read = move |conn: &mut db::DbConn| {
        Ok((bundle_contents::find(conn, &scope, &bundle)?.unwrap(), source_maps::find(conn, &scope, &bundle)?))
    };
    rig.db.read(read).await.unwrap()
}

async fn contents(rig: &Rig, row: &bundle_contents::Contents) -> Contents {
    Contents::decode(&rig.store.read(&row.sha256, u64::MAX).await.unwrap()).unwrap()
}

async fn a_source_map_is_kept_apart_and_names_the_modules(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let plain = bundle_of(&rig, &pack("v1/android/hermes", &HashSet::new())).await;
    let (row, map) = known(&rig, &plain).await;
    assert_eq!((row.module_count, map), (0, None));
    assert!(row.function_count.unwrap() > 1_000 && row.image_count > 10, "{row:?}");
    let pictures = contents(&rig, &row).await.assets;
    assert!(pictures.iter().all(|asset| asset.pixels.is_some()));

    // The same content, now with its map, and the rest is in the store: the bundle is the same, and its modules have names.
    let scanned = bundle::scan(&corpus("v1/android/hermes")).unwrap();
    let stored: HashSet<Sha256> = scanned.iter().map(|file| file.input.sha256).collect();
    assert_eq!(bundle_of(&rig, &with_map("v1", "hermes", &stored)).await, plain);
    let (row, map) = known(&rig, &plain).await;
    let bytes = std::fs::read(corpus("maps/v1/android/hermes.map")).unwrap();
    let map = map.unwrap();
    assert_eq!((map.path.as_str(), map.sha256), ("index.android.bundle.map", Sha256::of(&bytes)));
    assert_eq!(rig.store.read(&map.sha256, u64::MAX).await.unwrap(), bytes);
    let found = contents(&rig, &row).await;
    assert_eq!(found.modules.len() as u32, row.module_count);
    assert!(found.modules.iter().any(|module| module.path.as_deref() == Some("src/lib/i18n.js")));
    assert_eq!(found.assets, pictures, "images that were not sent are measured in the store");
    let (scope, id) = (rig.scope.clone(), plain.clone());
    let files = rig.db.read(move |conn| db::bundles::files(conn, &scope, &id)).await.unwrap();
    assert_eq!(files.len(), scanned.len(), "neither is a file of the bundle");

    // Whoever sends it all again changes nothing, with the map or without.
    for again in [pack("v1/android/hermes", &stored), with_map("v1", "hermes", &HashSet::new())] {
        assert_eq!(bundle_of(&rig, &again).await, plain);
        let (same, same_map) = known(&rig, &plain).await;
        assert_eq!((same, same_map.map(|map| map.sha256)), (row.clone(), Some(map.sha256)));
    }
    running.stop().await;
}

async fn what_is_private_goes_with_its_bundle(shape: Shape) {
    let mut rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let bundle = bundle_of(&rig, &with_map("v1", "js", &HashSet::new())).await;
    let kept = bundle_of(&rig, &pack("v2/android/js", &HashSet::new())).await;
    let (row, map) = known(&rig, &bundle).await;
    assert!(row.module_count > 1_000);
    let private = [row.sha256, map.unwrap().sha256];
    let (scope, gone) = (rig.scope.clone(), bundle.clone());
    rig.db.write(move |tx| db::bundles::delete(tx, &scope, &gone)).await.unwrap();
    running.stop().await;
    // A first sweep takes them from the organization, a later one from the store.
    let start = rig.clock.now();
    rig.clock = Clock::manual(start.plus(UNUSED_KEPT * 2));
    let running = rig.start(rig.config(&[]));
    wait_until_async(PATIENCE, || async { rig.db.read(db::condemned::count).await.unwrap() > 1 }).await;
    for sha256 in &private {
        assert!(rig.store.size_bytes(sha256).await.unwrap().is_some(), "condemned, not removed");
    }
    running.stop().await;
    rig.clock = Clock::manual(start.plus(UNUSED_KEPT * 2 + CONDEMNED_FOR * 2));
    let running = rig.start(rig.config(&[]));
    for sha256 in &private {
        wait_until_async(PATIENCE, || async { rig.store.size_bytes(sha256).await.unwrap().is_none() }).await;
    }
    running.stop().await;
    let (scope, id) = (rig.scope.clone(), kept.clone());
    for file in rig.db.read(move |conn| db::bundles::files(conn, &scope, &id)).await.unwrap() {
        assert!(rig.store.size_bytes(&file.sha256).await.unwrap().is_some(), "{} is needed", file.path);
    }
    assert!(rig.store.size_bytes(&known(&rig, &kept).await.0.sha256).await.unwrap().is_some());
}

async fn a_bundle_that_no_binary_runs_brings_a_warning(shape: Shape) {
    let rig = Rig::new(shape).await;
    let running = rig.start(rig.config(&[]));
    let (scope, now) = (rig.scope.clone(), rig.clock.now());
    let binary = db::binaries::Binary {
        id: BinaryId::from_parts(now, [4; 10]),
        app: rig.app.clone(),
        platform: Platform::Android,
        version: "1.0.0".into(),
        build_number: String::new(),
        runtime_version: None,
        embedded_bundle_hash: None,
        hermes_version: Some(7),
        embedded_update: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    rig.db.write(move |tx| db::binaries::insert(tx, &scope, &binary)).await.unwrap();
    let upload = rig.processed(&rig.upload(&pack("v1/android/hermes", &HashSet::new())).await).await;
    assert_eq!(upload.state, UploadState::Ready);
    assert_eq!(upload.warnings.iter().map(|warning| warning.kind).collect::<Vec<_>>(), [WarningKind::HermesVersion]);
    assert!(upload.warnings[0].message.contains("binary 1.0.0 runs 7"), "{:?}", upload.warnings);
    let debug = Archive::zip(&[("index.android.bundle", b"var __DEV__=true;")]);
    let upload = rig.processed(&rig.upload(&debug).await).await;
    assert_eq!(upload.warnings.iter().map(|warning| warning.kind).collect::<Vec<_>>(), [WarningKind::DebugBundle]);
    let stored = rig.bundles().await;
    let stored: Vec<_> = stored.iter().map(|bundle| bundle.warnings.len()).collect();
    assert_eq!(stored, [1, 0], "what depends on binaries is not the bundle's");
    running.stop().await;
}
