//! This file's job is to show that what developers have becomes what devices run, byte for byte.

use crate::world::{World, check_until, files_of, in_both_shapes, is_settled, offers, running, update_to};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Sha256;
use domain::telemetry::EventKind;
use standalone::demo::device::Device;
use standalone::demo::protocol::Page;
use std::time::Duration;
use testkit::wait_until;
use tests::stack::Stack;

#[tokio::test]
async fn a_published_bundle_reaches_a_device_whole() {
    in_both_shapes(async |world| {
        let mut device = world.device().await;
        assert!(is_settled(&device.check().await.unwrap()), "an empty channel offers nothing");

        let release = world.release("v1", &["--notes", "first"]);
        update_to(&mut device, release["label"].as_str().unwrap()).await;

        let label = release["label"].as_str().unwrap();
        // Which edges serve a channel is written down about twice a second; who watches before that sees none to wait for.
        let is_known = || world.channel(&["releases", "get", label])["reach"]["edges"] == 1;
        wait_until(Duration::from_secs(60), is_known);
        let reach = &world.channel(&["releases", "get", label, "--watch"])["reach"];
        assert_eq!((reach["live"].as_u64(), reach["edges"].as_u64()), (Some(1), Some(1)), "{reach}");

        let installed = device.installation.running().unwrap().clone();
        let on_device: Vec<_> = installed.files.clone().into_iter().collect();
        assert_eq!(on_device, files_of(&tests::corpus("v1", "android/hermes")));
        assert_eq!(release["bundle_sha256"], installed.content_sha256.to_hex());
        device.report(EventKind::Launched, &installed, "").await.unwrap();
        assert!(is_settled(&device.check().await.unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_second_version_comes_as_a_small_patch_and_sends_only_what_changed() {
    in_both_shapes(async |world| {
        let mut device = world.device().await;
        let first = world.release("v1", &[]);
        update_to(&mut device, "v1").await;
        let second = world.release("v2", &[]);
        assert!(second["upload"]["known_file_count"].as_u64().unwrap() > 0, "images are not sent again: {second}");
        assert_ne!(first["bundle_sha256"], second["bundle_sha256"]);

        // The release does not wait for its patch, but the patch comes.
        check_until(&device, |checked| checked.page.update.as_ref().is_some_and(|update| update.delta.is_some())).await;
        let shown = world.channel(&["releases", "get", "v2"]);
        let delta = &shown["deltas"][0];
        assert_eq!((&shown["label"], &delta["from_label"]), (&"v2".into(), &"v1".into()), "{shown}");
        assert!(delta["size_bytes"].as_u64() < delta["launch_size_bytes"].as_u64(), "{shown}");
        let cost = update_to(&mut device, "v2").await;
        assert!(cost.by_delta && cost.received_bytes * 4 < cost.full_bytes, "{cost:?}");
        let on_device: Vec<_> = device.installation.running().unwrap().files.clone().into_iter().collect();
        assert_eq!(on_device, files_of(&tests::corpus("v2", "android/hermes")));
    })
    .await;
}

#[tokio::test]
async fn any_http_client_that_has_the_base_gets_the_patch_as_a_content_coding() {
    let world = World::new(Stack::in_one_process());
    let mut device = world.device().await;
    world.release("v1", &[]);
    update_to(&mut device, "v1").await;
    world.release("v2", &[]);
    let has_delta = |page: &Page| page.update.as_ref().is_some_and(|update| update.delta.is_some());
    let checked = check_until(&device, |checked| has_delta(&checked.page)).await;
    let launch = checked.page.update.unwrap().bundle.launch;
    let launch_file = |version| std::fs::read(tests::corpus(version, "android/hermes").join(&launch.path)).unwrap();
    let (old, new) = (launch_file("v1"), launch_file("v2"));

    let (base, url) = (Sha256::of(&old), format!("{}/v1/blobs/{}", world.stack.edge_url(), launch.sha256));
    let dictionary = format!(":{}:", STANDARD.encode(base.as_bytes()));
    let request = reqwest::Client::new().get(url).header("accept-encoding", "dcz, gzip");
    let answer = request.header("available-dictionary", dictionary).send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "dcz");
    let patch = answer.bytes().await.unwrap();
    assert!(patch.len() * 4 < new.len(), "{} of {} bytes", patch.len(), new.len());
    let limits = delta::Limits::output(new.len());
    assert!(delta::Format::Dcz.decode(&old, &patch, &limits).unwrap() == new);
}

#[tokio::test]
async fn the_same_content_twice_is_one_bundle_and_sends_nothing() {
    let world = World::new(Stack::in_one_process());
    let folder = tests::corpus("v1", "android/js").display().to_string();
    let upload = |world: &World| world.cli().json(&["upload", &folder, "--app", "trailhead", "--platform", "android"]);
    let (first, second) = (upload(&world), upload(&world));
    let (first, second) = (&first["uploads"][0], &second["uploads"][0]);
    assert_eq!(first["state"], "ready", "{first}");
    assert_eq!(first["bundle"], second["bundle"]);
    assert_eq!(second["known_file_count"], second["file_count"]);
}

#[tokio::test]
async fn an_expo_export_becomes_a_release_for_each_platform() {
    let world = World::new(Stack::in_one_process());
    let export = std::path::PathBuf::from(std::env::var_os("ALOFT_CORPUS").unwrap()).join("expo/v1");
    let export = export.display().to_string();
    let answer = world.channel(&["release", &export, "--platform", "both", "--runtime-version", "fingerprint-1"]);
    let mut platforms: Vec<&str> =
        answer["releases"].as_array().unwrap().iter().map(|release| release["platform"].as_str().unwrap()).collect();
    platforms.sort_unstable();
    assert_eq!(platforms, ["android", "ios"]);
    let device = world.device().await;
    assert!(is_settled(&device.check().await.unwrap()), "the runtime version does not match");
}

#[tokio::test]
async fn refused_content_is_explained_and_leaves_nothing_to_release() {
    let world = World::new(Stack::in_one_process());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("readme.txt"), "no bundle here").unwrap();
    let path = folder.path().display().to_string();
    let ended = world.cli().run(&["upload", &path, "--app", "trailhead", "--platform", "android"]);
    assert_ne!(ended.code, 0);
    assert!(ended.json.to_string().contains("launch"), "{}", ended.json);

    let missing =
        world.cli().run(&["release", &path, "--app", "trailhead", "--channel", "nowhere", "--binary-range", "1.x"]);
    assert_ne!(missing.code, 0);
}

#[tokio::test]
async fn what_the_edge_answers_is_what_explain_says() {
    let world = World::new(Stack::in_one_process());
    world.release("v1", &[]);
    world.release("v2", &["--rollout", "30%"]);
    let first: Device = world.device().await;
    check_until(&first, |checked| checked.page.snapshot.version >= version(&world)).await;
    let mut on_new = 0;
    for _ in 0..40 {
        let device = world.device().await;
        let checked = device.check().await.unwrap();
        let explained = world.channel(&["explain", &device.id(), "--platform", "android", "--binary", "1.4.0"]);
        let label = checked.page.update.as_ref().map(|update| update.label.clone());
        assert_eq!(explained["label"].as_str().map(str::to_owned), label, "{explained}");
        on_new += u32::from(offers(&checked, "v2"));
        assert!(running(&device).is_none());
    }
    // 40 devices at 30 %: all or none would be a one in a million accident.
    assert!((1..40).contains(&on_new), "{on_new} of 40 devices are in a share of 30 %");
}

fn version(world: &World) -> u64 {
    world.cli().json(&["channel", "get", "production", "--app", "trailhead"])["snapshot_version"].as_u64().unwrap()
}
