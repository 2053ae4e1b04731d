//! This file's job is to answer operators: is the edge alive, can it serve, what does it count.

use crate::body::Body;
use crate::refusal::Refusal;
use crate::state::State;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::shutdown::Stop;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Operators and scrapers are few.
const CONNECTIONS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the largest answer takes to whoever reads it.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// When accepting fails (no more file descriptors), trying again at once does not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The admin port.
pub(crate) struct Admin {
    pub(crate) state: Arc<State>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}

impl Admin {
    /// Serves until it is time to stop.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener, stop: Stop) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Some(accepted) = stop.run_until(listener.accept()).await {
            let (Ok((stream, _)), Ok(permit)) = (accepted, connections.clone().try_acquire_owned()) else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (admin, stop) = (self.clone(), stop.clone());
            tokio::spawn(async move {
                let _ = tokio::time::timeout(CONNECTION_TIMEOUT, admin.connection(stream, stop)).await;
                drop(permit);
            });
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, stop: Stop) {
        let service = service_fn(move |request| {
            let admin = self.clone();
            async move { Ok::<_, Infallible>(admin.answer(&request)) }
        });
        // One request each: a connection that is kept would have to end at some time, perhaps in the middle of a request.
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let _ = stop.run_until(connection).await;
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Refusal::method("GET, HEAD").into_response();
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "text/plain", "ok\n".to_owned()),
            "/readyz" => self.ready(),
            "/metrics" => text(StatusCode::OK, "text/plain; version=0.0.4", self.metrics.render()),
            "/statusz" => text(StatusCode::OK, "application/json", self.status().to_string()),
            _ => Refusal::not_found("path-unknown", "there is nothing at this path").into_response(),
        }
    }

    /// An edge can serve when it has snapshots, whatever is dead behind it. A new one can serve once it has caught up with nothing.
    fn ready(&self) -> Response<Body> {
        if self.state.channels.len() > 0 || self.state.interests.is_fresh() {
            text(StatusCode::OK, "text/plain", "ready\n".to_owned())
        } else {
            let why = "no snapshots on disk, and the control plane has not answered yet\n";
            text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", why.to_owned())
        }
    }

    fn status(&self) -> serde_json::Value {
        let channel = |channel: &Arc<crate::snapshot::Channel>| {
            let snapshot = &channel.snapshot;
            serde_json::json!({
                "app_id": snapshot.key.app, "channel": snapshot.key.channel.as_str(), "digest": channel.digest,
                "epoch": snapshot.version.epoch, "version": snapshot.version.version,
                "releases": snapshot.releases.len(), "blocked": snapshot.blocked,
            })
        };
        let part = |entry: runtime::health::Entry| {
            serde_json::json!({
                "name": entry.name, "state": entry.state.as_str(), "why": entry.why, "since_us": entry.since,
            })
        };
        let (blobs, blob_bytes) = self.state.blobs.totals();
        serde_json::json!({
            "software_version": env!("CARGO_PKG_VERSION"),
            "fresh": self.state.interests.is_fresh(),
            "parts": self.health.report().into_iter().map(part).collect::<Vec<_>>(),
            "channels": self.state.channels.all().iter().map(channel).collect::<Vec<_>>(),
            "blobs": {"count": blobs, "size_bytes": blob_bytes},
            "spool": {"size_bytes": self.state.spool.size_bytes()},
        })
    }
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
