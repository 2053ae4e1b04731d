//! This file's job is to count what the worker does.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;

/// From a job on an idle machine to one that waited behind a flood.
const WAIT_SECONDS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The worker's metrics.
pub(crate) struct WorkerMetrics {
    /// Ended attempts, by kind and outcome.
    pub(crate) jobs: IntCounterVec,
    /// From enqueueing to the start of the first attempt.
    pub(crate) wait: Histogram,
    /// Jobs that run now.
    pub(crate) running: IntGauge,
    /// Jobs that were taken back from lost workers.
    pub(crate) rescued: IntCounter,
    /// Jobs that died, by kind and reason.
    pub(crate) dead: IntCounterVec,
    /// Blobs that were removed because nobody has them.
    pub(crate) swept: IntCounter,
    /// Releases and bundles that plans keep no longer, by kind.
    pub(crate) retired: IntCounterVec,
}

impl WorkerMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            jobs: metrics.counters("aloft_worker_attempts_total", "Ended attempts.", &["kind", "outcome"]),
            wait: metrics.histogram("aloft_worker_wait_seconds", "From enqueueing to the first start.", &WAIT_SECONDS),
            running: metrics.gauge("aloft_worker_running_count", "Jobs that run now."),
            rescued: metrics.counter("aloft_worker_rescued_total", "Jobs taken back from lost workers."),
            dead: metrics.counters("aloft_worker_dead_total", "Jobs that failed for good.", &["kind", "reason"]),
            swept: metrics.counter("aloft_worker_swept_blobs_total", "Removed blobs that nobody had."),
            retired: metrics.counters("aloft_worker_retired_total", "What plans keep no longer.", &["kind"]),
        }
    }
}
