//! This file's job is to count what the devices of a channel are told when they ask for an update.

use crate::telemetry::counts::{Count, Counts};
use domain::decide::Decision;
use domain::release::Release;
use domain::snapshot::ChannelSnapshot;
use domain::tally::{CheckResult, Measure, TallyKey};
use std::sync::{Arc, OnceLock};

/// What a device is told, in any protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// To take the release at this place in the snapshot.
    Take(usize),
    /// To go back to what came with the binary.
    GoBack,
    /// Nothing new.
    Nothing,
}

impl From<Decision> for Word {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Update { release, .. } => Self::Take(release),
            Decision::Embedded { .. } => Self::GoBack,
            Decision::Nothing(_) => Self::Nothing,
        }
    }
}

impl Word {
    /// To take this release of the channel.
    pub(crate) fn take(snapshot: &ChannelSnapshot, release: &Release) -> Self {
        snapshot.releases.iter().position(|known| known.seq == release.seq).map_or(Self::Nothing, Self::Take)
    }
}

/// The counts of one state of a channel, each made when it is needed first: most channels are seldom asked for.
#[derive(Default)]
pub(crate) struct Told {
    embedded: OnceLock<Arc<Count>>,
    nothing: OnceLock<Arc<Count>>,
    /// By their place in the snapshot.
    releases: OnceLock<Box<[OnceLock<Arc<Count>>]>>,
}

impl Told {
    /// Counts an answer. No lock is taken, except the first time. Callers that come often name different lanes.
    pub(crate) fn count(&self, counts: &Counts, snapshot: &ChannelSnapshot, word: Word, lane: u32) {
        let (result, cell, release) = match word {
            Word::Take(place) => {
                let cells = || snapshot.releases.iter().map(|_| OnceLock::new()).collect();
                let Some(cell) = self.releases.get_or_init(cells).get(place) else { return };
                (CheckResult::Offered, cell, snapshot.releases.get(place))
            }
            Word::GoBack => (CheckResult::Embedded, &self.embedded, None),
            Word::Nothing => (CheckResult::Nothing, &self.nothing, None),
        };
        cell.get_or_init(|| counts.of(key(snapshot, result, release))).once(lane);
    }
}

fn key(snapshot: &ChannelSnapshot, result: CheckResult, release: Option<&Release>) -> TallyKey {
    TallyKey {
        app: snapshot.key.app.clone(),
        channel: Some(snapshot.key.channel.clone()),
        release: release.map(|release| release.id.clone()),
        bundle: None,
        measure: Measure::Check(result),
    }
}
