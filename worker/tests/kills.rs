//! This file's job is to kill workers at random points, and around every commit and every placing of a blob, and to look at what is left.
//!
//! `./x faults queue` repeats them. Each has a guard; one more round runs with the guard broken, and must show harm.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::{AttemptOutcome, UploadState, queue};
use domain::bundle::Stage;
use domain::id::{JobId, UploadId};
use domain::job::Job;
use rig::process::Process;
use rig::{Archive, PATIENCE, Rig, Shape};
use runtime::clock::Clock;
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::fault::{Dice, Guard, Harm, repeat_many};
use testkit::wait_until_async;

/// Kills in a round, each with an upload of its own; half of them also meet what earlier ones left behind.
const KILLS: u64 = 10;
/// Workers that are stopped in a round.
const STOPS: u64 = 4;
/// How long at most: a few times as long as a lease and the wait before another attempt.
const STOP_MAX: Duration = Duration::from_secs(6);
/// How often what is left is taken up.
const TIMES_MAX: u32 = 5;
/// A debug build does such an upload in about this time.
const WORK_MS: u64 = 250;
/// Where a worker has just committed something, or is about to.
const POINTS: [&str; 10] = [
    "worker.verified=crash",
    "worker.unpacked=crash",
    "worker.parsed=crash",
    "worker.stored=crash",
    "worker.before-commit=crash",
    "worker.after-commit=crash",
    "db.before-commit=crash-sometimes",
    "db.after-commit=crash-sometimes",
    "blob.before-place=crash-sometimes",
    "blob.after-place=crash-sometimes",
];

/// An upload and its job.
struct Sent {
    upload: UploadId,
    job: JobId,
}

/// Sends an upload that is like no other.
async fn send(rig: &Rig, number: u64) -> Sent {
    let text = |name: &str| format!("var {};//{name}", format!("n{number}=1,").repeat(2_000)).into_bytes();
    let files = ["index.android.bundle", "drawable-mdpi/a.png", "drawable-mdpi/b.png", "raw/c.txt"];
    let files = files.map(|name| (name, text(name)));
    let archive = Archive::zip(&files.each_ref().map(|(name, bytes)| (*name, bytes.as_slice())));
    let upload = rig.upload(&archive).await;
    let (scope, work) = (rig.scope.clone(), Job::ProcessUpload { upload: upload.clone() });
    let job = rig.db.read(move |conn| queue::find(conn, &scope, &work)).await.unwrap().expect("nobody works").id;
    Sent { upload, job }
}

/// Waits until the process has begun the upload, or is over.
async fn begun(rig: &Rig, process: &mut Process, sent: &Sent) {
    wait_until_async(PATIENCE, || {
        let is_over = process.is_over();
        async move { is_over || rig.find(&sent.upload).await.state != UploadState::Queued }
    })
    .await;
}

/// Does what is left, hours later, with a worker that nobody kills. The database may still be ending what a killed one sent last: a job
/// that is claimed by that after the others were taken back is left for another time.
async fn finish(rig: &mut Rig, all: &[Sent]) {
    for _ in 0..TIMES_MAX {
        let later = rig.clock.now().plus(Duration::from_secs(3_600));
        rig.db.write(move |tx| queue::rescue_expired(tx, 100, 0, later)).await.unwrap();
        // Longer than the longest wait for another attempt.
        rig.clock = Clock::manual(later.plus(Duration::from_secs(200)));
        let running = rig.start(rig.config(&[("ALOFT_WORKER__POLL_MS", "20")]));
        let done = tokio::time::timeout(PATIENCE / 3, async {
            for sent in all {
                rig.processed(&sent.upload).await;
            }
        });
        let done = done.await.is_ok();
        running.stop().await;
        if done {
            return;
        }
    }
    panic!("uploads are left that nobody processes");
}

/// Counts what is missing and what was done twice.
async fn count_harm(rig: &Rig, all: &[Sent]) -> Harm {
    let mut harm = Harm { lost: rig.dead_count().await, wrong: 0 };
    let stages = [Stage::Verified, Stage::Unpacked, Stage::Parsed, Stage::Stored, Stage::Ready];
    for sent in all {
        let told = rig.told(&sent.upload).await;
        let missing = stages.iter().filter(|stage| !told.contains(&stage.to_string())).count();
        let twice = told.len() - told.iter().collect::<BTreeSet<_>>().len();
        let job = sent.job.clone();
        let attempts = rig.db.read(move |conn| queue::attempts(conn, &job)).await.unwrap();
        let completed = attempts.iter().filter(|attempt| attempt.outcome == Some(AttemptOutcome::Completed)).count();
        let ready = u64::from(rig.find(&sent.upload).await.state == UploadState::Ready);
        harm.lost += 1 - ready + missing as u64;
        harm.wrong += twice as u64 + (completed as u64).abs_diff(ready);
    }
    let bundles = rig.bundles().await;
    let expected = all.len() as u64 - harm.lost.min(all.len() as u64);
    harm.wrong += expected.abs_diff(bundles.len() as u64) + expected.abs_diff(rig.builds().await);
    for bundle in bundles {
        let scope = rig.scope.clone();
        let files = rig.db.read(move |conn| db::bundles::files(conn, &scope, &bundle.id)).await.unwrap();
        for file in files {
            // Reading verifies the bytes.
            harm.lost += u64::from(rig.store.read(&file.sha256, u64::MAX).await.is_err());
        }
    }
    harm
}

