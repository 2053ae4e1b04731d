//! This file's job is to check that no fault of a worker, a store or a lease loses an upload or does its work twice.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use blob::Store;
use db::queue;
use db::{AttemptOutcome, UploadState};
use domain::bundle::Stage;
use domain::id::{JobId, UploadId};
use domain::job::{Job, Tier};
use rig::process::Process;
use rig::{Archive, PATIENCE, Rig, Shape, pack};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use testkit::wait_until_async;

/// A store whose requests never get an answer, so that a job hangs in its middle. The listener must live as long as the test.
async fn hanging_store() -> (Store, std::net::TcpListener) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("s3://bucket?endpoint=http://{}", listener.local_addr().unwrap());
    let config = runtime::config::Store { url, access_key: "key".into(), secret_key: "secret".into() };
    (Store::open(&config).await.unwrap(), listener)
}

fn small_zip() -> Archive {
    Archive::zip(&[("index.android.bundle", b"console.log(1)")])
}

async fn attempts(rig: &Rig, job: &JobId) -> Vec<(u32, Option<AttemptOutcome>)> {
    let job = job.clone();
    let attempts = rig.db.read(move |conn| queue::attempts(conn, &job)).await.unwrap();
    attempts.into_iter().map(|attempt| (attempt.n, attempt.outcome)).collect()
}

