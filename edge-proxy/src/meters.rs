//! This file's job is to list everything that the edge counts. `docs/metrics.md` says what each means.

mod answers;
mod blobs;
mod events;
mod sync;

pub(crate) use answers::Route;
pub(crate) use sync::SyncState;

use crate::refusal::SCOPES;
use crate::sync::apply::NACK_REASONS;
use answers::Answers;
use blobs::BlobMeters;
use events::EventMeters;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;
use sync::SyncMeter;

/// All counters and gauges. Looked up once, so that counting a request is one atomic addition; each shows from the start.
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
    /// Refused snapshots, by why.
    pub(crate) nacks: IntCounterVec,
    pub(crate) snapshot_files_bad: IntCounter,
    pub(crate) sync: SyncMeter,
    pub(crate) sync_sessions: IntCounter,
    pub(crate) blobs: BlobMeters,
    pub(crate) events: EventMeters,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let build = metrics.gauges("aloft_edge_build_info", "Always 1, with the software's version.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let counter = |name: &str, help: &str| metrics.counter(&format!("aloft_edge_{name}"), help);
        let gauge = |name: &str, help: &str| metrics.gauge(&format!("aloft_edge_{name}"), help);
        let limited =
            metrics.counters("aloft_edge_rate_limited_total", "Requests refused because of a rate limit.", &["scope"]);
        SCOPES.iter().for_each(|scope| drop(limited.with_label_values(&[*scope])));
        let nacks = metrics.counters("aloft_edge_nacks_total", "Snapshots that were refused, by why.", &["reason"]);
        NACK_REASONS.iter().for_each(|reason| drop(nacks.with_label_values(&[*reason])));
        Self {
            limited,
            nacks,
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
            snapshot_files_bad: counter("snapshot_files_bad_total", "Snapshot files that were unusable at start."),
            sync: SyncMeter::new(metrics),
            sync_sessions: counter("sync_sessions_total", "Streams to the control plane that were begun."),
            blobs: BlobMeters::new(metrics),
            events: EventMeters::new(metrics),
        }
    }
}
