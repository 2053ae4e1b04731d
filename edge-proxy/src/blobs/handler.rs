//! This file's job is to answer `GET /v1/blobs/{sha256}`.

use super::coding::{self, Coded};
use super::origin::CHANNEL_HEADER;
use super::range::{self, Asked};
use super::{Blobs, Chunk, SMALL_MAX_BYTES, pieces};
use crate::body::Body;
use crate::check::matches_tag;
use crate::refusal::Refusal;
use crate::state::State;
use crate::telemetry::counts::Count;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::{Blob, CHUNK_SIZE_BYTES};
use domain::snapshot::ChannelKey;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use prometheus::IntCounter;
use std::io;
use std::ops::Range;
use std::sync::Arc;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const USE_AS_DICTIONARY: HeaderName = HeaderName::from_static("use-as-dictionary");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// Serves a blob that a snapshot names. Every byte was compared with its hash before it is sent.
pub(crate) async fn handle<B>(state: &State, name: &str, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    let malformed = |_| Refusal::malformed("blob-name-invalid", "the name must be 64 lower-case hexadecimal digits");
    let sha256: Sha256 = name.parse().map_err(malformed)?;
    // The store is never asked for other hashes.
    let unknown = || Refusal::not_found("blob-unknown", "no release has this blob");
    let headers = request.headers();
    let mut blob = described(state, &sha256, headers).await?.ok_or_else(unknown)?;
    let forms = state.blobs.forms(&sha256);
    let coded = forms.as_ref().and_then(|forms| coding::choose(headers, &forms.coded));
    if let Some(coded) = &coded {
        blob = coded.blob.clone();
    }
    let etag = HeaderValue::from_str(&format!("\"{}\"", blob.sha256)).map_err(|_| unknown())?;
    let unchanged = headers.get(IF_NONE_MATCH).is_some_and(|tags| matches_tag(tags, &etag));
    let (status, range) = if unchanged { (StatusCode::NOT_MODIFIED, 0..0) } else { select(headers, &etag, &blob) };
    let has_body = request.method() != Method::HEAD && !range.is_empty();
    // What another edge asks for, it serves to devices, and counts then.
    let is_device = !headers.contains_key(CHANNEL_HEADER);
    let body =
        if has_body { body(state, &blob, range.clone(), is_device).await? } else { Body::Described { size_bytes: 0 } };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    describe(response.headers_mut(), &blob, etag);
    if let Some(forms) = &forms {
        negotiated(response.headers_mut(), forms.is_launch, coded.as_deref());
    }
    match status {
        StatusCode::NOT_MODIFIED => {}
        StatusCode::RANGE_NOT_SATISFIABLE => {
            insert_text(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{}", blob.size_bytes));
        }
        StatusCode::PARTIAL_CONTENT => {
            let text = format!("bytes {}-{}/{}", range.start, range.end - 1, blob.size_bytes);
            insert_text(response.headers_mut(), CONTENT_RANGE, &text);
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        }
        _ => {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(blob.size_bytes));
        }
    }
    Ok(response)
}

/// Another edge, of which this one is the parent, says which channel the blob belongs to: this edge may not know the channel yet.
async fn described(state: &State, sha256: &Sha256, headers: &HeaderMap) -> Result<Option<Arc<Blob>>, Refusal> {
    let known = state.blobs.describe(sha256);
    let Some(channel) = headers.get(CHANNEL_HEADER).filter(|_| known.is_none()) else { return Ok(known) };
    let malformed =
        || Refusal::malformed("channel-invalid", "aloft-channel must be an app's id, a slash and a channel's name");
    let (app, channel) = channel.to_str().ok().and_then(|text| text.split_once('/')).ok_or_else(malformed)?;
    let key =
        ChannelKey { app: app.parse().map_err(|_| malformed())?, channel: channel.parse().map_err(|_| malformed())? };
    state.channel(&key).await?;
    Ok(state.blobs.describe(sha256))
}

/// Chooses the status and the bytes.
fn select(headers: &HeaderMap, etag: &HeaderValue, blob: &Blob) -> (StatusCode, Range<u64>) {
    let whole = (StatusCode::OK, 0..blob.size_bytes);
    let Some(range) = headers.get(RANGE).and_then(|range| range.to_str().ok()) else { return whole };
    // A date can never match: blobs have no dates.
    if headers.get(IF_RANGE).is_some_and(|tag| tag != etag) {
        return whole;
    }
    match range::parse(range, blob.size_bytes) {
        Asked::Whole => whole,
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    }
}

