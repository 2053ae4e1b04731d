//! This file's job is to serve watchers.

use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::Error;
use crate::watch::hub::Hub;
use crate::watch::stream::{self, Watch};
use crate::watch::topics;
use proto::v1;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Streams of one replica; each holds some kilobytes.
const WATCHERS_MAX: usize = 10_000;

/// The watch service.
#[derive(Clone)]
pub struct Watches {
    context: Context,
    hub: Arc<Hub>,
    places: Arc<Semaphore>,
}

impl Watches {
    /// Makes the service over a hub that somebody keeps up to date.
    pub fn new(context: Context, hub: Arc<Hub>) -> Self {
        Self { context, hub, places: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

#[tonic::async_trait]
impl v1::watch_service_server::WatchService for Watches {
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = topics::parse(&request.topics)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Error::unavailable("the server has too many watchers"))?;
        let watch = Watch { caller, named, after_seq: request.after_seq, place };
        Ok(Response::new(stream::start(self.context.clone(), Arc::clone(&self.hub), watch).await?))
    }
}
