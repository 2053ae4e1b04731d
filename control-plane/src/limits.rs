//! This file's job is to bound how many calls run at once and how long each may take.

use crate::error::Error;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use prost_reflect::DescriptorPool;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::Status;

/// What the caller is ready to wait; the gRPC protocol's header.
const TIMEOUT_HEADER: &str = "grpc-timeout";

/// The bounds of one server.
pub struct Limits {
    slots: Semaphore,
    timeout: Duration,
    /// Calls that last as long as the caller sends; they have bounds of their own.
    client_streams: HashSet<String>,
}

impl Limits {
    /// Makes the bounds; the descriptor set says which calls are streams.
    ///
    /// # Errors
    /// When the descriptor set cannot be read.
    pub fn new(calls_max: usize, timeout: Duration, descriptors: &[u8]) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(descriptors)
            .map_err(|cause| Error::Broken { what: "the descriptor set cannot be read", cause: cause.into() })?;
        let client_streams = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter(prost_reflect::MethodDescriptor::is_client_streaming)
            .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
            .collect();
        Ok(Self { slots: Semaphore::new(calls_max), timeout, client_streams })
    }

    fn timeout(&self, headers: &HeaderMap) -> Duration {
        let wanted = headers.get(TIMEOUT_HEADER).and_then(|value| parse_timeout(value.to_str().ok()?));
        wanted.map_or(self.timeout, |wanted| wanted.min(self.timeout))
    }
}

/// Reads gRPC's form of a duration: up to eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The middleware: refuses what is too much, and ends what takes too long. A transaction that was begun still ends, and may commit.
pub async fn limit(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    if limits.client_streams.contains(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_slot) = limits.slots.try_acquire() else {
        return Status::from(Error::unavailable("the server has too much to do")).into_http();
    };
    let timeout = limits.timeout(request.headers());
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) if timeout < limits.timeout => Status::deadline_exceeded("the call took too long").into_http(),
        // Something behind us hangs, a database for instance: another try may find it well.
        Err(_) => Status::from(Error::unavailable("the server took too long for this call")).into_http(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("1H"), Some(Duration::from_secs(3_600)));
        for bad in ["", "m", "1", "123456789S", "-1S", "1x", "1é"] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_streams_are_those_of_the_contract() {
        let limits = Limits::new(1, Duration::from_secs(1), proto::FILE_DESCRIPTOR_SET).expect("our own contract");
        let mut streams: Vec<_> = limits.client_streams.iter().map(String::as_str).collect();
        streams.sort_unstable();
        assert_eq!(streams, ["/aloft.v1.EdgeService/Sync", "/aloft.v1.UploadService/UploadChunks"]);
    }
}