async fn job_of(rig: &Rig, upload: &UploadId) -> queue::JobInfo {
    let (scope, work) = (rig.scope.clone(), Job::ProcessUpload { upload: upload.clone() });
    rig.db.read(move |conn| queue::find(conn, &scope, &work)).await.unwrap().expect("a live job")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_stop_gives_jobs_back_without_charging_an_attempt() {
    let rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&small_zip()).await;
    let job = job_of(&rig, &id).await.id;
    let (hanging, _listener) = hanging_store().await;
    let running = rig.start_with(rig.config(&[]), hanging);
    wait_until_async(PATIENCE, || async { rig.find(&id).await.state == UploadState::Processing }).await;
    running.stop().await;
    assert_eq!(job_of(&rig, &id).await.attempt, 0);
    let running = rig.start(rig.config(&[]));
    assert_eq!(rig.processed(&id).await.state, UploadState::Ready);
    assert_eq!(attempts(&rig, &job).await, [(1, Some(AttemptOutcome::Released)), (1, Some(AttemptOutcome::Completed))]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_stops_working_on_the_job() {
    let rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&small_zip()).await;
    let job = job_of(&rig, &id).await.id;
    let (hanging, _listener) = hanging_store().await;
    let slow = rig.start_with(rig.config(&[("ALOFT_WORKER__HEARTBEAT_MS", "50")]), hanging);
    wait_until_async(PATIENCE, || async { rig.find(&id).await.state == UploadState::Processing }).await;
    // Another worker, whose clock is far ahead, takes the job back.
    let later = rig.clock.now().plus(Duration::from_secs(3_600));
    let rescued = rig.db.write(move |tx| queue::rescue_expired(tx, 10, 0, later)).await.unwrap();
    assert_eq!(rescued.len(), 1);
    let lost = r#"aloft_worker_attempts_total{kind="process-upload",outcome="lease-lost"}"#;
    wait_until_async(PATIENCE, || async { slow.metric(lost) == Some(1.0) }).await;
    slow.stop().await;
    let due = later.plus(Duration::from_secs(60));
    let claim = queue::Claim {
        tier: Tier::P3,
        limit: 1,
        background_max: 1,
        first: domain::job::Lane::Foreground,
        tenant_max: None,
        worker: domain::id::WorkerId::from_parts(due, [3; 10]),
        lease: Duration::from_secs(1),
        deadline: Duration::from_secs(1),
    };
    let leases = rig.db.write(move |tx| queue::claim(tx, &claim, due)).await.unwrap();
    assert_eq!((leases.len(), leases[0].attempt, &leases[0].job), (1, 2, &job));
}

/// A door before a server: connections wait until it is opened, then their bytes pass unchanged.
async fn closed_door(server: &str) -> (String, tokio::sync::watch::Sender<bool>) {
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, server) = (door.local_addr().unwrap().to_string(), server.to_owned());
    let (opener, opened) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = door.accept().await {
            let (mut opened, server) = (opened.clone(), server.clone());
            tokio::spawn(async move {
                opened.wait_for(|opened| *opened).await.unwrap();
                let mut far = tokio::net::TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, opener)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_back_too_late_changes_nothing() {
    let mut rig = Rig::new(Shape::Scaled).await;
    let id = rig.upload(&small_zip()).await;
    let url = rig.store_config.url.clone();
    let server = url.split("http://").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let (door, opener) = closed_door(&server).await;
    let behind = runtime::config::Store { url: url.replace(&server, &door), ..rig.store_config.clone() };
    // It hangs at its first request, and hears of its loss only when it writes: no heartbeat comes before that.
    let late = rig.start_with(rig.config(&[]), Store::open(&behind).await.unwrap());
    wait_until_async(PATIENCE, || async { rig.find(&id).await.state == UploadState::Processing }).await;
    let later = rig.clock.now().plus(Duration::from_secs(3_600));
    rig.db.write(move |tx| queue::rescue_expired(tx, 10, 0, later)).await.unwrap();
    rig.clock = runtime::clock::Clock::manual(later.plus(Duration::from_secs(60)));
    let second = rig.start(rig.config(&[("ALOFT_WORKER__POLL_MS", "20")]));
    let ready = rig.processed(&id).await;
    assert_eq!(ready.state, UploadState::Ready);
    wait_until_async(PATIENCE, || async { rig.store.parts(&id).await.unwrap().is_empty() }).await;
    opener.send_replace(true);
    let lost = r#"aloft_worker_attempts_total{kind="process-upload",outcome="lease-lost"}"#;
    wait_until_async(PATIENCE, || async { late.metric(lost) == Some(1.0) }).await;
    assert_eq!(rig.find(&id).await, ready);
    assert_eq!((rig.bundles().await.len(), rig.dead_count().await), (1, 0));
    late.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_delays_an_upload_and_loses_nothing() {
    let rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&small_zip()).await;
    let job = job_of(&rig, &id).await.id;
    // A file where the folder of blobs should be: parts can be read, blobs cannot be written.
    let blocker = rig.folder.path().join("store/blobs");
    std::fs::write(&blocker, "").unwrap();
    let running = rig.start(rig.config(&[("ALOFT_WORKER__POLL_MS", "50")]));
    wait_until_async(PATIENCE, || async { attempts(&rig, &job).await.first().is_some_and(|first| first.1.is_some()) })
        .await;
    std::fs::remove_file(&blocker).unwrap();
    assert_eq!(rig.processed(&id).await.state, UploadState::Ready);
    assert_eq!(attempts(&rig, &job).await, [(1, Some(AttemptOutcome::Failed)), (2, Some(AttemptOutcome::Completed))]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_job_dies_is_failed_and_an_operator_can_revive_it() {
    let mut rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&small_zip()).await;
    let job = job_of(&rig, &id).await.id;
    // Three attempts are lost with their workers; the fourth meets a store that fails.
    let mut now = rig.clock.now();
    for number in 1..=3_u8 {
        now = now.plus(Duration::from_secs(200));
        let claim = queue::Claim {
            tier: Tier::P3,
            limit: 1,
            background_max: 1,
            first: domain::job::Lane::Foreground,
            tenant_max: None,
            worker: domain::id::WorkerId::from_parts(now, [number; 10]),
            lease: Duration::from_secs(1),
            deadline: Duration::from_secs(1),
        };
        assert_eq!(rig.db.write(move |tx| queue::claim(tx, &claim, now)).await.unwrap().len(), 1);
        now = now.plus(Duration::from_secs(2));
        assert_eq!(rig.db.write(move |tx| queue::rescue_expired(tx, 10, 0, now)).await.unwrap().len(), 1);
    }
    let blocker = rig.folder.path().join("store/blobs");
    std::fs::write(&blocker, "").unwrap();
    rig.clock = runtime::clock::Clock::manual(now.plus(Duration::from_secs(200)));
    let running = rig.start(rig.config(&[("ALOFT_WORKER__POLL_MS", "50")]));
    let upload = rig.processed(&id).await;
    assert_eq!((upload.state, upload.failure_reason.as_deref()), (UploadState::Failed, Some("INTERNAL")));
    assert_eq!(rig.dead_count().await, 1);
    std::fs::remove_file(&blocker).unwrap();
    let (dead, revived, now) = (job, JobId::from_parts(now, [9; 10]), rig.clock.now());
    rig.db.write(move |tx| queue::retry_dead(tx, &dead, &revived, "operator", now)).await.unwrap();
    wait_until_async(PATIENCE, || async { rig.find(&id).await.state == UploadState::Ready }).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_jobs_are_claimed_than_there_are_slots() {
    let rig = Rig::new(Shape::Embedded).await;
    for _ in 0..4 {
        rig.upload(&small_zip()).await;
    }
    let (hanging, _listener) = hanging_store().await;
    // The others keep what they have, so nothing is lent.
    let slots = [
        ("ALOFT_WORKER__TIERS__P0__KEPT_SLOTS", "5"),
        ("ALOFT_WORKER__TIERS__P1__KEPT_SLOTS", "3"),
        ("ALOFT_WORKER__TIERS__P2__KEPT_SLOTS", "2"),
        ("ALOFT_WORKER__TIERS__P3__SLOTS", "2"),
        ("ALOFT_WORKER__TIERS__P3__BATCH", "10"),
        ("ALOFT_WORKER__POLL_MS", "10"),
    ];
    let running = rig.start_with(rig.config(&slots), hanging);
    wait_until_async(PATIENCE, || async { running.metric("aloft_worker_running_count") == Some(2.0) }).await;
    let until = Instant::now() + Duration::from_millis(300);
    while Instant::now() < until {
        let stats = rig.db.read(queue::stats).await.unwrap();
        assert_eq!((stats[3].running, stats[3].ready), (2, 2));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_the_best_tier_leaves_the_free_one_its_slot() {
    for shape in [Shape::Embedded, Shape::Scaled] {
        let rig = Rig::new(shape).await;
        for _ in 0..60 {
            rig.upload_in(Tier::P0, &small_zip()).await;
        }
        let mut small = Vec::new();
        for _ in 0..3 {
            small.push(rig.upload(&small_zip()).await);
        }
        let running = rig.start(rig.config(&[]));
        for id in &small {
            assert_eq!(rig.processed(id).await.state, UploadState::Ready);
        }
        let stats = rig.db.read(queue::stats).await.unwrap();
        assert!(stats[0].ready > 0, "the flood was over before the free tier's jobs were done");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_starts_at_once_when_it_is_enqueued() {
    for shape in [Shape::Embedded, Shape::Scaled] {
        let rig = Rig::new(shape).await;
        // Polling alone would take a minute.
        let running = rig.start(rig.config(&[("ALOFT_WORKER__POLL_MS", "60000")]));
        wait_until_async(PATIENCE, || async { running.metric("aloft_worker_wait_seconds_count") == Some(0.0) }).await;
        for _ in 0..3 {
            let id = rig.upload(&small_zip()).await;
            assert_eq!(rig.processed(&id).await.state, UploadState::Ready);
        }
        let waited = running.metric("aloft_worker_wait_seconds_sum").unwrap();
        println!("three jobs waited {waited} s together");
        assert!(waited < 3.0, "{waited}");
        running.stop().await;
    }
}

/// When each file of the store was written.
fn written(folder: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => written(&entry.path(), found),
            Ok(metadata) => drop(found.insert(entry.path(), metadata.modified().unwrap())),
            Err(_) => {}
        }
    }
}

/// Kills a worker right after it has come to the stage, and lets another one go on; returns the stages that were told.
async fn killed_after(stage: Stage, failpoints: &str) -> Vec<String> {
    let rig = Rig::new(Shape::Embedded).await;
    let id = rig.upload(&pack("v1/android/hermes", &HashSet::new())).await;
    Process::start_with(&rig, &format!("worker.{stage}=crash")).ended().await;
    let left = rig.find(&id).await;
    assert_eq!((left.state, left.stage), (UploadState::Processing, Some(stage)));
    let (blobs, mut before, mut after) = (rig.folder.path().join("store/blobs"), BTreeMap::new(), BTreeMap::new());
    written(&blobs, &mut before);
    assert_eq!(before.is_empty(), stage != Stage::Stored);
    let process = Process::start_with(&rig, failpoints);
    let upload = rig.processed(&id).await;
    drop(process);
    assert_eq!((upload.state, upload.stage), (UploadState::Ready, Some(Stage::Ready)));
    written(&blobs, &mut after);
    assert!(before.iter().all(|(path, at)| after.get(path) == Some(at)), "a stored blob was written again");
    assert_eq!((rig.bundles().await.len(), rig.builds().await, rig.dead_count().await), (1, 1, 0));
    rig.told(&id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_after_any_stage_is_followed_by_one_that_repeats_no_effect() {
    let once = ["verified", "unpacked", "parsed", "stored", "ready"];
    for stage in [Stage::Verified, Stage::Unpacked, Stage::Parsed, Stage::Stored] {
        assert_eq!(killed_after(stage, "").await, once, "{stage}");
    }
    let told = killed_after(Stage::Unpacked, "worker.stages-once=break").await;
    assert_ne!(told, once, "without the guard nothing is told twice: the test proves nothing");
}
