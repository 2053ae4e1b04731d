//! This file's job is to measure, on a clock that it moves itself, how long jobs of the lowest tier wait behind a flood of the highest one.

use crate::{claim, new_job, open, percentile, worker};
use db::Db;
use db::queue::{self, Claim, Lease, NewJob};
use domain::Timestamp;
use domain::id::JobId;
use domain::job::Tier;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long each job runs.
const JOB: Duration = Duration::from_secs(5);
/// What a worker has for the two tiers by default: the other tiers have nothing to do, but nobody lends what it keeps.
const SLOTS: [(Tier, u32); 2] = [(Tier::P0, 5), (Tier::P3, 1)];
/// Jobs of the lowest tier, and how many come together.
const LOW_JOBS: u64 = 30;
const TOGETHER: u64 = 3;
/// Between two groups of them.
const SENT_EVERY: Duration = Duration::from_secs(20);

/// The highest tier adds `flood` jobs at once. Returns the lowest tier's p99 wait in seconds, with the slots that each tier keeps and with
/// a queue that always serves the highest tier first.
pub async fn run(url: &str, flood: usize) -> serde_json::Value {
    let db = open(url).await;
    serde_json::json!({ "kept_p99_s": kept(&db, flood).await, "strict_p99_s": strict(flood) })
}

fn start() -> Timestamp {
    Timestamp::from_us(1_700_000_000_000_000)
}

fn sent_at(number: u64) -> Timestamp {
    start().plus(SENT_EVERY * u32::try_from(number / TOGETHER).unwrap())
}

async fn add(db: &Db, tier: Tier, count: usize, now: Timestamp) -> Vec<JobId> {
    let jobs: Vec<_> = (0..count).map(|_| NewJob { tier, ..new_job(0, now) }).collect();
    let ids = jobs.iter().map(|job| job.id.clone()).collect();
    db.write(move |tx| jobs.iter().try_for_each(|job| queue::enqueue(tx, job, now).map(drop))).await.unwrap();
    ids
}

async fn kept(db: &Db, flood: usize) -> f64 {
    let worker = worker();
    let (mut sent, mut waits, mut running) = (BTreeMap::new(), Vec::new(), Vec::<(Timestamp, Lease)>::new());
    let (mut next, mut now) = (0, start());
    add(db, Tier::P0, flood, now).await;
    while waits.len() < LOW_JOBS as usize {
        while next < LOW_JOBS && sent_at(next) <= now {
            sent.insert(add(db, Tier::P3, 1, now).await.remove(0), now);
            next += 1;
        }
        let (ended, going): (Vec<_>, Vec<_>) = running.into_iter().partition(|(until, _)| *until <= now);
        running = going;
        db.write(move |tx| ended.iter().try_for_each(|(_, lease)| queue::complete(tx, lease, now))).await.unwrap();
        for (tier, slots) in SLOTS {
            let busy = running.iter().filter(|(_, lease)| lease.tier == tier).count() as u32;
            let asked = Claim { tier, ..claim(slots - busy, &worker) };
            for lease in db.write(move |tx| queue::claim(tx, &asked, now)).await.unwrap() {
                if let Some(at) = sent.remove(&lease.job) {
                    waits.push(now.since(at).as_secs_f64());
                }
                running.push((now.plus(JOB), lease));
            }
        }
        let sends = (next < LOW_JOBS).then(|| sent_at(next));
        let Some(event) = running.iter().map(|(until, _)| *until).chain(sends).min() else { break };
        now = event;
    }
    waits.sort_by(f64::total_cmp);
    percentile(&waits, 0.99)
}

fn strict(flood: usize) -> f64 {
    let slots: u32 = SLOTS.iter().map(|(_, slots)| slots).sum();
    let mut free_at = vec![start(); slots as usize];
    let mut waits = Vec::new();
    for sent in std::iter::repeat_n(None, flood).chain((0..LOW_JOBS).map(|number| Some(sent_at(number)))) {
        let slot = free_at.iter_mut().min().unwrap();
        let begun = sent.map_or(*slot, |sent| sent.max(*slot));
        waits.extend(sent.map(|sent| begun.since(sent).as_secs_f64()));
        *slot = begun.plus(JOB);
    }
    waits.sort_by(f64::total_cmp);
    percentile(&waits, 0.99)
}
