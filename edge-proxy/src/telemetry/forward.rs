//! This file's job is to hand spooled events to the control plane, each batch until it is taken.

use super::spool::{Outgoing, SYNC_EVERY, Spool};
use crate::durable::blocking;
use crate::meters::Meters;
use domain::id::EdgeId;
use proto::v1;
use runtime::backoff::Backoff;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Status};
use v1::edge_service_client::EdgeServiceClient;

/// Longer than any batch takes on a working database.
pub(super) const PUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// Events are not urgent; a control plane that comes back must not be met by a herd of edges.
pub(super) const BACKOFF_FIRST: Duration = Duration::from_secs(1);
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Sends what the spool holds.
pub(crate) struct Forwarder {
    pub(crate) spool: Arc<Spool>,
    pub(crate) control_plane: Channel,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) edge: EdgeId,
    pub(crate) meters: Arc<Meters>,
    pub(crate) health: Component,
    pub(crate) stop: Stop,
}

impl Forwarder {
    /// Runs until it is time to stop.
    pub(crate) async fn run(self) {
        let _ = self.stop.run_until(self.forward()).await;
    }

    async fn forward(&self) {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
        self.health.set(State::Ready, "nothing waits");
        loop {
            match self.step().await {
                Ok(true) => {
                    backoff.reset();
                    self.health.set(State::Ready, "the control plane takes events");
                }
                Ok(false) => self.spool.filled.notified().await,
                Err(why) => {
                    self.health.set(State::Degraded, &why);
                    tracing::warn!(why, "events wait");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// Sends one batch; false when there is none.
    async fn step(&self) -> Result<bool, String> {
        let text = |error: io::Error| format!("the spool cannot be used: {error}");
        let spool = self.spool.clone();
        let Some(outgoing) = blocking(move || spool.next()).await.map_err(text)? else { return Ok(false) };
        let events = outgoing.batch.events.len();
        let is_taken = match self.push(&outgoing).await {
            Ok(()) => {
                self.meters.events.sent.inc_by(events as u64);
                true
            }
            Err(status) if is_final(status.code()) => {
                tracing::error!(%status, events, "the control plane refuses a batch for good: it is counted only");
                false
            }
            Err(status) => return Err(format!("{}: {}", status.code(), status.message())),
        };
        let spool = self.spool.clone();
        let done = move || if is_taken { spool.sent(&outgoing) } else { spool.refused(&outgoing) };
        blocking(done).await.map_err(text)?;
        Ok(true)
    }

    async fn push(&self, outgoing: &Outgoing) -> Result<(), Status> {
        let mut request = tonic::Request::new(v1::PushTelemetryRequest {
            edge_id: self.edge.to_string(),
            segment: outgoing.segment,
            offset: outgoing.offset,
            events: outgoing.batch.events.clone(),
        });
        request.set_timeout(PUSH_TIMEOUT);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        let mut client = EdgeServiceClient::new(self.control_plane.clone());
        let pushed = tokio::time::timeout(PUSH_TIMEOUT, client.push_telemetry(request)).await;
        pushed.map_err(|_| Status::deadline_exceeded("the control plane did not answer in time"))?.map(|_| ())
    }
}

/// Says whether sending the same batch again can never help.
fn is_final(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::OutOfRange)
}

/// Makes events survive a power cut, once in a while, until it is time to stop; then once more.
pub(crate) async fn sync_spool(spool: Arc<Spool>, stop: Stop) {
    loop {
        let stopped = stop.run_until(tokio::time::sleep(SYNC_EVERY)).await.is_none();
        let synced = spool.clone();
        if let Err(error) = blocking(move || synced.sync()).await {
            tracing::error!(%error, "cannot sync events to disk");
        }
        if stopped {
            return;
        }
    }
}
