//! This file's job is to show how old what the edge knows may be.

use parking_lot::Mutex;
use prometheus::IntGaugeVec;
use runtime::observe::Metrics;
use std::sync::Arc;
use std::time::Instant;

/// How the edge stands with the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// There is no stream.
    Away,
    /// There is one, and what changed meanwhile is on its way.
    CatchingUp,
    /// Whatever changes is heard at once.
    Current,
}

const STATES: [(SyncState, &str); 3] =
    [(SyncState::Away, "away"), (SyncState::CatchingUp, "catching-up"), (SyncState::Current, "current")];

/// The state, and when the control plane was last heard in the best one.
pub(crate) struct SyncMeter {
    states: IntGaugeVec,
    known: Arc<Mutex<Known>>,
}

struct Known {
    is_current: bool,
    /// Until then everything is known. At first that is the start: how old snapshots on disk are nobody can tell.
    until: Instant,
}

impl SyncMeter {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let states = metrics.gauges(
            "aloft_edge_sync_state",
            "1 for how the edge stands with the control plane, 0 for the others.",
            &["state"],
        );
        let known = Arc::new(Mutex::new(Known { is_current: false, until: Instant::now() }));
        let reading = known.clone();
        metrics.gauge_of(
            "aloft_edge_snapshot_age_seconds",
            "Time since the control plane was last heard while all its snapshots were here, or since the start.",
            move || i64::try_from(reading.lock().until.elapsed().as_secs()).unwrap_or(i64::MAX),
        );
        let meter = Self { states, known };
        meter.is(SyncState::Away);
        meter
    }

    /// Says how the edge stands now.
    pub(crate) fn is(&self, now: SyncState) {
        for (state, name) in STATES {
            self.states.with_label_values(&[name]).set(i64::from(state == now));
        }
        self.known.lock().is_current = now == SyncState::Current;
        self.heard();
    }

    /// Says that the control plane was heard.
    pub(crate) fn heard(&self) {
        let mut known = self.known.lock();
        if known.is_current {
            known.until = Instant::now();
        }
    }
}
