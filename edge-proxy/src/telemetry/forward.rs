//! This file's job is to hand spooled events to the control plane, each batch until it is taken.

use super::deliver::{Batches, Uplink, why};
use super::spool::{Outgoing, SYNC_EVERY, Spool};
use crate::durable::blocking;
use crate::meters::Meters;
use proto::v1;
use runtime::shutdown::Stop;
use std::io;
use std::sync::Arc;
use tonic::{Code, Status};

/// Sends what the spool holds.
pub(crate) struct Forwarder {
    pub(crate) spool: Arc<Spool>,
    pub(crate) meters: Arc<Meters>,
}

impl Batches for Forwarder {
    const WHAT: &str = "events";

    async fn send_one(&self, uplink: &Uplink) -> Result<bool, String> {
        let text = |error: io::Error| format!("the spool cannot be used: {error}");
        let spool = self.spool.clone();
        let Some(outgoing) = blocking(move || spool.next()).await.map_err(text)? else { return Ok(false) };
        let events = outgoing.batch.events.len();
        let is_taken = match push(&outgoing, uplink).await {
            Ok(()) => {
                self.meters.events.sent.inc_by(events as u64);
                true
            }
            Err(status) if is_final(status.code()) => {
                tracing::error!(%status, events, "the control plane refuses a batch for good: it is counted only");
                false
            }
            Err(status) => return Err(why(&status)),
        };
        let spool = self.spool.clone();
        let done = move || if is_taken { spool.sent(&outgoing) } else { spool.refused(&outgoing) };
        blocking(done).await.map_err(text)?;
        Ok(true)
    }

    async fn wait_for_more(&self) {
        self.spool.filled.notified().await;
    }
}

async fn push(outgoing: &Outgoing, uplink: &Uplink) -> Result<(), Status> {
    let Outgoing { segment, offset, .. } = *outgoing;
    let (edge_id, events) = (uplink.edge.to_string(), outgoing.batch.events.clone());
    let message = v1::PushTelemetryRequest { edge_id, segment, offset, events };
    uplink.call(message, async |client, request| client.push_telemetry(request).await).await
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
