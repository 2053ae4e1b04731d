//! This file's job is to measure how many jobs that do nothing a second are claimed and completed, every completion durable.

use crate::{CONSUMERS, claim, fill, open, worker};
use db::queue;
use runtime::clock::Clock;
use std::time::Instant;

/// Burns `count` jobs down with claims of `batch`; as many complete in one transaction.
pub async fn run(url: &str, count: usize, batch: u32) -> serde_json::Value {
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
