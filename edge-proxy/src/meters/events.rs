//! This file's job is to list what is counted of telemetry.

use prometheus::{IntCounter, IntGauge};
use runtime::observe::Metrics;

/// What is counted of telemetry.
pub(crate) struct EventMeters {
    pub(crate) taken: IntCounter,
    pub(crate) sent: IntCounter,
    /// The spool had no room: they are counted in the ledger.
    pub(crate) dropped_full: IntCounter,
    /// The disk gave back other bytes than it was given.
    pub(crate) dropped_damaged: IntCounter,
    /// The disk took no bytes.
    pub(crate) dropped_unwritten: IntCounter,
    pub(crate) queue_bytes: IntGauge,
    pub(crate) tallies_waiting: IntGauge,
    pub(crate) tallies_sent: IntCounter,
    pub(crate) tallies_folded: IntCounter,
}

impl EventMeters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let dropped = metrics.counters(
            "aloft_edge_telemetry_dropped_total",
            "Events that do not reach the control plane one by one: counted only because the spool was full, damaged on disk \
             (at least so many), or not written to it.",
            &["class"],
        );
        let class = |class| dropped.with_label_values(&[class]);
        let counter = |name: &str, help: &str| metrics.counter(&format!("aloft_edge_{name}"), help);
        let gauge = |name: &str, help: &str| metrics.gauge(&format!("aloft_edge_{name}"), help);
        Self {
            taken: counter("events_taken_total", "Events taken from devices."),
            sent: counter("events_sent_total", "Events that the control plane took."),
            dropped_full: class("full"),
            dropped_damaged: class("damaged"),
            dropped_unwritten: class("unwritten"),
            queue_bytes: gauge("telemetry_queue_bytes", "Size of events that wait for the control plane."),
            tallies_waiting: gauge("tallies_waiting", "Numbers that wait for the control plane."),
            tallies_sent: counter("tallies_sent_total", "Numbers that the control plane added."),
            tallies_folded: counter(
                "tallies_folded_total",
                "What was counted without saying of what, for want of room.",
            ),
        }
    }
}
