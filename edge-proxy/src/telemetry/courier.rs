//! This file's job is to bring what was counted into the ledger, and from there to the control plane.

use super::counts::Counts;
use super::deliver::{Batches, Uplink, why};
use super::ledger::{Ledger, NumberedBatch};
use crate::durable::blocking;
use crate::meters::Meters;
use proto::v1;
use runtime::shutdown::Stop;
use std::sync::Arc;
use std::time::Duration;

/// What the sudden end of the process can take from what is counted in memory. Events are not: they are on disk before they are answered.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// Writes down what is counted, once in a while, until it is time to stop. The last numbers are written when the ledger is closed.
pub(crate) async fn write_down(counts: Arc<Counts>, ledger: Arc<Ledger>, meters: Arc<Meters>, stop: Stop) {
    while stop.run_until(tokio::time::sleep(WRITE_EVERY)).await.is_some() {
        let counted = counts.take();
        meters.answers.count_told(&counted);
        let ledger = ledger.clone();
        if let Err(error) = blocking(move || ledger.add(counted)).await {
            tracing::error!(%error, "what was counted is not on disk yet");
        }
    }
}

/// Sends what the ledger has.
pub(crate) struct Courier {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meters: Arc<Meters>,
}

impl Batches for Courier {
    const WHAT: &str = "numbers";

    async fn send_one(&self, uplink: &Uplink) -> Result<bool, String> {
        let ledger = self.ledger.clone();
        let claimed = blocking(move || ledger.claim()).await;
        let claimed = claimed.map_err(|error| format!("the ledger cannot be used: {error}"))?;
        let Some(NumberedBatch { ledger, sequence, tallies, other_times }) = claimed else { return Ok(false) };
        let (edge_id, rows) = (uplink.edge.to_string(), tallies.len());
        let message = v1::PushTalliesRequest { edge_id, ledger, sequence, tallies, other_times };
        let pushed = uplink.call(message, async |client, request| client.push_tallies(request).await).await;
        // A refusal can only be a mistake in the program. The numbers wait for one that has been mended: the ledger is bounded.
        pushed.map_err(|status| why(&status))?;
        self.meters.events.tallies_sent.inc_by(rows as u64);
        self.ledger.sent(sequence);
        Ok(true)
    }

    async fn wait_for_more(&self) {
        tokio::time::sleep(WRITE_EVERY).await;
    }
}
