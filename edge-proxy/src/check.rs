//! This file's job is to answer `GET /v1/updates`.

pub(crate) mod answer;
pub(crate) mod answers;
pub(crate) mod query;

use crate::admission::{Client, DeviceClass};
use crate::body::Body;
use crate::devices::token::Claim;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use crate::state::State;
use answer::{Answer, AnswerKey};
use domain::decide::{Decision, UpdateCheck, decide};
use domain::release::Content;
use domain::snapshot::ChannelKey;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use query::{Codings, Query};
use std::sync::Arc;

/// Devices are spread over this many answers that differ in when to ask again; the number multiplies the cache of answers.
pub(crate) const CHECK_CLASSES: u32 = 8;

/// Decides what the device gets, from memory alone. `None` when nobody asked for the channel before: see [`handle_unknown`].
pub(crate) fn handle<B>(state: &State, request: &Request<B>) -> Option<Result<Response<Body>, Refusal>> {
    let mut decoded = query::Decoded::default();
    let (query, claim) = match read(request, &mut decoded) {
        Ok(read) => read,
        Err(refusal) => return Some(Err(refusal)),
    };
    let channel = state.channels.find(query.app, query.channel)?;
    Some(answer_from(state, &channel, &query, &claim, request.headers()))
}

/// Decides what the device gets from a channel that must be asked for first.
pub(crate) async fn handle_unknown<B>(state: &State, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    let mut decoded = query::Decoded::default();
    let (query, claim) = read(request, &mut decoded)?;
    let channel = state.channel(&query.key()?).await?;
    answer_from(state, &channel, &query, &claim, request.headers())
}

/// Reads what the device says, and the token, which must be for the same app. The token is not verified yet.
fn read<'a, B>(
    request: &'a Request<B>,
    decoded: &'a mut query::Decoded<'a>,
) -> Result<(Query<'a>, Claim<'a>), Refusal> {
    let query = Query::parse(request.uri().query().unwrap_or_default(), decoded)?;
    let claim = bearer(request.headers()).and_then(Claim::parse).ok_or_else(Refusal::unauthenticated)?;
    if claim.app == query.app { Ok((query, claim)) } else { Err(Refusal::unauthenticated()) }
}

fn answer_from(
    state: &State,
    channel: &Channel,
    query: &Query<'_>,
    claim: &Claim<'_>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    channel.authenticate(claim)?;
    state.admit(channel, DeviceClass { client: Client::Aloft, platform: query.platform })?;
    let answer = decide_answer(state, channel, query, claim.device)?;
    Ok(respond(&answer, headers))
}

/// Returns the token of an `Authorization: Bearer …` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    Some(std::str::from_utf8(token).ok()?.trim_start_matches(' '))
}

fn decide_answer(state: &State, channel: &Channel, query: &Query<'_>, device: &str) -> Result<Arc<Answer>, Refusal> {
    let check = UpdateCheck {
        device: device.parse().map_err(|_| Refusal::unauthenticated())?,
        platform: query.platform,
        binary_version: query.binary_version()?,
        runtime_version: query.runtime()?,
        current: query.current,
    };
    let decision = decide(&channel.snapshot, &check);
    let check_class = check_class(device);
    channel.told.count(&state.counts, &channel.snapshot, decision.into(), check_class);
    let key = AnswerKey {
        snapshot: channel.digest,
        decision,
        delta: find_delta(state, channel, decision, query),
        codings: if matches!(decision, Decision::Update { .. }) { query.codings } else { Codings::default() },
        check_class,
    };
    let next_check_s = next_check_s(state.config.next_check_s, check_class);
    state.answers.get_or_make(key, |key| Answer::make(channel, key, next_check_s)).ok_or_else(|| {
        // Snapshots without the bundles of what they offer are refused, so this cannot happen.
        Refusal::unavailable("bundle-unknown", "the edge does not know the bundle yet", 5)
    })
}

/// Returns the index of the smallest patch for what the device has: the bundle that it runs, else the one that came with its binary. Where
/// there is none for the bundle that it runs, the control plane is asked for one.
fn find_delta(state: &State, channel: &Channel, decision: Decision, query: &Query<'_>) -> Option<usize> {
    let Decision::Update { release, .. } = decision else { return None };
    let Content::Bundle(to) = channel.snapshot.releases[release].content else { return None };
    if query.formats.is_empty() {
        return None;
    }
    let takes = |format: &str| query.formats.has(format);
    let from = |base: Option<_>| channel.find_delta(base?, to, takes).map(|(index, _)| index);
    let found = from(query.current);
    if let (None, Some(current)) = (found, query.current) {
        state.wishes.note(channel.digest, &channel.snapshot.key, current, to);
    }
    found.or_else(|| from(query.embedded))
}

/// The last digit of a device id is random and stays, so each device always falls into the same class.
fn check_class(device: &str) -> u32 {
    u32::from(device.bytes().last().unwrap_or_default()) % CHECK_CLASSES
}

/// Spreads devices over [base, 2 × base), so that those that were switched on together do not ask together for ever.
fn next_check_s(base_s: u32, class: u32) -> u32 {
    base_s + (u64::from(base_s) * u64::from(class) / u64::from(CHECK_CLASSES)) as u32
}

fn respond(answer: &Answer, request: &HeaderMap) -> Response<Body> {
    let unchanged = request.get(IF_NONE_MATCH).is_some_and(|tags| matches_tag(tags, &answer.etag));
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::Whole(answer.body.clone()))
    };
    let headers = response.headers_mut();
    headers.reserve(3);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ETAG, answer.etag.clone());
    response
}

/// Says whether an If-None-Match header names the tag.
pub(crate) fn matches_tag(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

impl Query<'_> {
    /// Returns the channel's key, checked before it goes to the control plane.
    fn key(&self) -> Result<ChannelKey, Refusal> {
        let field = |name: &str, invalid: domain::error::Invalid| {
            Refusal::malformed("query-invalid", format!("{name} {}", invalid.rule))
        };
        Ok(ChannelKey {
            app: self.app.parse().map_err(|invalid| field("app", invalid))?,
            channel: self.channel.parse().map_err(|invalid| field("channel", invalid))?,
        })
    }
}
