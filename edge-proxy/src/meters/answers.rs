//! This file's job is to count answers.

use crate::api::Kind;
use crate::telemetry::counts::Counted;
use domain::tally::{CheckResult, Measure};
use prometheus::{Histogram, IntCounter, IntCounterVec};
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
const KINDS: [Kind; 3] = [Kind::Grpc, Kind::GrpcWeb, Kind::Page];

/// From an answer for which the disk was read to one for which the store or the control plane was asked, in seconds.
const DURATIONS_S: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// What was answered, and how long it took.
pub(crate) struct Answers {
    requests: Vec<[IntCounter; 4]>,
    waits: Vec<Histogram>,
    update_checks: IntCounterVec,
    api_requests: Vec<[IntCounter; 4]>,
}

impl Answers {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let requests = metrics.counters("aloft_edge_requests_total", "Answers to devices.", &["route", "status"]);
        let api_requests =
            metrics.counters("aloft_edge_api_requests_total", "Answers of the API port.", &["kind", "status"]);
        let waits = metrics.histograms(
            "aloft_edge_request_duration_seconds",
            "Time from the request to the head of the answer, where it did not come from memory at once.",
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
        let by_class = |family: &IntCounterVec, name| CLASSES.map(|class| family.with_label_values(&[name, class]));
        Self {
            requests: ROUTES.iter().map(|(_, route)| by_class(&requests, *route)).collect(),
            waits: ROUTES.iter().map(|(_, route)| waits.with_label_values(&[*route])).collect(),
            update_checks,
            api_requests: KINDS.iter().map(|kind| by_class(&api_requests, kind.name())).collect(),
        }
    }

    /// Counts one answer.
    pub(crate) fn count(&self, route: Route, status: http::StatusCode) {
        self.requests[row_of(route)][class_of(status.as_u16())].inc();
    }

    /// Notes how long the answer took. Those that come from memory at once take microseconds: asking what time it is would double that.
    pub(crate) fn waited(&self, route: Route, took: Duration) {
        self.waits[row_of(route)].observe(took.as_secs_f64());
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
        let row = KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len() - 1);
        self.api_requests[row][class_of(status)].inc();
    }
}

impl Route {
    /// Returns how it is called in metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        ROUTES[row_of(self)].1
    }
}

fn row_of(route: Route) -> usize {
    ROUTES.iter().position(|(known, _)| *known == route).unwrap_or(ROUTES.len() - 1)
}

/// Nothing at all counts as the server's failure.
fn class_of(status: u16) -> usize {
    usize::from(if status == 0 { 5 } else { status / 100 }).clamp(2, 5) - 2
}
