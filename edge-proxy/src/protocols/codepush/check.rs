//! This file's job is to answer CodePush's clients when they ask for an update.

use super::answer::Answer;
use super::device::check_revoked;
use super::outcome::Outcome;
use super::query::Query;
use super::{CHECK_CAMEL, Spelling};
use crate::admission::{Client, DeviceClass};
use crate::body::Body;
use crate::refusal::Refusal;
use crate::snapshot::channels::Keyed;
use crate::snapshot::told::Word;
use crate::state::State;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response};
use std::borrow::Cow;

/// Longer names do not exist.
const HOST_MAX_BYTES: usize = 255;

/// Answers from memory alone. `None` when the deployment key is not known here: see [`handle_unknown`].
pub(crate) fn handle<B>(state: &State, request: &Request<B>) -> Option<Result<Response<Body>, Refusal>> {
    let query = match Query::parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(refusal) => return Some(Ok(refusal.into_text_response())),
    };
    let keyed = state.channels.find_keyed(query.key.as_str())?;
    Some(Ok(answer(state, request, &query, &keyed).unwrap_or_else(Refusal::into_text_response)))
}

/// Answers after the control plane was asked for the deployment key.
pub(crate) async fn handle_unknown<B>(state: &State, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    let answered = async {
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let keyed = state.keyed(&query.key).await?;
        answer(state, request, &query, &keyed)
    };
    Ok(answered.await.unwrap_or_else(Refusal::into_text_response))
}

fn answer<B>(
    state: &State,
    request: &Request<B>,
    query: &Query,
    (channel, platform): &Keyed,
) -> Result<Response<Body>, Refusal> {
    check_revoked(channel, query.client.as_ref())?;
    state.admit(channel, DeviceClass { client: Client::CodePush, platform: *platform })?;
    let base = base(state, request)?;
    let spelling = if request.uri().path() == CHECK_CAMEL { Spelling::Camel } else { Spelling::Snake };
    let outcome = Outcome::decide(channel, *platform, query);
    let word = match &outcome {
        Outcome::Update { release, .. } => Word::take(&channel.snapshot, release),
        Outcome::Nothing { .. } => Word::Nothing,
    };
    if let Outcome::Update { missing: Some((from, to)), .. } = outcome {
        state.wishes.note_package(channel.digest, &channel.snapshot.key, from, to);
    }
    channel.told.count(&state.counts, &channel.snapshot, word, 0);
    let answer = Answer { query, outcome, base: &base, spelling };
    let body = serde_json::to_vec(&answer)
        .map_err(|_| Refusal::unavailable("answer-unwritten", "the answer could not be written", 5))?;
    let mut response = Response::new(Body::Whole(Bytes::from(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}

/// Returns where the device sees the edge. What it says in `Host` only ever comes back to itself: answers are never kept.
fn base<'a, B>(state: &'a State, request: &Request<B>) -> Result<Cow<'a, str>, Refusal> {
    let public_url = state.config.public_url.trim_end_matches('/');
    if !public_url.is_empty() {
        return Ok(Cow::Borrowed(public_url));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let is_name = |host: &&str| {
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        !host.is_empty() && host.len() <= HOST_MAX_BYTES && host.bytes().all(is_part)
    };
    let named = authority.or(host).filter(is_name);
    let host = named.ok_or_else(|| Refusal::malformed("host-invalid", "the header Host must name the server"))?;
    let scheme = if state.config.tls_certificate.as_os_str().is_empty() { "http" } else { "https" };
    Ok(Cow::Owned(format!("{scheme}://{host}")))
}
