//! This file's job is to give every call an id that stands in its answer and in every log line about it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

/// Where callers may send an id, and where they find it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids are not taken over: they would fill the log.
const ID_MAX_BYTES: usize = 64;

fn given(request: &Request) -> Option<HeaderValue> {
    let value = request.headers().get(HEADER)?;
    let fits = (1..=ID_MAX_BYTES).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    fits.then(|| value.clone())
}

fn made() -> HeaderValue {
    let id = hex::encode(runtime::random::bytes::<8>());
    HeaderValue::from_str(&id).expect("hexadecimal digits are a valid header value")
}

/// The middleware: takes the caller's id when it is a sensible one, else makes one.
pub async fn identify(request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(made);
    let span = tracing::info_span!("call", id = id.to_str().unwrap_or_default(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(HEADER, id);
    response
}