/// Kills a worker where the guard matters, so that the control does not depend on luck, and breaks the guard of the next one.
async fn told_twice(shape: Shape) -> Harm {
    let rig = Rig::new(shape).await;
    let all = [send(&rig, 0).await];
    Process::start_with(&rig, "worker.parsed=crash").ended().await;
    let process = Process::start_with(&rig, "worker.stages-once=break");
    rig.processed(&all[0].upload).await;
    drop(process);
    count_harm(&rig, &all).await
}

async fn killed_at_random(shape: Shape, guard: Guard, mut dice: Dice) -> Harm {
    if guard == Guard::Broken {
        return told_twice(shape).await;
    }
    let mut rig = Rig::new(shape).await;
    let mut all = Vec::new();
    for number in 0..KILLS {
        all.push(send(&rig, number).await);
        let mut process = Process::start(&rig);
        begun(&rig, &mut process, all.last().unwrap()).await;
        tokio::time::sleep(Duration::from_millis(dice.below(WORK_MS))).await;
        drop(process);
    }
    finish(&mut rig, &all).await;
    count_harm(&rig, &all).await
}

/// Stops workers for longer than their lease, and lets them go on once another one has done their work.
async fn stopped_for_a_while(shape: Shape, guard: Guard, mut dice: Dice) -> Harm {
    if guard == Guard::Broken {
        return told_twice(shape).await;
    }
    let mut rig = Rig::new(shape).await;
    let (mut all, mut workers) = (Vec::new(), Vec::new());
    for number in 0..STOPS {
        all.push(send(&rig, number).await);
        let sent = all.last().unwrap();
        let mut stopped = Process::start(&rig);
        begun(&rig, &mut stopped, sent).await;
        tokio::time::sleep(Duration::from_millis(dice.below(WORK_MS))).await;
        stopped.pause();
        let other = Process::start(&rig);
        // Who is stopped in the middle of a transaction keeps its locks, and the others wait.
        let _done = tokio::time::timeout(STOP_MAX, rig.processed(&sent.upload)).await;
        stopped.resume();
        rig.processed(&sent.upload).await;
        drop(other);
        // It stays, so that whatever it goes on with is there when harm is counted.
        workers.push(stopped);
    }
    finish(&mut rig, &all).await;
    let harm = count_harm(&rig, &all).await;
    drop(workers);
    harm
}

async fn killed_at_points(shape: Shape, guard: Guard, mut dice: Dice) -> Harm {
    let mut rig = Rig::new(shape).await;
    let mut all = Vec::new();
    for number in 0..KILLS {
        all.push(send(&rig, number).await);
        let point = match guard {
            Guard::Stands => POINTS[dice.below(POINTS.len() as u64) as usize],
            Guard::Broken => "worker.before-commit=crash,worker.keeps-parts=break",
        };
        let mut process = Process::start_with(&rig, point);
        // A point that crashes sometimes may be passed until there is nothing left to do: then the end is a plain kill.
        let upload = &all.last().unwrap().upload;
        wait_until_async(PATIENCE, || {
            let is_over = process.is_over();
            let rig = &rig;
            async move { is_over || [UploadState::Ready, UploadState::Failed].contains(&rig.find(upload).await.state) }
        })
        .await;
    }
    finish(&mut rig, &all).await;
    count_harm(&rig, &all).await
}

async fn repeat_at_random(name: &str, shape: Shape) {
    let fault = format!("worker killed at random points on {name}");
    repeat_many(&fault, "a stage is told once, whoever comes to it again", KILLS, async |guard, dice| {
        killed_at_random(shape, guard, dice).await
    })
    .await;
}

async fn repeat_at_points(name: &str, shape: Shape) {
    let fault = format!("worker killed around commits and blobs on {name}");
    repeat_many(&fault, "the parts of an upload stay until its commit", KILLS, async |guard, dice| {
        killed_at_points(shape, guard, dice).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_at_random_lose_nothing_and_do_nothing_twice_on_sqlite() {
    repeat_at_random("SQLite and a folder", Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_at_random_lose_nothing_and_do_nothing_twice_on_postgresql() {
    repeat_at_random("PostgreSQL and S3", Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_come_back_from_a_stop_change_nothing() {
    let guard = "a stage is told once, whoever comes to it again";
    repeat_many("worker stopped for longer than its lease", guard, STOPS, async |guard, mut dice| {
        let shape = if dice.below(2) == 0 { Shape::Embedded } else { Shape::Scaled };
        stopped_for_a_while(shape, guard, dice).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_around_commits_lose_nothing_and_do_nothing_twice_on_sqlite() {
    repeat_at_points("SQLite and a folder", Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_around_commits_lose_nothing_and_do_nothing_twice_on_postgresql() {
    repeat_at_points("PostgreSQL and S3", Shape::Scaled).await;
}
