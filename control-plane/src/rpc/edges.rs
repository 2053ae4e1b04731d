//! This file's job is to serve edges.

use crate::app::{blobs, tallies, telemetry};
use crate::auth::caller::edge_caller;
use crate::context::Context;
use crate::edge::stream::{self, Parts};
use proto::v1;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The edge service.
#[derive(Clone)]
pub struct Edges {
    /// What use cases need.
    pub context: Context,
    /// What streams need.
    pub parts: Parts,
}

#[tonic::async_trait]
impl v1::edge_service_server::EdgeService for Edges {
    type SyncStream = ReceiverStream<Result<v1::SyncResponse, Status>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        edge_caller(&request)?;
        Ok(Response::new(stream::start(self.context.clone(), self.parts.clone(), request.into_inner())))
    }

    async fn push_telemetry(
        &self,
        request: Request<v1::PushTelemetryRequest>,
    ) -> Result<Response<v1::PushTelemetryResponse>, Status> {
        edge_caller(&request)?;
        Ok(Response::new(telemetry::store(&self.context, request.into_inner()).await?))
    }

    async fn push_tallies(
        &self,
        request: Request<v1::PushTalliesRequest>,
    ) -> Result<Response<v1::PushTalliesResponse>, Status> {
        edge_caller(&request)?;
        Ok(Response::new(tallies::add(&self.context, request.into_inner()).await?))
    }

    async fn read_blob(&self, request: Request<v1::ReadBlobRequest>) -> Result<Response<v1::ReadBlobResponse>, Status> {
        edge_caller(&request)?;
        let content = blobs::read(&self.context.store, &request.into_inner()).await?;
        Ok(Response::new(v1::ReadBlobResponse { content }))
    }
}
