//! This file's job is to answer `POST /v1/events`.

use crate::admission::{Client, DeviceClass};
use crate::body::Body;
use crate::check::bearer;
use crate::devices::token::Claim;
use crate::refusal::Refusal;
use crate::serve;
use crate::state::State;
use bytes::Bytes;
use domain::error::Invalid;
use domain::id::DeviceId;
use domain::snapshot::ChannelKey;
use domain::target::BINARY_RANGE_MAX_BYTES;
use domain::telemetry::{EVENT_DETAIL_MAX_BYTES, EVENTS_PER_REQUEST_MAX, Event, EventKind};
use domain::{Platform, Timestamp};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;

/// A hundred events with short details; long ones must be spread over several requests.
const BODY_MAX_BYTES: usize = 64 * 1_024;

/// What all events of a request have in common, and the events.
#[derive(Deserialize)]
struct Report {
    channel: String,
    platform: String,
    #[serde(default)]
    binary: Option<String>,
    events: Vec<Value>,
}

/// One event. Unknown fields are ignored.
#[derive(Deserialize)]
struct Reported {
    id: String,
    kind: String,
    #[serde(default)]
    release_id: Option<String>,
    #[serde(default)]
    bundle_sha256: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

/// What the events have in common, checked.
pub(crate) struct Common {
    key: ChannelKey,
    device: DeviceId,
    platform: Platform,
    binary: Option<String>,
    now: Timestamp,
}

/// Takes events in. Each bad one is refused alone, with its index.
pub(crate) async fn handle(state: &State, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let token = bearer(request.headers()).map(str::to_owned).ok_or_else(Refusal::unauthenticated)?;
    let claim = Claim::parse(&token).ok_or_else(Refusal::unauthenticated)?;
    let body = serve::read_body(request.into_body(), BODY_MAX_BYTES).await?;
    let (common, events) = parse(&body, &claim, state.clock.now())?;
    let channel = state.channel(&common.key).await?;
    channel.authenticate(&claim)?;
    state.admit(&channel, DeviceClass { client: Client::Aloft, platform: common.platform })?;
    take(state, &common, events).await
}

/// Reads the body of a request: what its events have in common, and the events, each still unread.
pub(crate) fn parse(body: &[u8], claim: &Claim<'_>, now: Timestamp) -> Result<(Common, Vec<Value>), Refusal> {
    let report: Report = serde_json::from_slice(body)
        .map_err(|error| Refusal::malformed("body-invalid", format!("the body is not a report: {error}")))?;
    if report.events.len() > EVENTS_PER_REQUEST_MAX {
        return Err(Refusal::malformed("too-many-events", "events must be at most 100"));
    }
    if report.binary.as_ref().is_some_and(|binary| binary.len() > BINARY_RANGE_MAX_BYTES) {
        return Err(Refusal::malformed("field-invalid", "binary must be at most 256 bytes"));
    }
    let field = |name: &str, invalid: Invalid| Refusal::malformed("field-invalid", format!("{name} {}", invalid.rule));
    let common = Common {
        key: ChannelKey {
            app: claim.app.parse().map_err(|_| Refusal::unauthenticated())?,
            channel: report.channel.parse().map_err(|invalid| field("channel", invalid))?,
        },
        device: claim.device.parse().map_err(|_| Refusal::unauthenticated())?,
        platform: report.platform.parse().map_err(|invalid| field("platform", invalid))?,
        binary: report.binary.filter(|binary| !binary.is_empty()),
        now,
    };
    Ok((common, report.events))
}

async fn take(state: &State, common: &Common, events: Vec<Value>) -> Result<Response<Body>, Refusal> {
    let (accepted, refused) = sort(common, events);
    let count = accepted.len();
    if count > 0 && state.spool.append(accepted).await.is_err() {
        const RETRY_AFTER_S: u32 = 60;
        return Err(Refusal::unavailable("spool-broken", "the edge cannot keep events now", RETRY_AFTER_S));
    }
    let text = serde_json::json!({"accepted": count, "refused": refused}).to_string();
    let mut response = Response::new(Body::Whole(Bytes::from(text)));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Tells the events that are fine from those that are not, which are named by their index.
pub(crate) fn sort(common: &Common, events: Vec<Value>) -> (Vec<Event>, Vec<Value>) {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (index, event) in events.into_iter().enumerate() {
        match check(common, event) {
            Ok(event) => accepted.push(event),
            Err(message) => refused.push(serde_json::json!({"index": index, "message": message})),
        }
    }
    (accepted, refused)
}

fn check(common: &Common, event: Value) -> Result<Event, String> {
    let reported: Reported = serde_json::from_value(event).map_err(|error| error.to_string())?;
    let rule = |name: &str, invalid: Invalid| format!("{name} {}", invalid.rule);
    let kind: EventKind = reported.kind.parse().map_err(|invalid| rule("kind", invalid))?;
    if kind == EventKind::Registered {
        return Err("kind is reported by the edge, not by devices".to_owned());
    }
    let detail = reported.detail.filter(|detail| !detail.is_empty());
    if detail.as_ref().is_some_and(|detail| detail.len() > EVENT_DETAIL_MAX_BYTES) {
        return Err(format!("detail must be at most {EVENT_DETAIL_MAX_BYTES} bytes"));
    }
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let release = present(reported.release_id).map(|text| text.parse()).transpose();
    let bundle = present(reported.bundle_sha256).map(|text| text.parse()).transpose();
    Ok(Event {
        id: reported.id.parse().map_err(|invalid| rule("id", invalid))?,
        app: common.key.app.clone(),
        channel: common.key.channel.clone(),
        device: common.device.clone(),
        kind,
        platform: common.platform,
        binary_version: common.binary.clone(),
        release: release.map_err(|invalid| rule("release_id", invalid))?,
        bundle: bundle.map_err(|invalid| rule("bundle_sha256", invalid))?,
        received_at: common.now,
        detail,
    })
}
