//! This file's job is to answer `POST /v1/devices/register`.

use crate::body::Body;
use crate::refusal::Refusal;
use crate::serve;
use crate::state::State;
use bytes::Bytes;
use domain::Platform;
use domain::snapshot::ChannelKey;
use domain::telemetry::{Event, EventKind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use std::net::IpAddr;

/// Room for every field at its longest.
const BODY_MAX_BYTES: usize = 4_096;
/// 128 random bits in base64url: two devices must never choose the same nonce.
const NONCE_MIN_BYTES: usize = 22;
/// 512 bits, in case a client likes more.
const NONCE_MAX_BYTES: usize = 88;
/// The same bound as for update checks.
const BINARY_MAX_BYTES: usize = domain::target::BINARY_RANGE_MAX_BYTES;

/// Unknown fields are ignored, so that newer clients can say more.
#[derive(Deserialize)]
struct Registration {
    app: String,
    channel: String,
    platform: String,
    nonce: String,
    #[serde(default)]
    binary: Option<String>,
}

/// A registration whose every field is checked.
pub(crate) struct Checked {
    key: ChannelKey,
    platform: Platform,
    nonce: String,
    binary: Option<String>,
}

/// Reads the body of a request.
pub(crate) fn parse(body: &[u8]) -> Result<Checked, Refusal> {
    let registration: Registration = serde_json::from_slice(body)
        .map_err(|error| Refusal::malformed("body-invalid", format!("the body is not a registration: {error}")))?;
    let key = ChannelKey {
        app: registration.app.parse().map_err(|invalid| field("app", invalid))?,
        channel: registration.channel.parse().map_err(|invalid| field("channel", invalid))?,
    };
    let platform = registration.platform.parse().map_err(|invalid| field("platform", invalid))?;
    check_nonce(&registration.nonce)?;
    if registration.binary.as_ref().is_some_and(|binary| binary.len() > BINARY_MAX_BYTES) {
        return Err(Refusal::malformed("field-invalid", "binary must be at most 256 bytes"));
    }
    let binary = registration.binary.filter(|binary| !binary.is_empty());
    Ok(Checked { key, platform, nonce: registration.nonce, binary })
}

/// Gives the device its id and its token. Needs no state: the same nonce gives the same device again.
pub(crate) async fn handle(state: &State, request: Request<Incoming>, from: IpAddr) -> Result<Response<Body>, Refusal> {
    let body = serve::read_body(request.into_body(), BODY_MAX_BYTES).await?;
    let Checked { key, platform, nonce, binary } = parse(&body)?;
    let channel = state.channel(&key).await?;
    state.admit_registration(&key.app, from)?;
    if channel.snapshot.registration_closed {
        return Err(Refusal::devices_full());
    }
    let now = state.clock.now();
    let registered = channel.keys.register(&key.app, &nonce, now).ok_or_else(no_key)?;
    channel.check_revoked(registered.device.as_str())?;
    let event = Event {
        id: registered.event,
        app: key.app,
        channel: key.channel,
        device: registered.device.clone(),
        kind: EventKind::Registered,
        platform,
        binary_version: binary,
        release: None,
        bundle: None,
        received_at: now,
        detail: None,
    };
    // A full spool loses the row, not the device: the token is valid without it.
    if state.spool.append(vec![event]).await.is_err() {
        state.meters.events.dropped_unwritten.inc();
    }
    let body = serde_json::json!({"device_id": registered.device, "token": registered.token}).to_string();
    let mut response = Response::new(Body::Whole(Bytes::from(body)));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn field(name: &'static str, invalid: domain::error::Invalid) -> Refusal {
    Refusal::malformed("field-invalid", format!("{name} {}", invalid.rule))
}

fn no_key() -> Refusal {
    Refusal::unavailable("no-token-key", "the app has no key for device tokens yet", 30)
}

fn check_nonce(nonce: &str) -> Result<(), Refusal> {
    let well_formed = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if (NONCE_MIN_BYTES..=NONCE_MAX_BYTES).contains(&nonce.len()) && well_formed {
        Ok(())
    } else {
        Err(Refusal::malformed("field-invalid", "nonce must be 22 to 88 of A-Z, a-z, 0-9, '-' and '_'"))
    }
}
