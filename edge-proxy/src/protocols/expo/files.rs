//! This file's job is to serve the files of Expo updates, and patches in the place of launch files (RFC 3229, with the format BSDIFF40).

use super::asked::{CURRENT, EMBEDDED, once, update_id};
use super::choice::release_of;
use crate::blobs::handler;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use crate::state::State;
use domain::Sha256;
use domain::bundle::{Blob, FileRole};
use domain::expo::{UpdateId, content_type};
use domain::release::Content;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use std::sync::Arc;

/// The only format that clients know.
const FORMAT: &str = "bsdiff40";
const MANIPULATION: &str = "bsdiff";
const INSTANCE_MANIPULATION: HeaderName = HeaderName::from_static("im");
const BASE_UPDATE: HeaderName = HeaderName::from_static("expo-base-update-id");
const USE_AS_DICTIONARY: HeaderName = HeaderName::from_static("use-as-dictionary");
const REQUESTED: &str = "expo-requested-update-id";

/// Serves `{sha256}.{extension}`.
pub(super) async fn asset<B>(state: &State, file: &str, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    let (sha256, extension) = file.split_once('.').unwrap_or((file, ""));
    let mut response = handler::handle(state, sha256, request).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(extension)));
    // Many people's files share this address: none may run scripts on it.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.remove(USE_AS_DICTIONARY);
    Ok(response)
}

/// Serves a launch file. Whatever is wrong with the wish for a patch, the file is what the client needs.
pub(super) async fn launch<B>(
    state: &State,
    (app, channel): (&str, &str),
    file: &str,
    request: &Request<B>,
) -> Result<Response<Body>, Refusal> {
    let wish = Wish::read(request.headers(), file);
    let channel = wish.and_then(|_| state.channels.find(app, channel));
    let mut response = match wish.zip(channel.as_ref()).and_then(|(wish, channel)| find(state, channel, wish)) {
        Some((patch, base)) => self::patch(state, request.method(), &patch, base).await?,
        None => asset(state, file, request).await?,
    };
    let varies = HeaderValue::from_static("accept-encoding, a-im, expo-current-update-id");
    response.headers_mut().insert(VARY, varies);
    Ok(response)
}

/// A client's wish for a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    launch: Sha256,
    current: UpdateId,
    embedded: Option<UpdateId>,
    requested: Option<UpdateId>,
}

impl Wish {
    fn read(headers: &HeaderMap, file: &str) -> Option<Self> {
        let manipulations = once(headers, "a-im").ok()??;
        let wanted = manipulations.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        if !wanted.into_iter().any(|name| name.eq_ignore_ascii_case(MANIPULATION)) {
            return None;
        }
        Some(Self {
            launch: file.split('.').next()?.parse().ok()?,
            current: update_id(headers, CURRENT).ok()??,
            embedded: update_id(headers, EMBEDDED).ok()?,
            requested: update_id(headers, REQUESTED).ok()?,
        })
    }
}

/// Finds the patch between what the device runs and what it wants; where there is none, the control plane is asked for one.
fn find(state: &State, channel: &Channel, wish: Wish) -> Option<(Arc<Blob>, UpdateId)> {
    let from = content(channel, wish.current)?;
    let launches = |to: &Sha256| {
        let bundle = channel.snapshot.bundles.get(to);
        let files = bundle.iter().flat_map(|bundle| &bundle.files);
        files.into_iter().any(|file| file.role == FileRole::Launch && file.sha256 == wish.launch)
    };
    let requested = wish.requested.and_then(|update| content(channel, update)).filter(launches);
    // Several releases may bring the same launch file: any patch that makes it will do.
    let targets = requested.into_iter().chain(channel.snapshot.bundles.keys().copied().filter(launches));
    let mut missing = None;
    for to in targets.filter(|to| *to != from) {
        match channel.find_delta(from, to, |format| format == FORMAT) {
            Some((_, delta)) => return Some((delta.blob.clone(), wish.current)),
            None => missing = missing.or(Some(to)),
        }
    }
    if let Some(to) = missing {
        state.wishes.note(channel.digest, &channel.snapshot.key, from, to);
    }
    None
}

/// Returns the content of an update: of a release, or of what came with a binary.
fn content(channel: &Channel, update: UpdateId) -> Option<Sha256> {
    match release_of(channel, update).map(|release| release.content) {
        Some(Content::Bundle(hash)) => Some(hash),
        Some(Content::Embedded) => None,
        None => channel.snapshot.expo.embedded.get(&update).copied(),
    }
}

/// No cache may keep a patch under the file's address: hence the status, which caches pass on, and `no-store`.
async fn patch(state: &State, method: &Method, blob: &Arc<Blob>, base: UpdateId) -> Result<Response<Body>, Refusal> {
    let body = match *method {
        Method::HEAD => Body::Described { size_bytes: blob.size_bytes },
        _ => handler::body(state, blob, 0..blob.size_bytes, true).await?,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::IM_USED;
    let headers = response.headers_mut();
    headers.insert(INSTANCE_MANIPULATION, HeaderValue::from_static(MANIPULATION));
    headers.extend(HeaderValue::from_str(&base.to_string()).ok().map(|base| (BASE_UPDATE, base)));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(blob.size_bytes));
    Ok(response)
}
