//! This file's job is to measure, on a clock that it moves itself, how long a small tenant waits behind another one's flood.

use crate::{claim, new_job, open, percentile, worker};
use db::Db;
use db::queue::{self, Lease};
use domain::Timestamp;
use domain::id::JobId;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long each job runs.
const JOB: Duration = Duration::from_secs(5);
/// Jobs that run at once: the slots of tier P1.
const SLOTS: u32 = 3;
/// Tenants beside the one that floods; each sends one job, one after the other.
const SMALL_TENANTS: u64 = 10;
/// Between two of their jobs; no multiple of how long one runs, so that they come at any moment of the others' runs.
const SENT_EVERY: Duration = Duration::from_secs(21);

/// One tenant adds `flood` jobs at once, ten others one each. Returns the small tenants' p99 wait in seconds, with the queue as it is and
/// with one that is first come, first served.
pub async fn run(url: &str, flood: usize) -> serde_json::Value {
    let db = open(url).await;
    serde_json::json!({ "fair_p99_s": fair(&db, flood).await, "fifo_p99_s": fifo(flood) })
}

fn start() -> Timestamp {
    Timestamp::from_us(1_700_000_000_000_000)
}

fn sent_at(number: u64) -> Timestamp {
    start().plus(SENT_EVERY * u32::try_from(number).unwrap())
}

async fn add(db: &Db, tenant: u32, count: usize, now: Timestamp) -> Vec<JobId> {
    let jobs: Vec<_> = (0..count).map(|_| new_job(tenant, now)).collect();
    let ids = jobs.iter().map(|job| job.id.clone()).collect();
    db.write(move |tx| jobs.iter().try_for_each(|job| queue::enqueue(tx, job, now).map(drop))).await.unwrap();
    ids
}

async fn fair(db: &Db, flood: usize) -> f64 {
    let worker = worker();
    let (mut sent, mut waits, mut running) = (BTreeMap::new(), Vec::new(), Vec::<(Timestamp, Lease)>::new());
    let (mut next, mut now) = (0, start());
    add(db, 0, flood, now).await;
    loop {
        while next < SMALL_TENANTS && sent_at(next) <= now {
            let id = add(db, 1 + next as u32, 1, now).await.remove(0);
            sent.insert(id, now);
            next += 1;
        }
        let (ended, going): (Vec<_>, Vec<_>) = running.into_iter().partition(|(until, _)| *until <= now);
        running = going;
        db.write(move |tx| ended.iter().try_for_each(|(_, lease)| queue::complete(tx, lease, now))).await.unwrap();
        let asked = claim(SLOTS - running.len() as u32, &worker);
        for lease in db.write(move |tx| queue::claim(tx, &asked, now)).await.unwrap() {
            if let Some(at) = sent.remove(&lease.job) {
                waits.push(now.since(at).as_secs_f64());
            }
            running.push((now.plus(JOB), lease));
        }
        let sends = (next < SMALL_TENANTS).then(|| sent_at(next));
        let Some(event) = running.iter().map(|(until, _)| *until).chain(sends).min() else { break };
        now = event;
    }
    waits.sort_by(f64::total_cmp);
    percentile(&waits, 0.99)
}

fn fifo(flood: usize) -> f64 {
    let mut queue: VecDeque<Option<Timestamp>> = std::iter::repeat_n(None, flood).collect();
    let mut free_at = vec![start(); SLOTS as usize];
    let mut waits = Vec::new();
    queue.extend((0..SMALL_TENANTS).map(|number| Some(sent_at(number))));
    for sent in queue {
        let slot = free_at.iter_mut().min().unwrap();
        let begun = sent.map_or(*slot, |sent| sent.max(*slot));
        if let Some(sent) = sent {
            waits.push(begun.since(sent).as_secs_f64());
        }
        *slot = begun.plus(JOB);
    }
    waits.sort_by(f64::total_cmp);
    percentile(&waits, 0.99)
}
