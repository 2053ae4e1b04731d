//! This file's job is to hand one batch after another to the control plane, each until it is taken.

use domain::id::EdgeId;
use proto::v1::edge_service_client::EdgeServiceClient;
use runtime::backoff::Backoff;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Longer than any batch takes on a working database.
const PUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// Telemetry is not urgent; a control plane that comes back must not be met by a herd of edges.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What waits for the control plane.
pub(super) trait Batches {
    /// What they hold, in a word for the log.
    const WHAT: &str;

    /// Sends one batch; false when there is none. An error says why it waits.
    async fn send_one(&self, uplink: &Uplink) -> Result<bool, String>;

    /// Waits until there may be another.
    async fn wait_for_more(&self);
}

/// The way to the control plane.
#[derive(Clone)]
pub(crate) struct Uplink {
    pub(crate) control_plane: Channel,
    pub(crate) authorization: MetadataValue<Ascii>,
    pub(crate) edge: EdgeId,
}

impl Uplink {
    /// Makes a call that ends in time.
    pub(super) async fn call<T, R>(
        &self,
        message: T,
        call: impl AsyncFnOnce(&mut EdgeServiceClient<Channel>, Request<T>) -> Result<Response<R>, Status>,
    ) -> Result<(), Status> {
        let mut request = Request::new(message);
        request.set_timeout(PUSH_TIMEOUT);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        let mut client = EdgeServiceClient::new(self.control_plane.clone());
        let answered = tokio::time::timeout(PUSH_TIMEOUT, call(&mut client, request)).await;
        answered.map_err(|_| Status::deadline_exceeded("the control plane did not answer in time"))?.map(|_| ())
    }
}

/// Says why a batch waits.
pub(super) fn why(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}

/// Sends until it is time to stop.
pub(super) async fn deliver(batches: impl Batches, uplink: Uplink, health: Component, stop: Stop) {
    let _ = stop.run_until(deliver_all(batches, uplink, health)).await;
}

async fn deliver_all<B: Batches>(batches: B, uplink: Uplink, health: Component) {
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
    loop {
        match batches.send_one(&uplink).await {
            Ok(true) => {
                backoff.reset();
                health.set(State::Ready, "the control plane takes what there is");
            }
            Ok(false) => {
                health.set(State::Ready, "nothing waits");
                batches.wait_for_more().await;
            }
            Err(why) => {
                health.set(State::Degraded, &why);
                tracing::warn!(why, what = B::WHAT, "telemetry waits");
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}
