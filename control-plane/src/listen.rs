//! This file's job is to accept connections, and to end them in time when the server stops.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::peer::Told;
use axum::Router;
use http::HeaderName;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use runtime::shutdown::Stop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Dead peers are noticed within half a minute.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A request's head takes milliseconds; who takes longer holds a connection for nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What is still open this long after the stop is cut off, so that a stop takes less than five seconds.
const GRACE: Duration = Duration::from_secs(4);
/// Connections at the same time: edges, workers, browsers and command lines; each costs some 50 kB.
const CONNECTIONS_MAX: usize = 10_000;
/// Calls at the same time on one connection.
const STREAMS_MAX: u32 = 256;
/// Credentials and standard headers fit many times.
const HEADERS_MAX_BYTES: u32 = 32 * 1024;
/// Lets one upload fill a fast line across an ocean.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// How long to wait when the system gives no connection, for instance for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has its address but does not answer yet.
pub struct Bound {
    listener: TcpListener,
    router: Router,
    stop: Stop,
    header: Option<HeaderName>,
}

impl Bound {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn new(config: &Config, router: Router, stop: Stop) -> Result<Self> {
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.map_err(|cause| Error::Broken { what: "cannot listen", cause: cause.into() })?;
        let header = config.client_address_header.parse().ok();
        Ok(Self { listener, router, stop, header })
    }

    /// Returns the address with its real port.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener
            .local_addr()
            .map_err(|cause| Error::Broken { what: "cannot tell the address", cause: cause.into() })
    }

    /// Serves until the stop, then ends within five seconds.
    pub async fn run(self) {
        let server = Arc::new(server());
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        while let Some(Ok(slot)) = self.stop.run_until(Arc::clone(&slots).acquire_owned()).await {
            let (stream, peer) = match self.stop.run_until(self.listener.accept()).await {
                None => break,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (server, stop) = (Arc::clone(&server), self.stop.clone());
            let told = Told { router: self.router.clone(), peer: peer.ip(), header: self.header.clone() };
            connections.spawn(async move {
                serve(&server, stream, told, &stop).await;
                drop(slot);
            });
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

fn server() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder
}

/// Serves one connection. After the stop no new call begins, and running ones have the grace period.
async fn serve(server: &Builder<TokioExecutor>, stream: TcpStream, router: Told, stop: &Stop) {
    // Small messages must not wait for each other; without this a heartbeat may be 40 ms late, and no more.
    let _ = stream.set_nodelay(true);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = stop.stopped() => connection.as_mut().graceful_shutdown(),
    }
    if let Ok(ended) = tokio::time::timeout(GRACE, connection).await {
        note(ended);
    }
}

/// Peers that vanish are everyday life.
fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
