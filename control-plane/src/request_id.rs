//! This file's job is to give every call an id that stands in its answer and in every log line about it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use runtime::request_id::{self, REQUEST_ID_HEADER};
use runtime::traceparent::{self, TRACEPARENT_HEADER};
use tracing::{Instrument as _, Span};

/// Where callers may send an id, and where they find it.
pub const HEADER: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

/// The middleware: takes the caller's id when it is a sensible one, else makes one. A trace that the call belongs to stands beside it.
pub async fn identify(request: Request, next: Next) -> Response {
    let (id, span) = begin(request.headers(), request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

/// Returns the call's id, and what stands in every log line about it.
fn begin(headers: &HeaderMap, path: &str) -> (String, Span) {
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let id = header(REQUEST_ID_HEADER).and_then(request_id::given).map_or_else(request_id::make, str::to_owned);
    let trace_id = header(TRACEPARENT_HEADER).and_then(traceparent::trace_id);
    let span = tracing::info_span!("call", request_id = id, trace_id, path);
    (id, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::sync::Arc;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_line_within_a_call_names_the_call_and_its_trace() {
        let (written, writer) = std::io::pipe().unwrap();
        let mut lines = BufReader::new(written).lines();
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(writer)).with_ansi(false).finish();
        let mut line = |headers: &HeaderMap| {
            let (id, span) = begin(headers, "/there");
            span.in_scope(|| tracing::info!("here"));
            (id, lines.next().unwrap().unwrap())
        };
        tracing::subscriber::with_default(subscriber, || {
            let traced = format!("00-{TRACE}-00f067aa0ba902b7-01");
            let headers = [(REQUEST_ID_HEADER, "mine-1"), (TRACEPARENT_HEADER, &traced)];
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let (id, text) = line(&HeaderMap::from_iter(headers));
            assert!(
                id == "mine-1" && text.contains("mine-1") && text.contains(TRACE) && text.contains("/there"),
                "{text}"
            );
            let (id, text) = line(&HeaderMap::new());
            assert!(id.len() == 16 && text.contains(&id) && !text.contains("trace_id"), "{text}");
        });
    }
}
