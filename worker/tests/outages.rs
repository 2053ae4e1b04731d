//! This file's job is to check that a database and a store which fail under load delay uploads, and lose or spoil none.
//!
//! `./x faults queue` repeats it. Each fault has a guard; one more round runs with the guard broken, and must show harm.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::UploadState;
use domain::id::UploadId;
use rig::process::Process;
use rig::{PATIENCE, Rig, Shape, pack};
use runtime::config;
use std::collections::HashSet;
use std::time::Duration;
use testkit::bad_line::{BadLine, Spoil};
use testkit::door::Door;
use testkit::fault::{Dice, Guard, Harm, repeat_many};
use testkit::wait_until_async;

/// How often the database goes away in a round.
const OUTAGES: u64 = 5;
/// The longest moment between the start of an upload's work and an outage, and the longest outage.
const MOMENT_MS: u64 = 250;
/// Without the guard the outages go on until one is noticed: another part of the worker may meet the lost connections first.
const CONTROL_OUTAGES_MAX: u64 = 100;
/// The broken guard: a failed job is a dead one.
const NO_SECOND_CHANCE: &str = "worker.runs-again=break";

async fn send(rig: &Rig, dice: &mut Dice) -> UploadId {
    let version = ["v1", "v2", "v3", "v4"][dice.below(4) as usize];
    rig.upload(&pack(&format!("{version}/android/hermes"), &HashSet::new())).await
}

fn failpoints(broken: &'static str, guard: Guard) -> &'static str {
    match guard {
        Guard::Stands => "",
        Guard::Broken => broken,
    }
}

/// Whether an attempt at a job of the upload has failed.
async fn has_failed(rig: &Rig, upload: &UploadId) -> bool {
    let (scope, work) = (rig.scope.clone(), domain::job::Job::ProcessUpload { upload: upload.clone() });
    let live = rig.db.read(move |conn| db::queue::find(conn, &scope, &work)).await.unwrap();
    // Without a live job it is over: dead, where the guard is broken.
    live.is_none_or(|job| job.attempt > 1 || (job.attempt == 1 && job.state == db::JobState::Waiting))
}

/// Counts uploads that are not ready, and blobs that the server does not hold whole.
async fn count_harm(rig: &Rig, uploads: &[UploadId]) -> Harm {
    let mut harm = Harm::default();
    for upload in uploads {
        harm.lost += u64::from(rig.processed(upload).await.state != UploadState::Ready);
    }
    for bundle in rig.bundles().await {
        let scope = rig.scope.clone();
        let files = rig.db.read(move |conn| db::bundles::files(conn, &scope, &bundle.id)).await.unwrap();
        for file in files {
            harm.wrong += u64::from(rig.store.read(&file.sha256, u64::MAX).await.is_err());
        }
    }
    harm
}

/// Lays a line to the store, for the workers that are started from now on.
fn behind_line(rig: &mut Rig) -> BadLine {
    let url = rig.store_config.url.clone();
    let server = url.split("http://").nth(1).unwrap().split('&').next().unwrap();
    let line = BadLine::to(server);
    rig.store_config = config::Store { url: url.replace(server, &line.address()), ..rig.store_config.clone() };
    line
}

/// Spoils the line until an attempt at a new upload has failed.
async fn spoil_one(rig: &Rig, line: &BadLine, spoil: Spoil, dice: &mut Dice) -> UploadId {
    line.set(spoil);
    let upload = send(rig, dice).await;
    wait_until_async(PATIENCE, || async { has_failed(rig, &upload).await }).await;
    line.set(Spoil::Nothing);
    upload
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_hangs_up_and_trickles_delays_uploads_and_loses_none() {
    repeat_many(
        "store that refuses and hangs up and trickles",
        "a failed job runs again",
        3,
        async |guard, mut dice| {
            let mut rig = Rig::new(Shape::Scaled).await;
            let line = behind_line(&mut rig);
            let process = Process::start_with(&rig, failpoints(NO_SECOND_CHANCE, guard));
            let mut uploads = Vec::new();
            for spoil in [Spoil::Refuse, Spoil::Cut] {
                uploads.push(spoil_one(&rig, &line, spoil, &mut dice).await);
            }
            // What is slow must succeed all the same.
            line.set(Spoil::Trickle);
            let before = line.spoiled();
            uploads.push(send(&rig, &mut dice).await);
            let harm = count_harm(&rig, &uploads).await;
            assert!(line.spoiled() > before, "nothing trickled");
            drop(process);
            harm
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_spoils_bytes_fails_no_upload_for_good() {
    let guard = "only what reads wrongly twice in the same way is the upload's fault";
    repeat_many("store that spoils bytes", guard, 1, async |guard, mut dice| {
        let mut rig = Rig::new(Shape::Scaled).await;
        let line = behind_line(&mut rig);
        let process = Process::start_with(&rig, failpoints("worker.reads-twice=break", guard));
        let upload = spoil_one(&rig, &line, Spoil::Corrupt, &mut dice).await;
        let harm = count_harm(&rig, &[upload]).await;
        drop(process);
        harm
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_under_load_loses_no_upload() {
    let guard = "what loses its connection runs again";
    repeat_many("database restarted under load", guard, OUTAGES, async |guard, mut dice| {
        let mut rig = Rig::new(Shape::Scaled).await;
        let mut opened = None;
        let database = rig.database.as_ref().unwrap();
        let behind = database.behind(|server| {
            let door = Door::before(server, None);
            let address = door.address();
            opened = Some(door);
            address
        });
        let door = opened.unwrap();
        rig.database_url = behind;
        let broken = "db.run-again=break,worker.runs-again=break";
        let process = Process::start_with(&rig, failpoints(broken, guard));
        let mut uploads = Vec::new();
        let outages = if guard == Guard::Broken { CONTROL_OUTAGES_MAX } else { OUTAGES };
        for _ in 0..outages {
            let upload = send(&rig, &mut dice).await;
            wait_until_async(PATIENCE, || async { rig.find(&upload).await.state != UploadState::Queued }).await;
            tokio::time::sleep(Duration::from_millis(dice.below(MOMENT_MS))).await;
            door.shut();
            rig.database.as_ref().unwrap().kill_connections();
            tokio::time::sleep(Duration::from_millis(dice.below(MOMENT_MS))).await;
            door.open();
            uploads.push(upload);
            if guard == Guard::Broken {
                let harm = count_harm(&rig, &uploads).await;
                if harm != Harm::default() {
                    return harm;
                }
            }
        }
        let harm = count_harm(&rig, &uploads).await;
        drop(process);
        harm
    })
    .await;
}
