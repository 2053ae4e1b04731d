//! This file's job is to keep of a request what its name and its line in the log need.

use super::Line;
use crate::body::Body;
use crate::check::query::{Decoded, Query};
use crate::meters::Route;
use crate::peer::Peer;
use crate::protocols::codepush;
use crate::protocols::expo::Place;
use crate::routes::BLOBS;
use crate::snapshot::Channel;
use crate::state::State;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use hyper::body::Body as _;
use runtime::request_id::{self, REQUEST_ID_HEADER};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

/// What is kept of a request on the device port.
pub(crate) struct Entry {
    uri: Uri,
    network: IpAddr,
    /// The name that a trusted proxy gave it.
    given: Option<HeaderValue>,
    is_due: bool,
    began: Option<Instant>,
}

impl Entry {
    pub(crate) fn of<B>(peer: &Peer, request: &Request<B>, is_due: bool, began: Option<Instant>) -> Self {
        let headers = request.headers();
        let (uri, network) = (request.uri().clone(), peer.network(headers));
        Self { uri, network, given: peer.request_id(headers).cloned(), is_due, began }
    }

    /// Names the answer when a proxy named the request, when it is a refusal, and when it is written down, and does that.
    #[inline(never)]
    pub(crate) fn close(self, state: &State, route: Route, response: &mut Response<Body>) {
        let status = response.status();
        let is_refused = status.is_client_error() || status.is_server_error();
        let is_written = state.access.is_written(self.is_due, is_refused);
        let made = || HeaderValue::from_str(&request_id::make()).ok();
        let Some(id) = self.given.or_else(|| (is_refused || is_written).then(made).flatten()) else { return };
        if is_written {
            state.access.write(&Line {
                request_id: id.to_str().unwrap_or_default(),
                route: route.name(),
                call: None,
                status: status.as_u16(),
                took: self.began.map(|began| began.elapsed()),
                bytes: response.body().size_hint().exact(),
                channel: channel_of(state, route, &self.uri).as_deref(),
                peer: self.network,
            });
        }
        response.headers_mut().insert(REQUEST_ID, id);
    }
}

/// Returns the channel that a request asks about, where its line says so and the edge has it: names that nobody gave do not come into the log.
fn channel_of(state: &State, route: Route, uri: &Uri) -> Option<Arc<Channel>> {
    let query = uri.query().unwrap_or_default();
    match route {
        Route::Updates => {
            let mut decoded = Decoded::default();
            let asked = Query::parse(query, &mut decoded).ok()?;
            state.channels.find(asked.app, asked.channel)
        }
        Route::PackageCheck => {
            let asked = codepush::query::Query::parse(query).ok()?;
            state.channels.find_keyed(asked.key.as_str()).map(|(channel, _)| channel)
        }
        Route::Expo => match Place::of(uri.path())? {
            Place::Manifest { app, channel: Some(channel) } | Place::Launch { app, channel, .. } => {
                state.channels.find(app, channel)
            }
            Place::Manifest { channel: None, .. } | Place::Asset { .. } => None,
        },
        Route::Blob => {
            let sha256 = uri.path().strip_prefix(BLOBS)?.parse().ok()?;
            state.channels.get(state.channels.channel_of(&sha256)?.as_ref())
        }
        Route::Register | Route::Events | Route::PackageReport | Route::Health | Route::Other => None,
    }
}