fn describe(headers: &mut HeaderMap, blob: &Blob, etag: HeaderValue) {
    headers.reserve(10);
    headers.insert(ETAG, etag);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    insert_text(headers, REPR_DIGEST, &format!("sha-256=:{}:", STANDARD.encode(blob.sha256.as_bytes())));
}

/// Launch files are dictionaries, and come in codings that need one.
fn negotiated(headers: &mut HeaderMap, is_launch: bool, coded: Option<&Coded>) {
    let vary = if is_launch { "accept-encoding, available-dictionary" } else { "accept-encoding" };
    headers.insert(VARY, HeaderValue::from_static(vary));
    if let Some(coded) = coded {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coded.coding.as_str()));
    }
    // What a patch makes is a dictionary, too, but the client that took a patch has been told where they are.
    if is_launch && coded.is_none_or(|coded| coded.base.is_none()) {
        headers.insert(USE_AS_DICTIONARY, HeaderValue::from_static("match=\"/v1/blobs/*\""));
    }
}

fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The first chunk is at hand before the answer begins, so that what is wrong can still be said. What goes to a device is counted for the
/// bundle that it belongs to.
pub(crate) async fn body(state: &State, blob: &Arc<Blob>, range: Range<u64>, is_device: bool) -> Result<Body, Refusal> {
    let blobs = &state.blobs;
    let download = || state.served.of(&state.channels, &blob.sha256);
    let sent = Sent { all: blobs.meters.blobs.sent_bytes.clone(), download: is_device.then(download).flatten() };
    if blob.size_bytes <= SMALL_MAX_BYTES {
        let bytes = blobs.small(blob).await?;
        sent.begin(&range);
        sent.add(range.end - range.start);
        let inside = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        return Ok(Body::Whole(bytes.slice(inside(range.start)..inside(range.end))));
    }
    let first = chunk_of(range.start);
    let chunk = blobs.chunk(blob, first).await?;
    sent.begin(&range);
    let size_bytes = range.end - range.start;
    let reader = Reader { blobs: blobs.clone(), blob: blob.clone(), range, chunk, index: first, sent };
    Ok(Body::pieces(size_bytes, futures::stream::try_unfold(reader, Reader::next)))
}

fn chunk_of(offset: u64) -> usize {
    usize::try_from(offset / CHUNK_SIZE_BYTES).unwrap_or(usize::MAX)
}

/// Counts bytes as the client takes them.
struct Sent {
    all: IntCounter,
    download: Option<Arc<Count>>,
}

impl Sent {
    /// A download that goes on was counted when it began.
    fn begin(&self, range: &Range<u64>) {
        if let Some(download) = self.download.as_ref().filter(|_| range.start == 0) {
            download.once(0);
        }
    }

    fn add(&self, bytes: u64) {
        self.all.inc_by(bytes);
        if let Some(download) = &self.download {
            download.bytes(0, bytes);
        }
    }
}

/// Reads a range piece by piece, as fast as the device takes it.
struct Reader {
    blobs: Arc<Blobs>,
    blob: Arc<Blob>,
    /// What is still to be sent.
    range: Range<u64>,
    chunk: Chunk,
    index: usize,
    sent: Sent,
}

impl Reader {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let index = chunk_of(self.range.start);
        if index != self.index {
            self.chunk = self.blobs.chunk(&self.blob, index).await.map_err(io::Error::other)?;
            self.index = index;
        }
        let chunk = super::chunk_range(&self.blob, index);
        let start = self.range.start;
        let end = self.range.end.min(chunk.end).min(start + pieces::PIECE_MAX_BYTES);
        match self.chunk.read(chunk.start, start..end).await {
            Ok(bytes) => {
                self.range.start = end;
                self.sent.add(end - start);
                Ok(Some((bytes, self)))
            }
            Err(error) => {
                tracing::error!(sha256 = %self.blob.sha256, %error, "a blob on disk cannot be read");
                self.blobs.distrust(&self.blob.sha256).await;
                Err(error)
            }
        }
    }
}
