//! This file's job is to give the tests an app with a channel, and devices that follow it.

use domain::{Platform, Sha256};
use reqwest::StatusCode;
use serde_json::Value;
use standalone::demo::device::{Checked, Device, DeviceError, Identity};
use standalone::demo::http::{Http, HttpError};
use standalone::demo::protocol::Action;
use std::time::{Duration, Instant};
use tests::cli::Cli;
use tests::stack::Stack;

/// A change reaches an edge within milliseconds; a loaded machine takes longer.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(60);
/// Often enough to lose no time, and rarely enough to leave the processor to the processes that are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A platform with one app, `trailhead`, and one channel, `production`.
pub struct World {
    pub stack: Stack,
    pub app: String,
}

/// Runs the test in both shapes.
pub async fn in_both_shapes<F: AsyncFn(World)>(test: F) {
    test(World::new(Stack::in_one_process())).await;
    test(World::new(Stack::in_separate_processes())).await;
}

impl World {
    pub fn new(stack: Stack) -> Self {
        let app = stack.cli.json(&["app", "create", "trailhead"])["app_id"].as_str().unwrap().to_owned();
        let _ = stack.cli.json(&["channel", "create", "production", "--app", "trailhead"]);
        Self { stack, app }
    }

    pub fn cli(&self) -> &Cli {
        &self.stack.cli
    }

    /// Runs a command about the channel.
    pub fn channel(&self, arguments: &[&str]) -> Value {
        self.cli().json(&[arguments, &["--app", "trailhead", "--channel", "production"]].concat())
    }

    /// Publishes a version of the example app for Android and returns the release.
    pub fn release(&self, version: &str, options: &[&str]) -> Value {
        let folder = tests::corpus(version, "android/hermes").display().to_string();
        let fixed = ["release", &folder, "--platform", "android", "--binary-range", "1.x"];
        let answer = self.channel(&[&fixed, options].concat());
        answer["releases"][0].clone()
    }

    /// Registers a device, which tries again when the edge says so: it may not have heard of the channel yet.
    pub async fn device(&self) -> Device {
        let begun = Instant::now();
        loop {
            match self.try_device().await {
                Err(DeviceError::Http(HttpError::Status { status: StatusCode::SERVICE_UNAVAILABLE, .. }))
                    if begun.elapsed() < ARRIVAL_DEADLINE =>
                {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                registered => return registered.unwrap(),
            }
        }
    }

    /// Registers a device, which an edge that knows nothing refuses.
    pub async fn try_device(&self) -> Result<Device, DeviceError> {
        let http = Http::new(&self.stack.edge_url());
        let identity = Identity {
            app: self.app.clone(),
            channel: "production".into(),
            platform: Platform::Android,
            binary: "1.4.0".into(),
            runtime: None,
            embedded: None,
        };
        Device::register(&http, identity).await
    }
}

/// Checks until the answer is as wanted, which a change that has just been made brings about.
pub async fn check_until(device: &Device, wanted: impl Fn(&Checked) -> bool) -> Checked {
    let begun = Instant::now();
    loop {
        let checked = device.check().await.unwrap();
        if wanted(&checked) {
            return checked;
        }
        assert!(begun.elapsed() < ARRIVAL_DEADLINE, "still: {checked:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the device is offered the label, downloads, verifies and starts it.
pub async fn update_to(device: &mut Device, label: &str) -> standalone::demo::device::Downloaded {
    let checked = check_until(device, |checked| offers(checked, label)).await;
    let cost = device.follow(&checked.page).await.unwrap().expect("an update is a download");
    device.restart();
    device.installation.confirm();
    cost
}

pub fn offers(checked: &Checked, label: &str) -> bool {
    checked.page.update.as_ref().is_some_and(|update| update.label == label)
}

pub fn is_settled(checked: &Checked) -> bool {
    checked.page.action == Action::None
}

pub fn running(device: &Device) -> Option<Sha256> {
    device.installation.running().map(|bundle| bundle.content_sha256)
}

/// Every file below the folder with its hash, as the device should have it.
pub fn files_of(folder: &std::path::Path) -> Vec<(String, Sha256)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.push((name, Sha256::of(&std::fs::read(&path).unwrap())));
            }
        }
    }
    files.sort();
    files
}
