//! This file's job is to measure how many jobs that do nothing a second are claimed and completed, every completion durable.

use crate::{CONSUMERS, claim, fill, open, worker};
use db::queue;
use runtime::clock::Clock;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Burns `count` jobs down as a worker does: one loop claims for all slots that are free, and each job completes alone.
pub async fn in_slots(url: &str, count: usize) -> serde_json::Value {
    let db = open(url).await;
    fill(&db, count).await;
    let (slots, worker, begun) = (Arc::new(Semaphore::new(CONSUMERS)), worker(), Instant::now());
    let (mut running, mut done) = (JoinSet::new(), 0);
    while done < count {
        let mut free = vec![slots.clone().acquire_owned().await.unwrap()];
        free.extend(std::iter::from_fn(|| slots.clone().try_acquire_owned().ok()));
        let asked = claim(free.len() as u32, &worker);
        let leases = db.write_relaxed(move |tx| queue::claim(tx, &asked, Clock::system().now())).await.unwrap();
        done += leases.len();
        for (lease, slot) in leases.into_iter().zip(free) {
            let db = db.clone();
            running.spawn(async move {
                let now = Clock::system().now();
                db.write(move |tx| queue::complete(tx, &lease, now)).await.unwrap();
                drop(slot);
            });
        }
    }
    running.join_all().await;
    serde_json::json!({ "jobs_per_second": count as f64 / begun.elapsed().as_secs_f64() })
}

/// Burns `count` jobs down with several loops that claim `batch` each and complete those in one transaction.
pub async fn in_batches(url: &str, count: usize, batch: u32) -> serde_json::Value {
    let db = open(url).await;
    fill(&db, count).await;
    let begun = Instant::now();
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (db, worker) = (db.clone(), worker());
            tokio::spawn(async move {
                let mut done = 0;
                loop {
                    let asked = claim(batch, &worker);
                    let leases = db.write_relaxed(move |tx| queue::claim(tx, &asked, Clock::system().now()));
                    let leases = leases.await.unwrap();
                    if leases.is_empty() {
                        return done;
                    }
                    done += leases.len();
                    let now = Clock::system().now();
                    let complete =
                        db.write(move |tx| leases.iter().try_for_each(|lease| queue::complete(tx, lease, now)));
                    complete.await.unwrap();
                }
            })
        })
        .collect();
    let mut done = 0;
    for consumer in consumers {
        done += consumer.await.unwrap();
    }
    assert_eq!(done, count, "a job was lost or done twice");
    serde_json::json!({ "jobs_per_second": count as f64 / begun.elapsed().as_secs_f64() })
}
