//! This file's job is to choose what answers a request on the device port.

use crate::blobs::handler as blobs;
use crate::body::Body;
use crate::check;
use crate::devices::register;
use crate::meters::Route;
use crate::refusal::Refusal;
use crate::state::State;
use crate::telemetry::intake;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

const UPDATES: &str = "/v1/updates";
const REGISTER: &str = "/v1/devices/register";
const EVENTS: &str = "/v1/events";
const BLOBS: &str = "/v1/blobs/";
const HEALTH: &str = "/healthz";
const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";

/// Answers a request. Paths match exactly.
pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Response<Body> {
    let route = route_of(request.uri().path());
    let result = match allowed(route, request.method()) {
        Err(refusal) => Err(refusal),
        Ok(()) => dispatch(state, route, request).await,
    };
    let response = result.unwrap_or_else(Refusal::into_response);
    state.meters.count(route, response.status());
    response
}

fn route_of(path: &str) -> Route {
    match path {
        UPDATES => Route::Updates,
        REGISTER => Route::Register,
        EVENTS => Route::Events,
        HEALTH => Route::Health,
        path if path.starts_with(BLOBS) => Route::Blob,
        _ => Route::Other,
    }
}

fn allowed(route: Route, method: &Method) -> Result<(), Refusal> {
    let allow = match route {
        Route::Updates | Route::Blob | Route::Health => READ,
        Route::Register | Route::Events => WRITE,
        Route::Other => return Ok(()),
    };
    let is_allowed =
        if allow == READ { matches!(*method, Method::GET | Method::HEAD) } else { *method == Method::POST };
    if is_allowed { Ok(()) } else { Err(Refusal::method(allow)) }
}

async fn dispatch(state: &State, route: Route, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    match route {
        Route::Updates => check::handle(state, &request).await,
        Route::Blob => blobs::handle(state, &request.uri().path()[BLOBS.len()..], &request).await,
        Route::Register => register::handle(state, request).await,
        Route::Events => intake::handle(state, request).await,
        Route::Health => {
            let mut response = Response::new(Body::Whole(Bytes::from_static(b"ok\n")));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok(response)
        }
        Route::Other => Err(Refusal::not_found("path-unknown", "there is nothing at this path")),
    }
}
