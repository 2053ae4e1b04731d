//! This file's job is to take in what CodePush's clients report.
//!
//! Clients repeat a report when they are unsure whether it arrived. The ids of events are made of what is reported, so that a report counts
//! once for each device, deployment key and release, however often it comes.

use super::device::{bits, check_revoked, id_of};
use super::query::client_of;
use super::{DOWNLOADED, DOWNLOADED_CAMEL, seq_of};
use crate::admission::{Client, DeviceClass};
use crate::body::Body;
use crate::refusal::Refusal;
use crate::serve;
use crate::snapshot::channels::Keyed;
use crate::state::State;
use bytes::Bytes;
use domain::codepush::DeploymentKey;
use domain::id::EventId;
use domain::release::{Content, Release};
use domain::target::BINARY_RANGE_MAX_BYTES;
use domain::telemetry::{Event, EventKind};
use domain::{Platform, Timestamp};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value};

/// As CodePush's own server.
const BODY_MAX_BYTES: usize = 10 * 1_024;
/// Labels are `v` and a number; others are kept for people to read.
const LABEL_MAX_BYTES: usize = 128;
const RETRY_AFTER_S: u32 = 60;

/// A report whose every field is checked.
#[derive(Debug)]
pub(crate) struct Report {
    key: DeploymentKey,
    client: Option<String>,
    kind: EventKind,
    label: Option<String>,
    app_version: Option<String>,
}

/// Takes a report. A key or a release that nobody knows is no fault of the device.
pub(crate) async fn handle(state: &State, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let is_download = matches!(request.uri().path(), DOWNLOADED | DOWNLOADED_CAMEL);
    let taken = async {
        let body = serve::read_body(request.into_body(), BODY_MAX_BYTES).await?;
        let report = Report::parse(&body, is_download)?;
        match state.keyed(&report.key).await {
            Ok(keyed) => keep(state, &report, &keyed).await,
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => Ok(()),
            Err(refusal) => Err(refusal),
        }
    };
    Ok(taken.await.map_or_else(Refusal::into_text_response, |()| ok()))
}

async fn keep(state: &State, report: &Report, keyed: &Keyed) -> Result<(), Refusal> {
    let client = report.client.as_deref().map(client_of);
    if check_revoked(&keyed.0, client.as_ref()).is_err() {
        // Not kept, but not refused either: clients would send it again at every start.
        return Ok(());
    }
    state.admit(&keyed.0, DeviceClass { client: Client::CodePush, platform: keyed.1 })?;
    let event = report.event(keyed, state.clock.now());
    let kept = state.spool.append(vec![event]).await;
    kept.map_err(|_| Refusal::unavailable("spool-broken", "the edge cannot keep events now", RETRY_AFTER_S))
}

fn ok() -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from_static(b"OK")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

impl Report {
    /// Reads the body of a request, in either spelling.
    pub(crate) fn parse(body: &[u8], is_download: bool) -> Result<Self, Refusal> {
        let fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| invalid("The body must be a JSON object."))?;
        let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)).and_then(Value::as_str);
        let present = |names: &[&str]| text(names).filter(|text| !text.is_empty()).map(str::to_owned);
        let key = text(&["deployment_key", "deploymentKey"]).and_then(|key| key.trim().parse().ok());
        let (label, app_version) = (present(&["label"]), present(&["app_version", "appVersion"]));
        let is_short = |text: &Option<String>, max_bytes| text.as_ref().is_none_or(|text| text.len() <= max_bytes);
        if !is_short(&label, LABEL_MAX_BYTES) || !is_short(&app_version, BINARY_RANGE_MAX_BYTES) {
            return Err(invalid("A label or a version is too long."));
        }
        let status = text(&["status"]);
        let (key, kind) = if is_download {
            let wrong = "A download status report must contain a valid deploymentKey and package label.";
            let key = key.filter(|_| label.is_some()).ok_or_else(|| invalid(wrong))?;
            (key, EventKind::Downloaded)
        } else {
            let wrong = "A deploy status report must contain a valid appVersion and deploymentKey.";
            let key = key.filter(|_| app_version.is_some()).ok_or_else(|| invalid(wrong))?;
            (key, kind_of(label.is_some(), status)?)
        };
        Ok(Self { key, client: present(&["client_unique_id", "clientUniqueId"]), kind, label, app_version })
    }

    /// Makes the event. The device's id is made of the app and of the id that the client chose.
    pub(crate) fn event(&self, (channel, platform): &Keyed, now: Timestamp) -> Event {
        let key = &channel.snapshot.key;
        let client = self.client.as_deref().map(client_of);
        // Ancient clients have no id: each of their reports counts.
        let client = client.map_or_else(|| hex(&runtime::random::bytes::<16>()), |client| client.to_string());
        let about = self.label.as_deref().or(self.app_version.as_deref()).unwrap_or_default();
        let device = id_of(&key.app, &client);
        let parts = ["codepush-event", key.app.as_str(), &client, self.key.as_str(), self.kind.as_str(), about];
        let (time, random) = bits(&parts);
        let release = self.label.as_deref().and_then(|label| find(&channel.snapshot.releases, *platform, label));
        Event {
            id: EventId::from_parts(time, random),
            app: key.app.clone(),
            channel: key.channel.clone(),
            device,
            kind: self.kind,
            platform: *platform,
            binary_version: self.app_version.clone(),
            release: release.map(|release| release.id.clone()),
            bundle: release.and_then(|release| match release.content {
                Content::Bundle(hash) => Some(hash),
                Content::Embedded => None,
            }),
            received_at: now,
            detail: self.label.clone().filter(|_| release.is_none()),
        }
    }
}

/// Without a label it is the binary's own bundle that runs.
fn kind_of(has_label: bool, status: Option<&str>) -> Result<EventKind, Refusal> {
    match (has_label, status) {
        (_, Some("DeploymentSucceeded")) | (false, None) => Ok(EventKind::Launched),
        (_, Some("DeploymentFailed")) => Ok(EventKind::RolledBack),
        (_, Some("Downloaded")) => Ok(EventKind::Downloaded),
        (true, None) => Err(invalid("A deploy status report for a labelled package must contain a valid status.")),
        (_, Some(_)) => Err(invalid("The status is none that a deploy status report can have.")),
    }
}

fn find<'a>(releases: &'a [Release], platform: Platform, label: &str) -> Option<&'a Release> {
    let seq = seq_of(label);
    releases.iter().find(|release| release.seq == seq && release.platform == platform)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::malformed("report-invalid", message)
}
