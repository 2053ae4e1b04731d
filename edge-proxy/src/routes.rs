//! This file's job is to choose what answers a request on the device port.

use crate::access::Entry;
use crate::allowance::{Left, Rate};
use crate::blobs::handler as blobs;
use crate::body::Body;
use crate::check;
use crate::devices::register;
use crate::meters::Route;
use crate::pace::Pace;
use crate::peer::Peer;
use crate::protocols::{codepush, expo};
use crate::refusal::{Quota, Refusal};
use crate::state::State;
use crate::telemetry::intake;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

const UPDATES: &str = "/v1/updates";
const REGISTER: &str = "/v1/devices/register";
const EVENTS: &str = "/v1/events";
pub(crate) const BLOBS: &str = "/v1/blobs/";
const HEALTH: &str = "/healthz";
const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";

/// An answer, at once or later. Small, because hyper moves it for every request.
pub(crate) enum Answering<'a> {
    /// Most answers come from memory.
    Now(Option<Response<Body>>),
    /// The answer needs a body, a disk or the control plane.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>),
}

impl Future for Answering<'_> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(response) => response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
            Self::Later(response) => response.as_mut().poll(cx).map(Ok),
        }
    }
}

/// Answers a request. Paths match exactly.
pub(crate) fn answer<'a>(state: &'a State, peer: &Peer, pace: &Arc<Pace>, request: Request<Incoming>) -> Answering<'a> {
    let route = route_of(request.uri().path());
    let is_due = peer.turn.is_due();
    let due = is_due.then(Instant::now);
    let admitted = admitted(state, peer, &request);
    let scarce = admitted.as_ref().ok().copied().flatten();
    let finish = move |result: Result<Response<Body>, Refusal>| {
        let mut response = result.unwrap_or_else(Refusal::into_response);
        if let Some(quota) = scarce {
            quota.tell(response.headers_mut());
        }
        state.meters.answers.count(route, response.status());
        response
    };
    let known = match admitted.and_then(|_| allowed(route, request.method())) {
        Err(refusal) => Some(Err(refusal)),
        Ok(()) => at_once(state, route, &request),
    };
    if let Some(result) = known {
        let mut response = finish(result);
        // What is answered well from memory has no name, unless a proxy gave it one or its turn has come.
        if is_due || response.status().as_u16() >= 400 || peer.request_id(request.headers()).is_some() {
            Entry::of(peer, &request, is_due, due).close(state, route, &mut response);
        }
        return Answering::Now(Some(response));
    }
    let from = peer.network(request.headers());
    let (busy, began) = (pace.busy(), due.unwrap_or_else(Instant::now));
    let entry = Entry::of(peer, &request, is_due, Some(began));
    Answering::Later(Box::pin(async move {
        let mut response = finish(later(state, route, request, from).await);
        state.meters.answers.waited(route, began.elapsed());
        entry.close(state, route, &mut response);
        response.body_mut().keep(busy);
        response
    }))
}

fn route_of(path: &str) -> Route {
    match path {
        UPDATES => Route::Updates,
        REGISTER => Route::Register,
        EVENTS => Route::Events,
        HEALTH => Route::Health,
        codepush::CHECK | codepush::CHECK_CAMEL => Route::PackageCheck,
        codepush::DOWNLOADED | codepush::DOWNLOADED_CAMEL | codepush::DEPLOYED | codepush::DEPLOYED_CAMEL => {
            Route::PackageReport
        }
        path if path.starts_with(BLOBS) => Route::Blob,
        path if path.starts_with(domain::expo::PATH) => Route::Expo,
        _ => Route::Other,
    }
}

/// Takes the request in, unless its network has asked for too much. Returns what its network may still ask for when that is little.
fn admitted(state: &State, peer: &Peer, request: &Request<Incoming>) -> Result<Option<Quota>, Refusal> {
    let rate = Rate(state.config.address_requests_per_s);
    let quota = |left, reset| Quota { name: "address", of: "address", rate, left, reset };
    match peer.take(rate, request.headers()) {
        Ok(Left::Ample) => Ok(None),
        Ok(Left::Scarce(left, reset)) => Ok(Some(quota(left, reset))),
        Err(wait) => Err(state.too_many(quota(0, wait))),
    }
}

fn allowed(route: Route, method: &Method) -> Result<(), Refusal> {
    let allow = match route {
        Route::Updates | Route::Blob | Route::PackageCheck | Route::Health | Route::Expo => READ,
        Route::Register | Route::Events | Route::PackageReport => WRITE,
        Route::Other => return Ok(()),
    };
    let is_allowed =
        if allow == READ { matches!(*method, Method::GET | Method::HEAD) } else { *method == Method::POST };
    if is_allowed { Ok(()) } else { Err(Refusal::method(allow)) }
}

/// Answers what needs nothing but memory.
fn at_once(state: &State, route: Route, request: &Request<Incoming>) -> Option<Result<Response<Body>, Refusal>> {
    match route {
        Route::Updates => check::handle(state, request),
        Route::PackageCheck => codepush::check::handle(state, request),
        Route::Health => {
            let mut response = Response::new(Body::Whole(Bytes::from_static(b"ok\n")));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Some(Ok(response))
        }
        Route::Expo => expo::handle(state, request),
        Route::Other => Some(Err(nothing_here())),
        Route::Register | Route::Events | Route::Blob | Route::PackageReport => None,
    }
}

async fn later(
    state: &State,
    route: Route,
    request: Request<Incoming>,
    from: IpAddr,
) -> Result<Response<Body>, Refusal> {
    match route {
        Route::Updates => check::handle_unknown(state, &request).await,
        Route::Blob => blobs::handle(state, &request.uri().path()[BLOBS.len()..], &request).await,
        Route::Register => register::handle(state, request, from).await,
        Route::Expo => expo::handle_later(state, &request).await,
        Route::Events => intake::handle(state, request).await,
        Route::PackageCheck => codepush::check::handle_unknown(state, &request).await,
        Route::PackageReport => codepush::report::handle(state, request).await,
        // These are always answered at once.
        Route::Health | Route::Other => Err(nothing_here()),
    }
}

const fn nothing_here() -> Refusal {
    Refusal::not_found("path-unknown", "there is nothing at this path")
}
