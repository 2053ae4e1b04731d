//! This file's job is to be a device: register, check, download and verify, install, report, over HTTP only.
//!
//! It does what `docs/protocols/aloft-v1.md` asks of a client, so that the demo and the end-to-end tests see what a phone sees.

use crate::demo::fetch::{Expected, FetchError, Fetched, fetch};
use crate::demo::http::{Answer, Http, HttpError};
use crate::demo::installation::{Installation, Installed, Started};
use crate::demo::protocol::{Action, Bundle, Delta, FORMATS, Page, Registered, Taken, Update};
use bytes::Bytes;
use domain::bundle::{BundleFile, FileRole, content_hash};
use domain::id::EventId;
use domain::telemetry::EventKind;
use domain::{Platform, Sha256};
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::clock::Clock;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The longest detail of an event that the edge takes.
const DETAIL_MAX_BYTES: usize = domain::telemetry::EVENT_DETAIL_MAX_BYTES;

/// Why the device could not go on.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// A request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A blob could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An answer has another shape than the protocol says.
    #[error("the server's answer makes no sense: {0}")]
    Answer(String),
    /// The verified files are not the bundle that was offered.
    #[error("the files do not make up the bundle {0}")]
    WrongBundle(Sha256),
}

/// What a device says about itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// "app_…".
    pub app: String,
    /// The channel that it follows.
    pub channel: String,
    /// What it runs on.
    pub platform: Platform,
    /// The version of its native binary.
    pub binary: String,
    /// The runtime version of its native binary.
    pub runtime: Option<String>,
    /// Content hash of the bundle that came with its binary, when it is known.
    pub embedded: Option<Sha256>,
}

/// The answer to an update check.
#[derive(Debug)]
pub struct Checked {
    /// What the server says.
    pub page: Page,
    /// How long it took.
    pub took: Duration,
    /// Size of the answer.
    pub size_bytes: u64,
}

/// What getting a bundle cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Downloaded {
    /// Files that were got.
    pub files_fetched: usize,
    /// Files that the device had already.
    pub files_kept: usize,
    /// Bytes that were received.
    pub received_bytes: u64,
    /// Bytes of all files of the bundle.
    pub full_bytes: u64,
    /// Whether the launch file was made from the one before.
    pub by_delta: bool,
    /// How long it took, with all verification.
    pub took: Duration,
}

/// A registered device with its files.
#[derive(Debug)]
pub struct Device {
    http: Http,
    identity: Identity,
    /// Made once; the same one gets the same id again.
    nonce: String,
    registered: Mutex<Registered>,
    /// What is installed.
    pub installation: Installation,
    /// The verified bytes of every file on the device.
    files: HashMap<Sha256, Bytes>,
    clock: Clock,
}

impl Device {
    /// Registers a new device at an edge.
    ///
    /// # Errors
    /// When the edge is away or refuses.
    pub async fn register(http: &Http, identity: Identity) -> Result<Self, DeviceError> {
        let nonce = runtime::random::bytes::<32>().map(|byte| format!("{byte:02x}")).concat();
        let registered = Mutex::new(register(http, &identity, &nonce).await?);
        Ok(Self {
            http: http.clone(),
            identity,
            nonce,
            registered,
            installation: Installation::default(),
            files: HashMap::new(),
            clock: Clock::system(),
        })
    }

