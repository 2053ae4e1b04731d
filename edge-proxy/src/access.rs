//! This file's job is to write down what was answered, seldom enough to cost nothing.
//!
//! Most answers come from memory within microseconds. They get no name and no line: whether one is due is a countdown of the connection's own.

mod entry;
mod turn;

pub(crate) use entry::{Entry, REQUEST_ID};
pub(crate) use turn::Turn;

use crate::allowance::{Allowance, Rate};
use crate::config::Config;
use crate::meters::Meters;
use crate::snapshot::Channel;
use domain::id::EdgeId;
use prometheus::IntCounter;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Two connections that come after each other begin far apart, and many cover all places evenly (Weyl's sequence, by the golden ratio).
const PHASE_STEP: u32 = 0x9E37_79B9;

/// Says which answers are written down, and writes them.
pub(crate) struct AccessLog {
    edge: EdgeId,
    /// One in so many answers that are no refusals; zero for none.
    every: u32,
    phase: AtomicU32,
    /// Refused and failed requests a second.
    refusals: Rate,
    granted: Allowance,
    skipped: IntCounter,
}

/// What is written down of an answer. Nothing in it is the client's own text but the name of a call.
pub(crate) struct Line<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) route: &'static str,
    /// Which of the control plane's calls it was.
    pub(crate) call: Option<&'a str>,
    pub(crate) status: u16,
    /// Until the head of the answer; none when nobody looked at the clock.
    pub(crate) took: Option<Duration>,
    pub(crate) bytes: Option<u64>,
    pub(crate) channel: Option<&'a Channel>,
    pub(crate) peer: IpAddr,
}

impl AccessLog {
    pub(crate) fn new(edge: EdgeId, config: &Config, meters: &Arc<Meters>) -> Self {
        Self {
            edge,
            every: config.access_log_every,
            phase: AtomicU32::new(0),
            refusals: Rate(config.access_log_refusals_per_s),
            granted: Allowance::default(),
            skipped: meters.access_lines_skipped.clone(),
        }
    }

    /// Returns the turn of a new connection.
    pub(crate) fn turn(&self) -> Turn {
        Turn::new(self.every, self.phase.fetch_add(PHASE_STEP, Ordering::Relaxed))
    }

    /// Says whether an answer is written down whose turn has come, or which is a refusal.
    pub(crate) fn is_written(&self, is_due: bool, is_refused: bool) -> bool {
        if is_due || !is_refused {
            return is_due;
        }
        let is_granted = self.granted.take(self.refusals).is_ok();
        self.skipped.inc_by(u64::from(!is_granted));
        is_granted
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let snapshot = line.channel.map(|channel| &channel.snapshot);
        tracing::info!(
            target: "access",
            request_id = line.request_id,
            route = line.route,
            call = line.call,
            status = line.status,
            dur_s = line.took.map(|took| took.as_secs_f64()),
            bytes = line.bytes,
            app = snapshot.map(|snapshot| snapshot.key.app.as_str()),
            channel = snapshot.map(|snapshot| snapshot.key.channel.as_str()),
            snapshot_version = snapshot.map(|snapshot| snapshot.version.version),
            edge_id = self.edge.as_str(),
            peer = %line.peer,
            "answered"
        );
    }
}
