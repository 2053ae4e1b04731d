//! This file's job is to know which edges are connected and how far they have come.

use domain::Timestamp;
use domain::id::EdgeId;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;
use std::collections::BTreeMap;

/// What is known of one connected edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeState {
    /// Version of its software.
    pub software_version: String,
    /// When it last said anything.
    pub heard_at: Timestamp,
    /// The newest state of each channel that is in use there.
    pub acked: BTreeMap<ChannelKey, SnapshotVersion>,
    /// The states that it refused, with its reason; gone once it takes a newer one.
    pub refused: BTreeMap<ChannelKey, (SnapshotVersion, String)>,
    /// Streams that are open; more than one while an old one is not known to be dead.
    streams: usize,
}

/// The edges of one replica.
pub struct Fleet {
    edges: Mutex<BTreeMap<EdgeId, EdgeState>>,
    connected: IntGauge,
    sent: IntCounterVec,
    answers: IntCounterVec,
    /// Bytes of snapshots that were sent.
    pub sent_bytes: IntCounter,
}

impl Fleet {
    /// Makes an empty fleet with its metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            edges: Mutex::default(),
            connected: metrics.gauge("aloft_edges_connected", "Edges with an open stream."),
            sent: metrics.counters("aloft_edge_messages_sent_total", "Messages to edges.", &["kind"]),
            answers: metrics.counters("aloft_edge_answers_total", "Snapshots that edges took or refused.", &["kind"]),
            sent_bytes: metrics.counter("aloft_edge_snapshot_sent_bytes", "Bytes of snapshots sent to edges."),
        }
    }

    /// Returns every connected edge.
    #[must_use]
    pub fn edges(&self) -> Vec<(EdgeId, EdgeState)> {
        self.edges.lock().iter().map(|(id, state)| (id.clone(), state.clone())).collect()
    }

    /// Notes that an edge opened a stream.
    pub fn joined(&self, id: &EdgeId, software_version: &str, now: Timestamp) {
        let mut edges = self.edges.lock();
        let state = edges.entry(id.clone()).or_default();
        software_version.clone_into(&mut state.software_version);
        state.heard_at = now;
        state.streams += 1;
        self.connected.set(i64::try_from(edges.len()).unwrap_or(i64::MAX));
    }

    /// Notes that a stream has ended; the last one takes the edge with it.
    pub fn left(&self, id: &EdgeId) {
        let mut edges = self.edges.lock();
        if let Some(state) = edges.get_mut(id) {
            state.streams = state.streams.saturating_sub(1);
            if state.streams == 0 {
                edges.remove(id);
            }
        }
        self.connected.set(i64::try_from(edges.len()).unwrap_or(i64::MAX));
    }

    /// Notes that an edge is alive.
    pub fn heard(&self, id: &EdgeId, now: Timestamp) {
        if let Some(state) = self.edges.lock().get_mut(id) {
            state.heard_at = now;
        }
    }

    /// Notes that an edge uses a state.
    pub fn acked(&self, id: &EdgeId, key: ChannelKey, version: SnapshotVersion) {
        self.answers.with_label_values(&["ack"]).inc();
        if let Some(state) = self.edges.lock().get_mut(id) {
            state.refused.remove(&key);
            state.acked.insert(key, version);
        }
    }

    /// Notes that an edge refused a state.
    pub fn refused(&self, id: &EdgeId, key: ChannelKey, version: SnapshotVersion, reason: String) {
        self.answers.with_label_values(&["nack"]).inc();
        if let Some(state) = self.edges.lock().get_mut(id) {
            state.refused.insert(key, (version, reason));
        }
    }

    /// Counts a message.
    pub fn sent(&self, kind: &'static str) {
        self.sent.with_label_values(&[kind]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_stays_until_its_last_stream_ends() {
        let fleet = Fleet::new(&Metrics::new());
        let id = EdgeId::from_parts(Timestamp::from_us(1), [1; 10]);
        fleet.joined(&id, "1", Timestamp::from_us(1));
        fleet.joined(&id, "1", Timestamp::from_us(2));
        fleet.left(&id);
        assert_eq!(fleet.edges().len(), 1);
        fleet.left(&id);
        assert!(fleet.edges().is_empty());
    }
}
