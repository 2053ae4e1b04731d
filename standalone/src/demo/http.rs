//! This file's job is the part of HTTP that a device needs.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RANGE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Larger than the answer about a bundle with 5,000 files.
const ANSWER_MAX_BYTES: usize = 8 << 20;
/// A phone gives up on a server that does not begin to answer in this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Less than an edge keeps idle connections for, so that no request is sent into one that is closing.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Why a request got no usable answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The connection broke, or there was none.
    #[error("{0}")]
    Connection(String),
    /// The server did not answer in time.
    #[error("no answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    /// The server refused.
    #[error("{status}: {text}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        text: String,
    },
}

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    /// The body.
    pub body: Bytes,
    /// How long it took from the first byte sent to the last byte received.
    pub took: Duration,
}

/// Talks to one server, keeping connections open.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Http {
    /// Prepares to talk to a server, for instance `http://127.0.0.1:8071`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_MAX).build(connector),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// Gets a small document.
    ///
    /// # Errors
    /// When there is no answer or it is no 2xx.
    pub async fn get(&self, path: &str, token: &str) -> Result<Answer, HttpError> {
        self.exchange(Method::GET, path, Some(token), Bytes::new()).await
    }

    /// Posts a JSON document.
    ///
    /// # Errors
    /// When there is no answer or it is no 2xx.
    pub async fn post(&self, path: &str, token: Option<&str>, json: &serde_json::Value) -> Result<Answer, HttpError> {
        self.exchange(Method::POST, path, token, Bytes::from(json.to_string())).await
    }

    /// Begins to get bytes from an offset on. The answer is a 200 for all bytes or a 206 for the wanted ones.
    ///
    /// # Errors
    /// When there is no answer or it is no 2xx.
    pub async fn stream(&self, path: &str, offset: u64) -> Result<Response<Incoming>, HttpError> {
        let mut request = self.request(Method::GET, path);
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        self.send(request, Bytes::new()).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, HttpError> {
        let begun = Instant::now();
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = read(self.send(request, body).await?).await?;
        Ok(Answer { body, took: begun.elapsed() })
    }

    async fn send(&self, request: http::request::Builder, body: Bytes) -> Result<Response<Incoming>, HttpError> {
        let request = request.body(Full::new(body)).map_err(|error| HttpError::Connection(error.to_string()))?;
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.client.request(request)).await;
        let response = answered.map_err(|_| HttpError::Timeout)?.map_err(connection)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = read(response).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
        Err(HttpError::Status { status, text })
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, HttpError> {
    let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect();
    let collected = tokio::time::timeout(ANSWER_TIMEOUT, body).await.map_err(|_| HttpError::Timeout)?;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| HttpError::Connection(error.to_string()))
}

fn connection(error: hyper_util::client::legacy::Error) -> HttpError {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    HttpError::Connection(cause.unwrap_or_else(|| error.to_string()))
}
