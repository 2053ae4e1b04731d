//! This file's job is to write answers with the headers that every Expo client needs.

use super::accept::Form;
use super::asked::{Asked, Version};
use super::choice::Told;
use super::frozen::Frozen;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use crate::state::State;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("expo-protocol-version");
const SFV_VERSION: HeaderName = HeaderName::from_static("expo-sfv-version");
const MANIFEST_FILTERS: HeaderName = HeaderName::from_static("expo-manifest-filters");
const SERVER_DEFINED_HEADERS: HeaderName = HeaderName::from_static("expo-server-defined-headers");
const SIGNATURE: HeaderName = HeaderName::from_static("expo-signature");

/// Writes the answer.
pub(super) fn respond(state: &State, channel: &Channel, asked: &Asked, told: &Told) -> Result<Response<Body>, Refusal> {
    let mut response = match told {
        Told::Manifest(frozen) => manifest(asked, frozen),
        Told::Directive(frozen) if asked.form == Form::Multipart => multipart(asked, frozen),
        Told::Directive(_) => {
            let message = "a directive can be sent as multipart/mixed only";
            return Err(Refusal::not_acceptable("directive-needs-multipart", message));
        }
        Told::Nothing => nothing(state, asked)?,
    };
    let headers = response.headers_mut();
    describe(headers, asked.version);
    // Clients keep this, and run only what fits: so a device that changes its channel leaves the old one's updates.
    let filter = format!("branchname=\"{}\"", channel.snapshot.key.channel);
    headers.extend(HeaderValue::from_str(&filter).ok().map(|value| (MANIFEST_FILTERS, value)));
    let server_defined = channel.expo.server_defined_headers.as_deref().cloned();
    headers.extend(server_defined.map(|value| (SERVER_DEFINED_HEADERS, value)));
    Ok(response)
}

/// Writes a refusal. Without these headers clients would say that the server speaks a protocol before theirs.
pub(super) fn refused(refusal: Refusal) -> Response<Body> {
    let mut response = refusal.into_response();
    describe(response.headers_mut(), Version::One);
    response
}

/// Clients' own caches obey this header.
fn describe(headers: &mut HeaderMap, version: Version) {
    headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
    headers.insert(SFV_VERSION, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=0"));
}

fn whole(content_type: HeaderValue, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Whole(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn multipart(asked: &Asked, frozen: &Frozen) -> Response<Body> {
    let form = if asked.expects_signature { &frozen.signed } else { &frozen.plain };
    whole(form.content_type.clone(), form.body.clone())
}

fn manifest(asked: &Asked, frozen: &Frozen) -> Response<Body> {
    let content_type = match asked.form {
        Form::Multipart => return multipart(asked, frozen),
        Form::ExpoJson => "application/expo+json",
        Form::Json => "application/json",
    };
    let mut response = whole(HeaderValue::from_static(content_type), frozen.body.clone());
    if let (true, Some(signature)) = (asked.expects_signature, &frozen.signature) {
        response.headers_mut().insert(SIGNATURE, signature.clone());
    }
    response
}

/// Says that nothing is new. Directives are signed like manifests, so who expects that gets an answer without any.
fn nothing(state: &State, asked: &Asked) -> Result<Response<Body>, Refusal> {
    match (asked.version, asked.form) {
        (Version::Zero, _) => Err(Refusal::not_found("no-update", "there is no update for this device")),
        (Version::One, Form::Multipart) if !asked.expects_signature => {
            let form = state.no_update.as_ref().ok_or_else(unframed)?;
            Ok(whole(form.content_type.clone(), form.body.clone()))
        }
        (Version::One, Form::Multipart | Form::ExpoJson | Form::Json) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
    }
}

/// The boundary is a hash, so this cannot happen.
const fn unframed() -> Refusal {
    Refusal::unavailable("answer-broken", "the answer cannot be written", 5)
}
