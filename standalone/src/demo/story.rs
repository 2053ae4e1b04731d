//! This file's job is to tell what Aloft does, step by step, on real bundles.

use crate::demo::Setting;
use crate::demo::aloft::shown;
use crate::demo::crowd::{Crowd, Round};
use crate::demo::device::{Checked, Device, Downloaded, Identity};
use crate::demo::http::Http;
use crate::demo::installation::{Installed, Started};
use crate::demo::narration::{Narration, line, size, time};
use crate::demo::protocol::{Action, Page};
use anyhow::{Context as _, Result, bail, ensure};
use domain::Platform;
use domain::telemetry::EventKind;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Devices that only check; enough that a tenth of them is a hundred.
const CROWD_SIZE: usize = 1_000;
/// Six standard deviations around a tenth of [`CROWD_SIZE`] devices: less likely to be left than a disk to lose a bit.
const TENTH: std::ops::RangeInclusive<usize> = 43..=157;
/// What takes longer than this to reach the edge, or to be made, will not come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the edge is asked whether something has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The version of the native binary that the devices run.
const BINARY: &str = "1.4.0";

/// A release that was just published.
struct Published {
    release_id: String,
    label: String,
}

/// What the steps share.
struct Story<'a> {
    setting: &'a Setting,
    narration: Narration,
    http: Http,
}

/// Tells the whole story.
///
/// # Errors
/// The first step that goes wrong.
pub async fn tell(setting: &Setting) -> Result<()> {
    let begun = Instant::now();
    let mut story = Story { setting, narration: Narration::default(), http: Http::new(&setting.edge_url) };
    let app = story.prepare().await?;
    let identity = Identity {
        app,
        channel: setting.aloft.channel.clone(),
        platform: Platform::Android,
        binary: BINARY.to_owned(),
        runtime: None,
        embedded: None,
    };
    let first = story.publish("v1", &[]).await?;
    let mut phone = story.first_install(&identity, &first).await?;
    let crowd = story.gather_crowd(&identity, &phone).await?;
    let second = story.publish("v2", &["--rollout", "10%"]).await?;
    story.ramp(&crowd, &mut phone, &second).await?;
    story.take_delta(&mut phone, &second).await?;
    story.roll_back(&mut phone).await?;
    story.narration.figure("the whole demo", time(begun.elapsed()));
    story.narration.summary();
    if cfg!(debug_assertions) {
        line("    (a build without optimisation; `./x up --release --demo` shows what to expect)");
    }
    Ok(())
}

