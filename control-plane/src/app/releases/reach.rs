//! This file's job is to say on which edges a release is live.

use crate::error::Result;
use db::edge_channels::Standing;
use db::releases::Release;
use db::{DbConn, Scope};
use domain::Timestamp;
use domain::snapshot::SnapshotVersion;
use std::collections::BTreeSet;
use std::time::Duration;

/// An edge that was away for longer is not waited for. Until then it may come back at any time and serve what it knows.
const COUNTED: Duration = Duration::from_secs(24 * 60 * 60);
/// An edge's visit is written down every minute.
const AWAY_AFTER: Duration = Duration::from_secs(150);
/// Reasons that are told; more do not help anybody.
const REFUSALS_MAX: usize = 10;

/// How far a release has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Edges that serve the channel.
    pub edges: usize,
    /// Those that use a state which shows the release.
    pub live: usize,
    /// Those that have all its bytes on their disk.
    pub ready: usize,
    /// Those that refused one.
    pub refused: usize,
    /// Those that are neither, and were not heard of for minutes.
    pub away: usize,
    /// Why states were refused.
    pub refusals: BTreeSet<String>,
}

/// Says how far a release has come, as it is now. Edges serve all organizations; what is told of them is only about this channel.
///
/// # Errors
/// Those of the database.
pub fn reach(conn: &mut DbConn, scope: &Scope, release: &Release, now: Timestamp) -> Result<Reach> {
    let shown_since = db::releases::shown_since(conn, scope, &release.id)?;
    let edges = db::edge_channels::list(conn, &release.channel, now.minus(COUNTED))?;
    Ok(count(edges, shown_since, now.minus(AWAY_AFTER)))
}

fn count(edges: Vec<Standing>, shown_since: SnapshotVersion, away_before: Timestamp) -> Reach {
    let mut reach = Reach { edges: edges.len(), ..Reach::default() };
    for edge in edges {
        reach.ready += usize::from(edge.ready >= shown_since);
        if edge.acked >= shown_since {
            reach.live += 1;
        } else if edge.refused >= shown_since {
            reach.refused += 1;
            if reach.refusals.len() < REFUSALS_MAX {
                reach.refusals.insert(edge.refused_reason);
            }
        } else if edge.last_seen_at < away_before {
            reach.away += 1;
        }
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::EdgeId;

    fn version(epoch: u64, version: u64) -> SnapshotVersion {
        SnapshotVersion { epoch, version }
    }

    fn edge(acked: SnapshotVersion, refused: SnapshotVersion, seen_us: i64) -> Standing {
        let last_seen_at = Timestamp::from_us(seen_us);
        Standing {
            edge: EdgeId::from_parts(last_seen_at, [1; 10]),
            last_seen_at,
            acked,
            ready: acked,
            refused,
            refused_reason: "there is no key".to_owned(),
        }
    }

    #[test]
    fn every_edge_counts_once() {
        let never = version(0, 0);
        let edges = vec![
            edge(version(2, 7), never, 1),
            Standing { ready: version(2, 6), ..edge(version(2, 8), version(2, 9), 9) },
            edge(version(2, 6), version(2, 7), 9),
            edge(version(2, 6), version(2, 5), 9),
            edge(version(1, 99), never, 1),
        ];
        let reach = count(edges, version(2, 7), Timestamp::from_us(5));
        assert_eq!((reach.edges, reach.live, reach.ready, reach.refused, reach.away), (5, 2, 1, 1, 1));
        assert_eq!(reach.refusals.into_iter().collect::<Vec<_>>(), ["there is no key"]);
    }
}
