//! This file's job is to bring what was counted into the ledger, and from there to the control plane.

use super::counts::Counts;
use super::forward::{BACKOFF_FIRST, BACKOFF_MAX, PUSH_TIMEOUT};
use super::ledger::{Ledger, NumberedBatch};
use crate::durable::blocking;
use crate::meters::Meters;
use domain::id::EdgeId;
use proto::v1;
use runtime::backoff::Backoff;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use v1::edge_service_client::EdgeServiceClient;

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
    pub(crate) control_plane: Channel,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) edge: EdgeId,
    pub(crate) meters: Arc<Meters>,
    pub(crate) health: Component,
    pub(crate) stop: Stop,
}

impl Courier {
    /// Runs until it is time to stop.
    pub(crate) async fn run(self) {
        let _ = self.stop.run_until(self.deliver()).await;
    }

    async fn deliver(&self) {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
        self.health.set(State::Ready, "nothing waits");
        loop {
            match self.step().await {
                Ok(is_more) => {
                    backoff.reset();
                    self.health.set(State::Ready, "the control plane takes numbers");
                    if !is_more {
                        tokio::time::sleep(WRITE_EVERY).await;
                    }
                }
                Err(why) => {
                    self.health.set(State::Degraded, &why);
                    tracing::warn!(why, "numbers wait");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// Sends one batch; false when there is none.
    async fn step(&self) -> Result<bool, String> {
        let ledger = self.ledger.clone();
        let claimed = blocking(move || ledger.claim()).await;
        let claimed = claimed.map_err(|error| format!("the ledger cannot be used: {error}"))?;
        let Some(batch) = claimed else { return Ok(false) };
        let (sequence, rows) = (batch.sequence, batch.tallies.len());
        // A refusal can only be a mistake in the program. The numbers wait for one that has been mended: the ledger is bounded.
        self.push(batch).await.map_err(|status| format!("{}: {}", status.code(), status.message()))?;
        self.meters.events.tallies_sent.inc_by(rows as u64);
        self.ledger.sent(sequence);
        Ok(true)
    }

    async fn push(&self, batch: NumberedBatch) -> Result<(), Status> {
        let NumberedBatch { ledger, sequence, tallies, other_times } = batch;
        let edge_id = self.edge.to_string();
        let mut request =
            tonic::Request::new(v1::PushTalliesRequest { edge_id, ledger, sequence, tallies, other_times });
        request.set_timeout(PUSH_TIMEOUT);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        let mut client = EdgeServiceClient::new(self.control_plane.clone());
        let pushed = tokio::time::timeout(PUSH_TIMEOUT, client.push_tallies(request)).await;
        pushed.map_err(|_| Status::deadline_exceeded("the control plane did not answer in time"))?.map(|_| ())
    }
}
