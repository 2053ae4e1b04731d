//! This file's job is to list everything that the edge counts.

use crate::api::Kind;
use crate::telemetry::counts::Counted;
use domain::tally::{CheckResult, Measure};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;
use std::time::Duration;

/// The routes that requests are counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Updates,
    Register,
    Events,
    Blob,
    PackageCheck,
    PackageReport,
    Health,
    Expo,
    Other,
}

const ROUTES: [(Route, &str); 9] = [
    (Route::Updates, "updates"),
    (Route::Register, "register"),
    (Route::Events, "events"),
    (Route::Blob, "blob"),
    (Route::PackageCheck, "codepush-check"),
    (Route::PackageReport, "codepush-report"),
    (Route::Health, "health"),
    (Route::Expo, "expo"),
    (Route::Other, "other"),
];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
const KINDS: [(Kind, &str); 3] = [(Kind::Grpc, "grpc"), (Kind::GrpcWeb, "grpc-web"), (Kind::Page, "page")];

/// From an answer out of memory to a device that waited for a channel or for the store, in seconds.
const DURATIONS_S: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// All counters and gauges. Looked up once, so that counting a request is one atomic addition.
pub(crate) struct Meters {
    requests: Vec<[IntCounter; 4]>,
    durations: Vec<Histogram>,
    update_checks: IntCounterVec,
    api_requests: Vec<[IntCounter; 4]>,
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
        let requests = metrics.counters("aloft_edge_requests_total", "Answers to devices.", &["route", "status"]);
        let api_requests =
            metrics.counters("aloft_edge_api_requests_total", "Answers of the API port.", &["kind", "status"]);
        let counter = |name: &str, help: &str| metrics.counter(&format!("aloft_edge_{name}"), help);
        let gauge = |name: &str, help: &str| metrics.gauge(&format!("aloft_edge_{name}"), help);
        let limited =
            metrics.counters("aloft_edge_rate_limited_total", "Requests refused because of a rate limit.", &["scope"]);
        let durations = metrics.histograms(
            "aloft_edge_request_duration_seconds",
            "Time from the request to the head of the answer.",
            &["route"],
            &DURATIONS_S,
        );
        let update_checks = metrics.counters(
            "aloft_edge_update_checks_total",
            "Answers to update checks of all protocols, by what devices were told.",
            &["result"],
        );
        for result in CheckResult::ALL {
            update_checks.with_label_values(&[result.as_str()]);
        }
        Self {
            limited,
            durations: ROUTES.iter().map(|(_, route)| durations.with_label_values(&[*route])).collect(),
            update_checks,
            requests: ROUTES
                .iter()
                .map(|(_, route)| CLASSES.map(|class| requests.with_label_values(&[*route, class])))
                .collect(),
            api_requests: KINDS
                .iter()
                .map(|(_, kind)| CLASSES.map(|class| api_requests.with_label_values(&[*kind, class])))
                .collect(),
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

    /// Counts one answer, and how long it took.
    pub(crate) fn count(&self, route: Route, status: http::StatusCode, took: Duration) {
        let row = ROUTES.iter().position(|(known, _)| *known == route).unwrap_or(ROUTES.len() - 1);
        self.requests[row][class_of(status.as_u16())].inc();
        self.durations[row].observe(took.as_secs_f64());
    }

    /// Counts what has been counted for the control plane, without cost for those who counted.
    pub(crate) fn count_told(&self, counted: &Counted) {
        for (key, amount) in &counted.amounts {
            if let Measure::Check(result) = key.measure {
                self.update_checks.with_label_values(&[result.as_str()]).inc_by(amount.times);
            }
        }
    }

    /// Counts one answer of the API port.
    pub(crate) fn count_api(&self, kind: Kind, status: u16) {
        let row = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or(KINDS.len() - 1);
        self.api_requests[row][class_of(status)].inc();
    }
}

/// Nothing at all counts as the server's failure.
fn class_of(status: u16) -> usize {
    usize::from(if status == 0 { 5 } else { status / 100 }).clamp(2, 5) - 2
}
