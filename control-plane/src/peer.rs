//! This file's job is to tell handlers where a call came from.

use axum::Router;
use http::{HeaderName, Request};
use std::net::IpAddr;
use std::task::{Context, Poll};
use tower::Service;

/// Where a call came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Where calls of a request came from, as the listener told it; none inside the process.
#[must_use]
pub fn of<T>(request: &tonic::Request<T>) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0)
}

/// The calls of one connection.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who answers them.
    pub router: Router,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The header in which a proxy says more.
    pub header: Option<HeaderName>,
}

impl<B> Service<Request<B>> for Told
where
    Router: Service<Request<B>>,
{
    type Response = <Router as Service<Request<B>>>::Response;
    type Error = <Router as Service<Request<B>>>::Error;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let told = self.header.as_ref().and_then(|name| request.headers().get(name));
        let told = told.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        request.extensions_mut().insert(Peer(told.unwrap_or(self.peer)));
        self.router.call(request)
    }
}
