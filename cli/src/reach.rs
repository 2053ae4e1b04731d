//! This file's job is to show, and to wait for, how far a release has come to the edges.

use crate::connection::Connection;
use crate::error::Error;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Result as FormatResult};
use std::time::{Duration, Instant};

/// Edges take a release within a second; what is said of them is a second old.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Edges that need longer have a problem that waiting does not mend.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// On which edges a release is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ReleaseReach")]
pub struct Reach {
    pub edges: u32,
    pub live: u32,
    pub ready: u32,
    pub refused: u32,
    pub away: u32,
    pub refusals: Vec<String>,
}

impl From<v1::ReleaseReach> for Reach {
    fn from(reach: v1::ReleaseReach) -> Self {
        let v1::ReleaseReach { edges, live, ready, refused, away, refusals } = reach;
        Self { edges, live, ready, refused, away, refusals }
    }
}

impl Reach {
    /// Says whether edges are still on their way to it.
    const fn is_settled(&self) -> bool {
        self.live + self.refused + self.away >= self.edges
    }
}

impl Display for Reach {
    fn fmt(&self, f: &mut Formatter<'_>) -> FormatResult {
        if self.edges == 0 {
            return writeln!(f, "No edge serves the channel yet: the first device that asks brings it there.");
        }
        write!(f, "Live on {} of {} edges, {} ready", self.live, self.edges, self.ready)?;
        for (count, what) in [(self.refused, "refused it"), (self.away, "not heard of for minutes")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        writeln!(f, ".")?;
        self.refusals.iter().try_for_each(|why| writeln!(f, "  refused: {why}"))
    }
}

/// Reads a release; when asked to wait, until no edge is on its way to it any more, or for [`PATIENCE`].
pub async fn get(connection: &Connection, name: String, wait: bool) -> Result<v1::GetReleaseResponse, Error> {
    let began = Instant::now();
    loop {
        let request = v1::GetReleaseRequest { name: name.clone() };
        let answer = connection.answer(connection.releases().get_release(request).await)?;
        let is_settled = answer.reach.clone().is_none_or(|reach| Reach::from(reach).is_settled());
        if !wait || is_settled || began.elapsed() >= PATIENCE {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(live: u32, refused: u32, away: u32) -> Reach {
        Reach {
            edges: 3,
            live,
            ready: 2,
            refused,
            away,
            refusals: vec!["the disk is full".to_owned(); refused as usize],
        }
    }

    #[test]
    fn it_says_what_is_missing() {
        assert_eq!(reach(3, 0, 0).to_string(), "Live on 3 of 3 edges, 2 ready.\n");
        assert_eq!(
            reach(1, 1, 1).to_string(),
            "Live on 1 of 3 edges, 2 ready, 1 refused it, 1 not heard of for minutes.\n  refused: the disk is full\n"
        );
    }

    #[test]
    fn only_edges_on_their_way_are_waited_for() {
        assert!(reach(3, 0, 0).is_settled() && reach(1, 1, 1).is_settled());
        assert!(!reach(2, 0, 0).is_settled() && !reach(0, 1, 1).is_settled());
    }
}
