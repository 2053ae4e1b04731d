//! This file's job is to list what is counted of blobs.

use crate::blobs::origin::ORIGINS;
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;

/// From a store in the same rack to one that is given up, in seconds.
const DURATIONS_S: [f64; 10] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
/// What an origin's answer can be.
const RESULTS: [&str; 4] = ["good", "missing", "corrupt", "failed"];

/// What is counted of blobs.
pub(crate) struct BlobMeters {
    pub(crate) memory: IntCounter,
    pub(crate) disk: IntCounter,
    pub(crate) origin: IntCounter,
    pub(crate) coalesced: IntCounter,
    pub(crate) passed_through: IntCounter,
    pub(crate) fetched_bytes: IntCounter,
    pub(crate) sent_bytes: IntCounter,
    pub(crate) scrubbed_bytes: IntCounter,
    pub(crate) verify_failures: IntCounterVec,
    pub(crate) evictions: IntCounter,
    pub(crate) cache_bytes: IntGauge,
    pub(crate) disk_failing: IntGauge,
    pub(crate) origin_requests: IntCounterVec,
    pub(crate) origin_durations: HistogramVec,
    pub(crate) origin_hedges: IntCounter,
}

impl BlobMeters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let requests = metrics.counters(
            "aloft_edge_blob_requests_total",
            "Looks for a piece of a blob, of 1 MiB at most, by what came of them.",
            &["source"],
        );
        let request = |source| requests.with_label_values(&[source]);
        let bytes = metrics.counters(
            "aloft_edge_blob_bytes_total",
            "Bytes of blobs: fetched from where they come from, read for devices, read again on disk.",
            &["way"],
        );
        let way = |way| bytes.with_label_values(&[way]);
        let verify_failures = metrics.counters(
            "aloft_edge_blob_verify_failures_total",
            "Pieces whose bytes had the wrong hash, by where they were found.",
            &["where"],
        );
        let origin_requests = metrics.counters(
            "aloft_edge_origin_requests_total",
            "Pieces asked for, by where and with which result.",
            &["origin", "result"],
        );
        let origin_durations = metrics.histograms(
            "aloft_edge_origin_request_duration_seconds",
            "Time until a piece was there whole, or was not.",
            &["origin"],
            &DURATIONS_S,
        );
        for origin in ORIGINS {
            RESULTS.iter().for_each(|result| drop(origin_requests.with_label_values(&[origin, *result])));
            origin_durations.with_label_values(&[origin]);
        }
        for place in ORIGINS.into_iter().chain(["disk", "scrub"]) {
            verify_failures.with_label_values(&[place]);
        }
        let counter = |name: &str, help: &str| metrics.counter(&format!("aloft_edge_{name}"), help);
        let gauge = |name: &str, help: &str| metrics.gauge(&format!("aloft_edge_{name}"), help);
        Self {
            memory: request("memory"),
            disk: request("disk"),
            origin: request("origin"),
            coalesced: request("coalesced"),
            passed_through: request("passed-through"),
            fetched_bytes: way("fetched"),
            sent_bytes: way("sent"),
            scrubbed_bytes: way("scrubbed"),
            verify_failures,
            evictions: counter("blob_evictions_total", "Blobs removed to make room."),
            cache_bytes: gauge("blob_cache_bytes", "Size of all blobs on disk."),
            disk_failing: gauge("blob_disk_failing", "1 while blobs cannot be kept on disk."),
            origin_requests,
            origin_durations,
            origin_hedges: counter("origin_hedges_total", "Pieces asked for twice because the first answer took long."),
        }
    }
}