    /// Returns its id, "dev_…".
    #[must_use]
    pub fn id(&self) -> String {
        self.registered().device_id.clone()
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request with the token. When the edge does not take that any more, the device registers again, once.
    async fn with_token(&self, send: impl AsyncFn(String) -> Result<Answer, HttpError>) -> Result<Answer, DeviceError> {
        let token = self.registered().token.clone();
        match send(token).await {
            Err(HttpError::Status { status: StatusCode::UNAUTHORIZED, .. }) => {
                let registered = register(&self.http, &self.identity, &self.nonce).await?;
                let token = registered.token.clone();
                *self.registered() = registered;
                Ok(send(token).await?)
            }
            answered => Ok(answered?),
        }
    }

    /// Asks what to run.
    ///
    /// # Errors
    /// When the edge is away, refuses, or answers nonsense.
    pub async fn check(&self) -> Result<Checked, DeviceError> {
        let current = self.installation.running().map(|bundle| bundle.content_sha256);
        let query = self.query(current);
        let answer = self.with_token(async |token| self.http.get(&query, &token).await).await?;
        let (took, size_bytes) = (answer.took, answer.body.len() as u64);
        Ok(Checked { page: parse(&answer.body)?, took, size_bytes })
    }

    fn query(&self, current: Option<Sha256>) -> String {
        let identity = &self.identity;
        let mut pairs = vec![
            ("app", identity.app.clone()),
            ("channel", identity.channel.clone()),
            ("platform", identity.platform.to_string()),
            ("binary", identity.binary.clone()),
            ("formats", FORMATS.to_owned()),
        ];
        pairs.extend(identity.runtime.clone().map(|runtime| ("runtime", runtime)));
        pairs.extend(current.map(|hash| ("current", hash.to_hex())));
        pairs.extend(identity.embedded.map(|hash| ("embedded", hash.to_hex())));
        let pair = |(name, value): &(&str, String)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        format!("/v1/updates?{}", pairs.iter().map(pair).collect::<Vec<_>>().join("&"))
    }

    /// Gets every file that the device lacks, verifies them and stages the bundle; it runs from the next restart on.
    ///
    /// # Errors
    /// When a file cannot be had or is wrong. The device then stays as it was, and keeps the files that it got.
    pub async fn download(&mut self, update: &Update) -> Result<Downloaded, DeviceError> {
        let begun = Instant::now();
        let mut cost = Downloaded { full_bytes: update.bundle.size_bytes, ..Downloaded::default() };
        if let Some(delta) = &update.delta {
            self.apply(delta, &update.bundle, &mut cost).await;
        }
        for file in &update.bundle.files {
            if self.files.contains_key(&file.sha256) {
                cost.files_kept += 1;
                continue;
            }
            let is_launch = file.sha256 == update.bundle.launch.sha256;
            let chunks: &[Sha256] = if is_launch { &update.bundle.launch.chunks } else { &[] };
            let expected = Expected { sha256: file.sha256, size_bytes: file.size_bytes, chunks };
            self.keep(&file.url, expected, &mut cost).await?;
        }
        if cost.by_delta {
            // The launch file was made, not kept.
            cost.files_kept = cost.files_kept.saturating_sub(1);
        }
        self.installation.stage(Some(self.verified(update)?));
        cost.took = begun.elapsed();
        Ok(cost)
    }

    /// Makes the launch file from the one before. Any failure just means that the whole file is got instead.
    async fn apply(&mut self, delta: &Delta, bundle: &Bundle, cost: &mut Downloaded) {
        let Some(base) = self.files.get(&delta.base_sha256).cloned() else { return };
        let (Ok(format), Ok(size_bytes)) = (delta.format.parse(), usize::try_from(bundle.launch.size_bytes)) else {
            return;
        };
        if self.files.contains_key(&bundle.launch.sha256) {
            return;
        }
        let fetching = Expected { sha256: delta.sha256, size_bytes: delta.size_bytes, chunks: &delta.chunks };
        let Ok(Fetched { bytes, received_bytes }) = fetch(&self.http, &delta.url, fetching).await else { return };
        cost.received_bytes += received_bytes;
        let (base_sha256, sha256) = (*delta.base_sha256.as_bytes(), *bundle.launch.sha256.as_bytes());
        let expected = delta::Expected { base_sha256, sha256, size_bytes };
        let work = move || delta::apply(format, &base, &bytes, &expected, delta::Limits::MEMORY_DEFAULT_BYTES);
        if let Ok(Ok(made)) = tokio::task::spawn_blocking(work).await {
            self.files.insert(bundle.launch.sha256, made.into());
            cost.by_delta = true;
            cost.files_fetched += 1;
        }
    }

    async fn keep(&mut self, url: &str, expected: Expected<'_>, cost: &mut Downloaded) -> Result<(), DeviceError> {
        let fetched = fetch(&self.http, url, expected).await?;
        cost.received_bytes += fetched.received_bytes;
        cost.files_fetched += 1;
        self.files.insert(expected.sha256, fetched.bytes);
        Ok(())
    }

    /// Checks that the files on the device are the bundle.
    fn verified(&self, update: &Update) -> Result<Installed, DeviceError> {
        let bundle = &update.bundle;
        let mut files = Vec::new();
        for file in &bundle.files {
            let bytes = self.files.get(&file.sha256).ok_or(DeviceError::WrongBundle(bundle.sha256))?;
            files.push(BundleFile {
                path: file.path.clone(),
                sha256: file.sha256,
                size_bytes: bytes.len() as u64,
                role: if file.path == bundle.launch.path { FileRole::Launch } else { FileRole::Asset },
            });
        }
        let has_launch =
            files.iter().any(|file| file.path == bundle.launch.path && file.sha256 == bundle.launch.sha256);
        if !has_launch || content_hash(&files) != bundle.sha256 {
            return Err(DeviceError::WrongBundle(bundle.sha256));
        }
        Ok(Installed {
            content_sha256: bundle.sha256,
            release_id: update.release_id.clone(),
            label: update.label.clone(),
            launch_sha256: bundle.launch.sha256,
            files: files.into_iter().map(|file| (file.path, file.sha256)).collect::<BTreeMap<_, _>>(),
        })
    }

    /// Does what an answer says up to the next restart. Returns what the download cost, when there was one.
    ///
    /// # Errors
    /// When the download fails.
    pub async fn follow(&mut self, page: &Page) -> Result<Option<Downloaded>, DeviceError> {
        match (page.action, &page.update) {
            (Action::None, _) => Ok(None),
            (Action::Embedded, _) => {
                self.installation.stage(None);
                Ok(None)
            }
            (Action::Update, Some(update)) if self.installation.refuses(&update.bundle.sha256) => Ok(None),
            (Action::Update, Some(update)) => self.download(update).await.map(Some),
            (Action::Update, None) => Err(DeviceError::Answer("an update without its description".to_owned())),
        }
    }

    /// Starts the app again and drops files that nothing needs any more.
    pub fn restart(&mut self) -> Started {
        let started = self.installation.restart();
        let kept: HashSet<Sha256> = self.installation.kept_files().copied().collect();
        self.files.retain(|hash, _| kept.contains(hash));
        started
    }

    /// Reports what happened to a bundle.
    ///
    /// # Errors
    /// When the edge is away or refuses.
    pub async fn report(&self, kind: EventKind, bundle: &Installed, detail: &str) -> Result<(), DeviceError> {
        let id = EventId::from_parts(self.clock.now(), runtime::random::bytes());
        let end = detail.floor_char_boundary(DETAIL_MAX_BYTES);
        let event = serde_json::json!({
            "id": id.as_str(),
            "kind": kind.as_str(),
            "release_id": bundle.release_id,
            "bundle_sha256": bundle.content_sha256.to_hex(),
            "detail": &detail[..end],
        });
        let document = serde_json::json!({
            "channel": self.identity.channel,
            "platform": self.identity.platform.as_str(),
            "binary": self.identity.binary,
            "events": [event],
        });
        let answer = self.with_token(async |token| self.http.post("/v1/events", Some(&token), &document).await).await?;
        let taken: Taken = parse(&answer.body)?;
        if taken.accepted == 1 {
            Ok(())
        } else {
            Err(DeviceError::Answer(format!("the event was not taken: {}", String::from_utf8_lossy(&answer.body))))
        }
    }

    /// Runs a bundle as if it had been downloaded before: for crowds that check and never download.
    pub fn adopt(&mut self, bundle: Installed) {
        self.installation.stage(Some(bundle));
        self.installation.restart();
        self.installation.confirm();
    }
}

async fn register(http: &Http, identity: &Identity, nonce: &str) -> Result<Registered, DeviceError> {
    let document = serde_json::json!({
        "app": identity.app,
        "channel": identity.channel,
        "platform": identity.platform.as_str(),
        "binary": identity.binary,
        "nonce": nonce,
    });
    parse(&http.post("/v1/devices/register", None, &document).await?.body)
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, DeviceError> {
    serde_json::from_slice(body).map_err(|error| DeviceError::Answer(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers each request with the next of these; returns the requests.
    async fn serve(listener: TcpListener, answers: Vec<(&'static str, String)>) -> Vec<String> {
        let mut requests = Vec::new();
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            requests.push(String::from_utf8_lossy(&request[..length]).into_owned());
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        requests
    }

    #[tokio::test]
    async fn a_token_that_is_not_taken_any_more_is_replaced_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
        let registered = |token: &str| ("201 Created", format!(r#"{{"device_id": "dev_1", "token": "{token}"}}"#));
        let page = r#"{"action": "none", "next_check_s": 60, "snapshot": {"epoch": 1, "version": 1}}"#.to_owned();
        let refused = ("401 Unauthorized", String::new());
        let answers = vec![registered("old"), refused.clone(), registered("new"), ("200 OK", page), refused.clone()];
        let served = tokio::spawn(serve(listener, [answers, vec![registered("newer"), refused]].concat()));
        let identity = Identity {
            app: "app_1".to_owned(),
            channel: "production".to_owned(),
            platform: Platform::Ios,
            binary: "1.0.0".to_owned(),
            runtime: None,
            embedded: None,
        };
        let device = Device::register(&http, identity).await.unwrap();
        assert_eq!(device.check().await.unwrap().page.action, Action::None);
        let error = device.check().await.unwrap_err();
        assert!(error.to_string().contains("401"), "{error}");
        let requests = served.await.unwrap();
        let nonces: Vec<_> = requests.iter().filter_map(|request| request.split("nonce").nth(1)).collect();
        assert_eq!((nonces.len(), nonces[0], nonces[0]), (3, nonces[1], nonces[2]), "the nonce stays");
        assert!(requests[3].contains("Bearer new"), "{}", requests[3]);
    }
}
