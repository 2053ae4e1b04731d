//! This file's job is to put load on a queue for `./x bench queue`: `queue_load MODE URL COUNT` prints one JSON object.
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed")]

mod burn;
mod fairness;
mod latency;
mod starvation;
mod visibility;

use db::queue::{self, Claim, NewJob};
use db::{Config, Db};
use domain::Timestamp;
use domain::id::{JobId, OrganizationId, UploadId, WorkerId};
use domain::job::{Job, Lane, Tier};
use runtime::clock::Clock;
use std::time::Duration;

/// Consumers and connections of every side.
pub const CONSUMERS: usize = 10;
/// The tier of all jobs.
pub const TIER: Tier = Tier::P1;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, url, count] = arguments.as_slice() else { panic!("usage: queue_load MODE URL COUNT") };
    let count: usize = count.parse().unwrap();
    let figures = match mode.as_str() {
        "burn-slots" => burn::in_slots(url, count).await,
        "burn-batches" => burn::in_batches(url, count, 10).await,
        "latency" => latency::run(url, count).await,
        "fairness" => fairness::run(url, count).await,
        "starvation" => starvation::run(url, count).await,
        // The reference for both is the shape of pgmq's functions: a visibility timeout instead of leases.
        "visibility-single" => visibility::run(url, count, 1).await,
        "visibility-batch" => visibility::run(url, count, 10).await,
        other => panic!("there is no mode {other}"),
    };
    println!("{figures}");
}

/// Opens the database with the tables.
pub async fn open(url: &str) -> Db {
    let db = Db::open(&Config { pool_size: Some(CONSUMERS + 2), ..Config::new(url) }).await.unwrap();
    db.migrate().await.unwrap();
    db
}

/// A job of a tenant that does nothing.
pub fn new_job(tenant: u32, now: Timestamp) -> NewJob {
    let mut bytes = [0; 10];
    bytes[..4].copy_from_slice(&tenant.to_be_bytes());
    NewJob {
        id: JobId::from_parts(now, runtime::random::bytes()),
        tier: TIER,
        organization: OrganizationId::from_parts(Timestamp::from_us(0), bytes),
        app: None,
        work: Job::ProcessUpload { upload: UploadId::from_parts(now, runtime::random::bytes()) },
        cost: 1,
        run_at: now,
    }
}

/// What a worker asks for.
pub fn claim(limit: u32, worker: &WorkerId) -> Claim {
    Claim {
        tier: TIER,
        limit,
        background_max: limit,
        first: Lane::Foreground,
        tenant_max: None,
        worker: worker.clone(),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(300),
    }
}

/// A fresh worker.
pub fn worker() -> WorkerId {
    WorkerId::from_parts(Clock::system().now(), runtime::random::bytes())
}

/// Adds jobs of a hundred tenants, many in one transaction.
pub async fn fill(db: &Db, count: usize) {
    const AT_ONCE: usize = 500;
    for start in (0..count).step_by(AT_ONCE) {
        let now = Clock::system().now();
        let jobs: Vec<NewJob> =
            (start..count.min(start + AT_ONCE)).map(|number| new_job((number % 100) as u32, now)).collect();
        db.write(move |tx| jobs.iter().try_for_each(|job| queue::enqueue(tx, job, now).map(drop))).await.unwrap();
    }
}

/// The value below which the share of the sorted samples lies.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[index]
}
