//! This file's job is to list everything that the edge counts.

mod answers;

use answers::Answers;
pub(crate) use answers::Route;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;

/// All counters and gauges. Looked up once, so that counting a request is one atomic addition.
pub(crate) struct Meters {
    pub(crate) answers: Answers,
    pub(crate) access_lines_skipped: IntCounter,
    pub(crate) api_connections: IntGauge,
    pub(crate) api_connections_refused: IntCounter,
    pub(crate) api_retries: IntCounter,
    pub(crate) api_replicas: IntGauge,
    pub(crate) connections: IntGauge,
    /// Those that are left with little but their stream.
    pub(crate) connections_quiet: IntGauge,
    pub(crate) connections_refused: IntCounter,
    pub(crate) handshakes_failed: IntCounter,
    /// Refused requests, by the name of the quota.
    pub(crate) limited: IntCounterVec,
    pub(crate) snapshots: IntGauge,
    pub(crate) snapshots_accepted: IntCounter,
    pub(crate) snapshots_refused: IntCounter,
    pub(crate) snapshot_files_bad: IntCounter,
    pub(crate) sync_connected: IntGauge,
    pub(crate) sync_sessions: IntCounter,
    pub(crate) blob_fills: IntCounter,
    pub(crate) blob_fetched_bytes: IntCounter,
    pub(crate) blob_sent_bytes: IntCounter,
    pub(crate) blob_corrupt: IntCounterVec,
    pub(crate) blob_evicted: IntCounter,
    pub(crate) blob_passed_through: IntCounter,
    pub(crate) blob_disk_bytes: IntGauge,
    pub(crate) blob_disk_failing: IntGauge,
    pub(crate) origin_requests: IntCounterVec,
    pub(crate) origin_hedges: IntCounter,
    pub(crate) blob_scrubbed_bytes: IntCounter,
    pub(crate) events_taken: IntCounter,
    pub(crate) events_dropped: IntCounter,
    pub(crate) events_sent: IntCounter,
    pub(crate) spool_bytes: IntGauge,
    pub(crate) tallies_waiting: IntGauge,
    pub(crate) tallies_sent: IntCounter,
    pub(crate) tallies_folded: IntCounter,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let build = metrics.counters("aloft_edge_build_info", "Always 1, with the software's version.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        let counter = |name: &str, help: &str| metrics.counter(&format!("aloft_edge_{name}"), help);
        let gauge = |name: &str, help: &str| metrics.gauge(&format!("aloft_edge_{name}"), help);
        let limited =
            metrics.counters("aloft_edge_rate_limited_total", "Requests refused because of a rate limit.", &["scope"]);
        Self {
            limited,
            answers: Answers::new(metrics),
            access_lines_skipped: counter(
                "access_lines_skipped_total",
                "Refused requests that were not written down because there were too many.",
            ),
            api_connections: gauge("api_connections", "Open connections of the API port."),
            api_connections_refused: counter(
                "api_connections_refused_total",
                "Connections of the API port closed because of the limit.",
            ),
            api_retries: counter("api_retries_total", "Requests that were passed on to another replica again."),
            api_replicas: gauge("api_replicas", "Control-plane replicas that are well."),
            connections: gauge("connections", "Open connections of devices."),
            connections_quiet: gauge("connections_quiet", "Those of them that have asked for nothing in a while."),
            connections_refused: counter("connections_refused_total", "Connections closed because of the limit."),
            handshakes_failed: counter("tls_handshakes_failed_total", "Connections that did not get as far as TLS."),
            snapshots: gauge("snapshots", "Channels that can be answered."),
            snapshots_accepted: counter("snapshots_accepted_total", "Snapshots put to use."),
            snapshots_refused: counter("snapshots_refused_total", "Snapshots refused (NACK)."),
            snapshot_files_bad: counter("snapshot_files_bad_total", "Snapshot files that were unusable at start."),
            sync_connected: gauge("sync_connected", "1 while the control plane's stream is alive and caught up."),
            sync_sessions: counter("sync_sessions_total", "Streams to the control plane that were begun."),
            blob_fills: counter("blob_fills_total", "Blobs that were fetched from the store."),
            blob_fetched_bytes: counter("blob_fetched_bytes_total", "Bytes fetched from the store."),
            blob_sent_bytes: counter("blob_sent_bytes_total", "Bytes of blobs read for devices."),
            blob_corrupt: metrics.counters(
                "aloft_edge_blob_corrupt_total",
                "Chunks whose bytes had the wrong hash.",
                &["source"],
            ),
            blob_evicted: counter("blob_evicted_total", "Blobs removed to make room."),
            blob_passed_through: counter("blob_passed_through_total", "Chunks served without keeping them."),
            blob_disk_bytes: gauge("blob_disk_bytes", "Size of all blobs on disk."),
            origin_requests: metrics.counters(
                "aloft_edge_origin_requests_total",
                "Chunks asked for, by where and with which result.",
                &["origin", "result"],
            ),
            origin_hedges: counter("origin_hedges_total", "Chunks asked for twice because the first answer took long."),
            blob_disk_failing: gauge("blob_disk_failing", "1 while blobs cannot be kept on disk."),
            blob_scrubbed_bytes: counter("blob_scrubbed_bytes_total", "Bytes on disk that were read again."),
            events_taken: counter("events_taken_total", "Events taken from devices."),
            events_dropped: counter(
                "events_dropped_total",
                "Events that were only counted because the spool was full, or lost because it is broken.",
            ),
            events_sent: counter("events_sent_total", "Events that the control plane took."),
            spool_bytes: gauge("spool_bytes", "Size of events that wait for the control plane."),
            tallies_waiting: gauge("tallies_waiting", "Numbers that wait for the control plane."),
            tallies_sent: counter("tallies_sent_total", "Numbers that the control plane added."),
            tallies_folded: counter(
                "tallies_folded_total",
                "What was counted without saying of what, for want of room.",
            ),
        }
    }
}
