//! This file's job is to show that a release works: its pods run as the chart says, and a bundle reaches a device through them.

use crate::cases;
use crate::pod::{Pod, Secrets, pods, text};
use crate::release;
use domain::Platform;
use serde_json::{Value, json};
use standalone::demo::device::{Device, Identity};
use standalone::demo::http::Http;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::TestDatabase;
use testkit::process::{Process, free_port};
use testkit::s3::TestS3;
use testkit::wait_until_async;
use tests::cli::Cli;
use tests::stack::{EDGE_SECRET, SECRET, first_key};

/// A loaded machine starts a debug build in a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the pod's process with the variables that it would have. Volumes are in the folder, and Services on this machine.
fn start(pod: &Pod<'_>, release: &release::Release, secrets: &Secrets, folder: &Path) -> Process {
    let own = folder.join(pod.binary());
    let mut environment = pod.environment(secrets);
    for mount in pod.mounts().keys() {
        let place = own.join(mount.trim_start_matches('/'));
        std::fs::create_dir_all(&place).unwrap();
        for value in environment.values_mut().filter(|value| Path::new(value).starts_with(mount)) {
            *value = value.replacen(mount, &place.display().to_string(), 1);
        }
    }
    for service in release.all("Service") {
        let host = format!("//{}:", text(&service["metadata"]["name"]));
        environment.values_mut().for_each(|value| *value = value.replace(&host, "//127.0.0.1:"));
    }
    let settings: Vec<_> = environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut process = Process::new(known(pod.binary()), folder, &settings);
    process.start();
    process
}

/// The binaries of the roles.
fn known(binary: &str) -> &'static str {
    ["aloft-control-plane", "aloft-worker", "aloft-edge"].into_iter().find(|known| *known == binary).unwrap()
}

/// Waits until every probe of the pod succeeds, as a node would see it.
async fn wait_until_well(pod: &Pod<'_>) {
    for (probe, port) in pod.probes() {
        wait_until_async(PATIENCE, || succeeds(probe, port)).await;
    }
}

/// Whether the probe of a node on this port succeeds.
async fn succeeds(probe: &Value, port: u16) -> bool {
    match probe["httpGet"]["path"].as_str() {
        Some(path) => {
            let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await;
            answer.is_ok_and(|answer| answer.status().is_success())
        }
        None => tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok(),
    }
}

fn secrets(database: &TestDatabase) -> Secrets {
    Secrets::from([
        ("database-url", database.url().to_owned()),
        ("pepper", SECRET.to_owned()),
        ("edge-token", EDGE_SECRET.to_owned()),
        ("store-access-key", TestS3::ACCESS_KEY.to_owned()),
        ("store-secret-key", TestS3::SECRET_KEY.to_owned()),
    ])
}

#[tokio::test]
async fn a_release_publishes_a_bundle_and_a_device_gets_it() {
    let (database, store, folder) = (TestDatabase::create(), TestS3::start(), tempfile::tempdir().unwrap());
    let (device_port, api_port) = (free_port(), free_port());
    let release = release::release(cases::with(&json!({
        "store": {"url": store.url()},
        "controlPlane": {"port": free_port()},
        "edge": {"devicePort": device_port, "adminPort": free_port(), "api": {"enabled": true, "port": api_port}},
    })));
    let mut processes = BTreeMap::new();
    for pod in pods(&release) {
        processes.insert(pod.binary(), start(&pod, &release, &secrets(&database), folder.path()));
        wait_until_well(&pod).await;
    }

    // As the notes say, and through the edge's API port.
    let cli = Cli::new(format!("http://127.0.0.1:{api_port}"), first_key(&processes["aloft-control-plane"]));
    let app = text(&cli.json(&["app", "create", "trailhead"])["app_id"]).to_owned();
    let channel = ["--app", "trailhead", "--channel", "production"];
    let _ = cli.json(&["channel", "create", "production", "--app", "trailhead"]);
    let bundle = tests::corpus("v1", "android/hermes").display().to_string();
    let fixed = ["release", &bundle, "--platform", "android", "--binary-range", "1.x"];
    let published = cli.json(&[&fixed[..], &channel[..]].concat());

    let mut device = device(device_port, &app).await;
    let checked = device.check().await.unwrap();
    device.follow(&checked.page).await.unwrap().expect("an update is a download");
    device.restart();
    let running = device.installation.running().unwrap().content_sha256;
    assert_eq!(published["releases"][0]["bundle_sha256"], running.to_hex());
    assert!(std::fs::read_dir(folder.path().join("aloft-worker/spool/work")).unwrap().next().is_none(), "work is done");
}

/// Registers a device, once the edge has heard of the channel.
async fn device(port: u16, app: &str) -> Device {
    let http = Http::new(&format!("http://127.0.0.1:{port}"));
    let identity = || Identity {
        app: app.to_owned(),
        channel: "production".into(),
        platform: Platform::Android,
        binary: "1.4.0".into(),
        runtime: None,
        embedded: None,
    };
    wait_until_async(PATIENCE, || async { Device::register(&http, identity()).await.is_ok() }).await;
    Device::register(&http, identity()).await.unwrap()
}