impl Story<'_> {
    /// Makes the app and the channel. Returns the app's id, which devices send.
    async fn prepare(&mut self) -> Result<String> {
        let (app, channel) = (self.setting.aloft.app.as_str(), self.setting.aloft.channel.as_str());
        self.narration.step(&format!("An app and a channel (ALOFT_APP={app} and ALOFT_CHANNEL={channel} are set)"));
        for (command, what) in [(["app", "create", app], "app"), (["channel", "create", channel], "channel")] {
            self.narration.command(&command.join(" "));
            match self.setting.aloft.make(&command).await? {
                Some(ran) => self.narration.fact(&format!("{what} made"), &time(ran.took)),
                None => self.narration.fact(&format!("the {what} was there"), ""),
            }
        }
        let ran = self.setting.aloft.run(&["app", "get", app]).await?;
        text(&ran.json, "app_id")
    }

    /// Publishes a version of the sample app.
    async fn publish(&mut self, version: &str, options: &[&str]) -> Result<Published> {
        let folder = self.setting.corpus.join(version).join("android").join("hermes");
        let path = folder.to_str().context("the corpus lies in a folder whose name is not UTF-8")?;
        let mut command = vec!["release", path, "--binary-range", "1.x"];
        command.extend(options);
        self.narration.step(&format!("The operator publishes {version} of the sample app"));
        self.narration.command(&format!("release {} {}", shown(&folder, &self.setting.corpus), command[2..].join(" ")));
        let ran = self.setting.aloft.run(&command).await?;
        let release = &ran.json["releases"][0];
        let upload = &release["upload"];
        let [total, sent, files, known] = ["total_size_bytes", "sent_size_bytes", "file_count", "known_file_count"]
            .map(|key| upload[key].as_u64().unwrap_or(0));
        self.narration.fact(&format!("{files} files, {known} of them known to the server"), &size(total));
        self.narration.fact("sent, compressed", &size(sent));
        self.narration.fact("from the command to a release that devices are offered", &time(ran.took));
        let published = Published { release_id: text(release, "release_id")?, label: text(release, "label")? };
        let summary = if version == "v1" { "publish v1: sent, took" } else { "publish, most files known: sent, took" };
        if version != "v3" {
            self.narration.figure(summary, format!("{}, {}", size(sent), time(ran.took)));
        }
        Ok(published)
    }

    /// A new device gets the first version.
    async fn first_install(&mut self, identity: &Identity, release: &Published) -> Result<Device> {
        self.narration.step("A device registers, checks, downloads, verifies and installs");
        let begun = Instant::now();
        let mut phone = Device::register(&self.http, identity.clone()).await.context("registering the device")?;
        self.narration.fact(&format!("registered as {}", phone.id()), &time(begun.elapsed()));
        let checked = wait_for(&phone, |page| offers(page, release)).await?;
        self.narration.fact(
            &format!("offered {}; the answer has {}", release.label, size(checked.size_bytes)),
            &time(checked.took),
        );
        let cost = self.install(&mut phone, &checked.page).await?;
        self.narration
            .figure("first download: received, took", format!("{}, {}", size(cost.received_bytes), time(cost.took)));
        Ok(phone)
    }

    /// Downloads what is offered, starts it, and says that it works.
    async fn install(&mut self, phone: &mut Device, page: &Page) -> Result<Downloaded> {
        let cost = phone.follow(page).await.context("downloading")?.context("the device was offered nothing")?;
        let how = match (cost.by_delta, cost.received_bytes) {
            (true, _) => "launch file made from a delta",
            (false, 0) => "everything was on the device",
            (false, _) => "downloaded whole",
        };
        let files = format!("{} files fetched, {} kept: {how}", cost.files_fetched, cost.files_kept);
        self.narration.fact(&files, &size(cost.received_bytes));
        self.narration.fact("every byte verified: chunks, files, bundle", &time(cost.took));
        let Started::New(Some(started)) = phone.restart() else { bail!("the new bundle did not start") };
        let confirmed = phone.installation.confirm().cloned().context("the new bundle was not on trial")?;
        ensure!(started == confirmed, "another bundle started than was installed");
        let begun = Instant::now();
        for kind in [EventKind::Downloaded, EventKind::Installed, EventKind::Launched] {
            phone.report(kind, &confirmed, "").await.context("reporting")?;
        }
        self.narration
            .fact(&format!("runs {} after a restart; 3 events reported", confirmed.label), &time(begun.elapsed()));
        Ok(cost)
    }

    async fn gather_crowd(&mut self, identity: &Identity, phone: &Device) -> Result<Crowd> {
        self.narration.step(&format!("{CROWD_SIZE} more devices that run the same"));
        let begun = Instant::now();
        let crowd = Crowd::register(&self.http, identity, running(phone)?, CROWD_SIZE)
            .await
            .context("registering the crowd")?;
        let took = begun.elapsed();
        self.narration.fact(&format!("registered, {} each", time(took / CROWD_SIZE as u32)), &time(took));
        Ok(crowd)
    }

    /// Grows the rollout; each growth only adds devices.
    async fn ramp(&mut self, crowd: &Crowd, phone: &mut Device, release: &Published) -> Result<()> {
        let mut before: Option<Round> = None;
        for share in ["10%", "50%", "100%"] {
            if before.is_some() {
                self.narration.step(&format!("The rollout grows to {share}"));
                self.command(&["rollout", "set", share, "--platform", "android"]).await?;
            }
            self.settle(phone).await?;
            let round = crowd.check(&release.release_id).await.context("checking with the crowd")?;
            let count = round.offered.len();
            let text = format!("{count} of {} devices are offered {}", crowd.len(), release.label);
            self.narration.fact(&text, &format!("{} a check, p99 {}", time(round.median), time(round.p99)));
            match &before {
                Some(before) => {
                    ensure!(before.offered.is_subset(&round.offered), "growing took the release from a device");
                    self.narration.fact("nobody lost it", &format!("{} added", count - before.offered.len()));
                }
                None => ensure!(TENTH.contains(&count), "a tenth of {} devices cannot be {count}", crowd.len()),
            }
            if share == "100%" {
                ensure!(count == crowd.len(), "not everybody is offered a release for everybody");
                let rate = crowd.len() as u128 * 1_000_000 / round.took.as_micros().max(1);
                self.narration
                    .figure("update check: median, p99", format!("{}, {}", time(round.median), time(round.p99)));
                self.narration.figure("update checks a second, all on this machine", rate.to_string());
            }
            before = Some(round);
        }
        Ok(())
    }

    /// The first device takes the second version as a patch.
    async fn take_delta(&mut self, phone: &mut Device, release: &Published) -> Result<()> {
        self.narration.step(&format!("The first device takes {} as a delta", release.label));
        let has_delta =
            |page: &Page| offers(page, release) && page.update.as_ref().is_some_and(|update| update.delta.is_some());
        let checked = wait_for(phone, has_delta).await.context("waiting for the delta")?;
        self.explain(phone, &checked.page).await?;
        let update = checked.page.update.as_ref().context("no update")?;
        let (launch_bytes, delta_bytes) =
            (update.bundle.launch.size_bytes, update.delta.as_ref().map_or(0, |delta| delta.size_bytes));
        self.narration.fact(
            &format!("launch file {}, delta {}", size(launch_bytes), size(delta_bytes)),
            &percent(delta_bytes, launch_bytes),
        );
        let cost = self.install(phone, &checked.page).await?;
        ensure!(cost.by_delta, "the device did not use the delta");
        ensure!(cost.received_bytes < cost.full_bytes, "the delta saved nothing");
        let figure = format!("{} instead of {}, {}", size(cost.received_bytes), size(cost.full_bytes), time(cost.took));
        self.narration.figure("update by delta: received, took", figure);
        Ok(())
    }

    /// Asks the control plane why, and compares with what the edge decided.
    async fn explain(&mut self, phone: &Device, page: &Page) -> Result<()> {
        // The device still runs the bundle before.
        let current = running(phone)?.content_sha256.to_hex();
        let command = ["explain", &phone.id(), "--platform", "android", "--binary", BINARY, "--current", &current];
        self.narration.command(&format!("explain {} …", phone.id()));
        let ran = self.setting.aloft.run(&command).await?;
        let step = &ran.json["steps"][0];
        let offered = page.update.as_ref().map(|update| update.label.as_str());
        ensure!(ran.json["label"].as_str() == offered, "explain and the edge disagree: {}", ran.json);
        let [bucket, share] = ["bucket", "share_ppm"].map(|key| step[key].as_u64().unwrap_or(0));
        let text = format!("the same decision: {}, bucket {bucket} of 1000000, share {share}", text(step, "verdict")?);
        self.narration.fact(&text, &time(ran.took));
        Ok(())
    }

    /// A bad version goes out and comes back.
    async fn roll_back(&mut self, phone: &mut Device) -> Result<()> {
        let good = running(phone)?.clone();
        let bad = self.publish("v3", &["--notes", "Plan trips ahead"]).await?;
        self.narration.step(&format!("The device takes {}, and it is bad", bad.label));
        let has_delta =
            |page: &Page| offers(page, &bad) && page.update.as_ref().is_some_and(|update| update.delta.is_some());
        let checked = wait_for(phone, has_delta).await?;
        self.install(phone, &checked.page).await?;
        phone.report(EventKind::Failed, running(phone)?, "the planner shows a blank page").await?;
        self.narration.fact("reported: failed, \"the planner shows a blank page\"", "");

        self.narration.step("The operator rolls back, and the device returns");
        let begun = Instant::now();
        let ran = self.command(&["rollback", "--platform", "android", "--mandatory"]).await?;
        let release = &ran["releases"][0];
        let back = Published { release_id: text(release, "release_id")?, label: text(release, "label")? };
        self.narration.fact(&format!("{} has the content of {}", back.label, good.label), "");
        let checked = wait_for(phone, |page| offers(page, &back)).await?;
        let update = checked.page.update.as_ref().context("no update")?;
        ensure!(update.bundle.sha256 == good.content_sha256, "the rollback has another content");
        ensure!(update.mandatory && update.install == "now", "the rollback is not at once");
        let cost = self.install(phone, &checked.page).await?;
        ensure!(running(phone)?.content_sha256 == good.content_sha256, "the device did not return");
        ensure!(cost.received_bytes == 0, "the device got bytes that it had");
        let took = begun.elapsed();
        self.narration.fact("from the operator's command to the good bundle on the device", &time(took));
        self.narration.figure("rollback, command to device", time(took));
        let checked = phone.check().await?;
        ensure!(checked.page.action == Action::None, "the device is offered something after the rollback");
        self.narration
            .fact(&format!("the next check says: {}", checked.page.reason.unwrap_or_default()), &time(checked.took));
        Ok(())
    }

    /// Shows and runs a command.
    async fn command(&mut self, command: &[&str]) -> Result<Value> {
        self.narration.command(&command.join(" "));
        let ran = self.setting.aloft.run(command).await?;
        self.narration.fact("done", &time(ran.took));
        Ok(ran.json)
    }

    /// Waits until the edge decides from the newest state of the channel.
    async fn settle(&mut self, device: &Device) -> Result<()> {
        let ran = self.setting.aloft.run(&["channel", "get", &self.setting.aloft.channel]).await?;
        let newest = ran.json["snapshot_version"].as_u64().context("the channel has no snapshot version")?;
        wait_for(device, |page| page.snapshot.version >= newest).await.map(|_| ())
    }
}

/// Checks until the answer is as wanted. What the edge says while it does not know the channel yet is waited for, too.
async fn wait_for(device: &Device, wanted: impl Fn(&Page) -> bool) -> Result<Checked> {
    let begun = Instant::now();
    loop {
        let last = match device.check().await {
            Ok(checked) if wanted(&checked.page) => return Ok(checked),
            Ok(checked) => format!("{:?}", checked.page),
            Err(error) => error.to_string(),
        };
        if begun.elapsed() > PATIENCE {
            bail!("the edge does not offer what it should within {} s; last answer: {last}", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn offers(page: &Page, release: &Published) -> bool {
    page.update.as_ref().is_some_and(|update| update.release_id == release.release_id)
}

fn running(device: &Device) -> Result<&Installed> {
    device.installation.running().context("the device runs no downloaded bundle")
}

fn text(json: &Value, key: &str) -> Result<String> {
    json[key].as_str().map(str::to_owned).with_context(|| format!("the command's answer lacks {key}: {json}"))
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = part.saturating_mul(1_000) / whole.max(1);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_shown_with_one_decimal() {
        assert_eq!(percent(25, 1_000), "2.5%");
        assert_eq!(percent(1, 0), "100.0%");
    }
}
