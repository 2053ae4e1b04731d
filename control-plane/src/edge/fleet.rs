//! This file's job is to know which edges are connected and how far they have come.

use db::edge_channels::Word;
use domain::Timestamp;
use domain::id::EdgeId;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use runtime::observe::Metrics;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Notify;

/// What is known of one connected edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeState {
    /// Version of its software.
    pub software_version: String,
    /// When it last said anything.
    pub heard_at: Timestamp,
    /// The newest state of each channel that is in use there.
    pub acked: BTreeMap<ChannelKey, SnapshotVersion>,
    /// The newest state of each channel whose bytes are all on its disk.
    pub ready: BTreeMap<ChannelKey, SnapshotVersion>,
    /// The states that it refused, with its reason; gone once it takes a newer one.
    pub refused: BTreeMap<ChannelKey, (SnapshotVersion, String)>,
    /// Streams that are open; more than one while an old one is not known to be dead.
    streams: usize,
}

/// The edges of one replica.
pub struct Fleet {
    edges: Mutex<BTreeMap<EdgeId, EdgeState>>,
    /// Of which edges and channels there is a word that is not written down. Bounded as the edges' states are.
    unwritten: Mutex<BTreeSet<(EdgeId, ChannelKey)>>,
    spoken: Notify,
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
            unwritten: Mutex::default(),
            spoken: Notify::new(),
            connected: metrics.gauge("aloft_control_plane_edges_connected", "Edges with an open stream."),
            sent: metrics.counters("aloft_control_plane_edge_messages_total", "Messages to edges.", &["kind"]),
            answers: metrics.counters(
                "aloft_control_plane_edge_answers_total",
                "Snapshots that edges took or refused.",
                &["kind"],
            ),
            sent_bytes: metrics
                .counter("aloft_control_plane_edge_snapshot_bytes_total", "Bytes of snapshots sent to edges."),
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

    /// Notes what an edge has used since before it connected, and whether all bytes for that are on its disk.
    pub fn has(&self, id: &EdgeId, key: &ChannelKey, version: SnapshotVersion, is_ready: bool) {
        self.note(id, key, |state| {
            state.acked.insert(key.clone(), version);
            if is_ready {
                state.ready.insert(key.clone(), version);
            }
        });
    }

    /// Notes that an edge has all bytes for a state on its disk.
    pub fn ready(&self, id: &EdgeId, key: &ChannelKey, version: SnapshotVersion) {
        self.note(id, key, |state| {
            state.ready.insert(key.clone(), version);
        });
    }

    /// Notes that an edge uses a state.
    pub fn acked(&self, id: &EdgeId, key: &ChannelKey, version: SnapshotVersion) {
        self.answers.with_label_values(&["ack"]).inc();
        self.note(id, key, |state| {
            state.refused.remove(key);
            state.acked.insert(key.clone(), version);
        });
    }

    /// Notes that an edge refused a state.
    pub fn refused(&self, id: &EdgeId, key: &ChannelKey, version: SnapshotVersion, reason: String) {
        self.answers.with_label_values(&["nack"]).inc();
        self.note(id, key, |state| {
            state.refused.insert(key.clone(), (version, reason));
        });
    }

    fn note(&self, id: &EdgeId, key: &ChannelKey, change: impl FnOnce(&mut EdgeState)) {
        if let Some(state) = self.edges.lock().get_mut(id) {
            change(state);
        }
        self.unwritten.lock().insert((id.clone(), key.clone()));
        self.spoken.notify_one();
    }

    /// Waits until there is something to write down.
    pub async fn spoken(&self) {
        while self.unwritten.lock().is_empty() {
            self.spoken.notified().await;
        }
    }

    /// Takes words to write down, as they are now. Edges that have left say theirs again when they come back.
    #[must_use]
    pub fn take_words(&self, max: usize) -> Vec<Word> {
        let mut unwritten = self.unwritten.lock();
        let rest = unwritten.iter().nth(max).cloned().map(|first| unwritten.split_off(&first)).unwrap_or_default();
        let taken = std::mem::replace(&mut *unwritten, rest);
        drop(unwritten);
        let edges = self.edges.lock();
        let word = |(edge, key): (EdgeId, ChannelKey)| {
            let state = edges.get(&edge)?;
            let (acked, ready) = (state.acked.get(&key).copied(), state.ready.get(&key).copied());
            let refused = state.refused.get(&key).cloned();
            Some(Word { edge, key, acked, ready, refused })
        };
        taken.into_iter().filter_map(word).collect()
    }

    /// Takes words back that could not be written down.
    pub fn put_back(&self, words: Vec<Word>) {
        self.unwritten.lock().extend(words.into_iter().map(|word| (word.edge, word.key)));
    }

    /// Counts a message.
    pub fn sent(&self, kind: &'static str) {
        self.sent.with_label_values(&[kind]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::AppId;

    #[test]
    fn words_are_taken_in_portions_and_only_as_they_are_now() {
        let fleet = Fleet::new(&Metrics::new());
        let id = EdgeId::from_parts(Timestamp::from_us(1), [1; 10]);
        let app = AppId::from_parts(Timestamp::from_us(1), [1; 10]);
        let key = |number: u8| ChannelKey { app: app.clone(), channel: format!("channel-{number}").parse().unwrap() };
        let version = |version| SnapshotVersion { epoch: 1, version };
        fleet.joined(&id, "1", Timestamp::from_us(1));
        fleet.refused(&id, &key(0), version(2), "too new".to_owned());
        (1..=9).for_each(|number| (0..5).for_each(|n| fleet.acked(&id, &key(number), version(n))));
        let first = fleet.take_words(4);
        assert_eq!((first.len(), &first[0].refused), (4, &Some((version(2), "too new".to_owned()))));
        assert_eq!(first[3].acked, Some(version(4)));
        fleet.put_back(first);
        assert_eq!((fleet.take_words(100).len(), fleet.take_words(100).len()), (10, 0));
        fleet.acked(&id, &key(1), version(9));
        fleet.left(&id);
        assert!(fleet.take_words(100).is_empty(), "who is gone says it again");
    }

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
