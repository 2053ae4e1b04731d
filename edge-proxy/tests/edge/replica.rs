//! This file's job is to play a replica of the control plane, which notes what reaches it.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What it does with a request that is no question for its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers with the body it got, and with trailers that say that there is no such thing.
    Answers,
    /// Reads the request and breaks the stream off.
    Breaks,
    /// Answers, but says that it is not well.
    Ails,
}

pub struct Heard {
    pub path: String,
    pub host: String,
    pub headers: HeaderMap,
    pub body_bytes: usize,
}

pub struct Replica {
    pub address: SocketAddr,
    pub heard: Arc<Mutex<Vec<Heard>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Replica {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let notes = heard.clone();
        let task = tokio::spawn(async move {
            // Its connections end with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let notes = notes.clone();
                let service = service_fn(move |request| answer(manner, request, notes.clone()));
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                connections.spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, heard, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn count(&self) -> usize {
        self.heard.lock().len()
    }
}

async fn answer(
    manner: Manner,
    request: Request<Incoming>,
    notes: Arc<Mutex<Vec<Heard>>>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = std::convert::Infallible>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let status = if manner == Manner::Ails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let respond = |status, body: Bytes| {
        let trailers = HeaderMap::from_iter([
            ("grpc-status".parse().unwrap(), "5".parse().unwrap()),
            ("grpc-message".parse().unwrap(), "no such app".parse().unwrap()),
        ]);
        let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response
    };
    if head.uri.path() == "/healthz" {
        return Ok(respond(status, Bytes::new()));
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    notes.lock().push(Heard {
        path: head.uri.path().to_owned(),
        host: head.uri.authority().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers,
        body_bytes: body.len(),
    });
    if manner == Manner::Breaks {
        return Err(std::io::Error::other("broken off by the test"));
    }
    Ok(respond(StatusCode::OK, body))
}
