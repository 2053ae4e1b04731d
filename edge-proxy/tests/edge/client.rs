//! This file's job is to talk to an edge as a device does.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;

#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    http: Legacy<HttpConnector, Full<Bytes>>,
}

/// An answer, read to its end. `body` is an error when the connection broke before.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Result<Bytes, String>,
    pub trailers: HeaderMap,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body.as_ref().unwrap()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, http: Legacy::builder(TokioExecutor::new()).build_http() }
    }

    /// Speaks HTTP/2 from the start.
    pub fn http_2(address: SocketAddr) -> Self {
        Self { address, http: Legacy::builder(TokioExecutor::new()).http2_only(true).build_http() }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.http.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.map_err(|error| error.to_string());
        let trailers = collected.as_ref().ok().and_then(|body| body.trailers().cloned()).unwrap_or_default();
        let body = collected.map(http_body_util::Collected::to_bytes);
        Answer { status: parts.status, headers: parts.headers, body, trailers }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &serde_json::Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(Method::POST, path, &[("authorization", &bearer)], body.to_string()).await
    }
}
