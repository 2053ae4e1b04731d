//! This file's job is to measure how long it takes from the commit that adds a job to its start in another process's queue.

use crate::{CONSUMERS, TIER, claim, new_job, open, percentile, worker};
use db::queue;
use domain::id::JobId;
use runtime::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Between two jobs, so that each finds an idle queue.
const PAUSE: Duration = Duration::from_millis(7);
/// The guarantee behind the signals, as workers have it.
const POLL: Duration = Duration::from_secs(1);

/// Adds `count` jobs one by one and returns p50 and p99 in milliseconds. The producer and the consumer have opened the database each for
/// themselves, so signals go the way between processes.
pub async fn run(url: &str, count: usize) -> serde_json::Value {
    let (producer, consumer) = (open(url).await, open(url).await);
    let started: Arc<Mutex<HashMap<JobId, Instant>>> = Arc::default();
    let (finished, mut all) = mpsc::channel(1);
    let task = tokio::spawn({
        let started = started.clone();
        async move {
            let (worker, mut wake, mut seen) = (worker(), consumer.wakeups().jobs(TIER), 0);
            while seen < count {
                let asked = claim(CONSUMERS as u32, &worker);
                let leases = consumer.write_relaxed(move |tx| queue::claim(tx, &asked, Clock::system().now()));
                let leases = leases.await.unwrap();
                let now = Instant::now();
                seen += leases.len();
                started.lock().unwrap().extend(leases.iter().map(|lease| (lease.job.clone(), now)));
                if leases.is_empty() {
                    let _polled = tokio::time::timeout(POLL, wake.wait()).await;
                    continue;
                }
                let at = Clock::system().now();
                let complete =
                    consumer.write(move |tx| leases.iter().try_for_each(|lease| queue::complete(tx, lease, at)));
                complete.await.unwrap();
            }
            finished.send(()).await.unwrap();
        }
    });
    // The listener may still be connecting.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut committed = HashMap::new();
    for number in 0..count {
        let now = Clock::system().now();
        let job = new_job(number as u32 % 10, now);
        let id = job.id.clone();
        producer.write(move |tx| queue::enqueue(tx, &job, now)).await.unwrap();
        committed.insert(id, Instant::now());
        tokio::time::sleep(PAUSE).await;
    }
    all.recv().await.unwrap();
    task.await.unwrap();
    let started = started.lock().unwrap();
    let mut waits: Vec<f64> =
        committed.iter().map(|(id, at)| started[id].saturating_duration_since(*at).as_secs_f64() * 1e3).collect();
    waits.sort_by(f64::total_cmp);
    serde_json::json!({ "p50_ms": percentile(&waits, 0.5), "p99_ms": percentile(&waits, 0.99) })
}
