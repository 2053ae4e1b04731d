//! This file's job is to be a device: register, check, download and verify, install, report, over HTTP only.
//!
//! It does what `docs/protocols/aloft-v1.md` asks of a client, so that the demo and the end-to-end tests see what a phone sees.

use crate::demo::fetch::{Expected, FetchError, Fetched, fetch};
use crate::demo::http::{Http, HttpError};
use crate::demo::installation::{Installation, Installed, Started};
use crate::demo::protocol::{Action, Bundle, Delta, FORMATS, Page, Registered, Taken, Update};
use bytes::Bytes;
use domain::bundle::{BundleFile, FileRole, content_hash};
use domain::id::EventId;
use domain::telemetry::EventKind;
use domain::{Platform, Sha256};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::clock::Clock;
use std::collections::{BTreeMap, HashMap, HashSet};
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
    /// "dev_…".
    pub id: String,
    token: String,
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
        let document = serde_json::json!({
            "app": identity.app,
            "channel": identity.channel,
            "platform": identity.platform.as_str(),
            "binary": identity.binary,
            "nonce": nonce,
        });
        let answer = http.post("/v1/devices/register", None, &document).await?;
        let Registered { device_id, token } = parse(&answer.body)?;
        Ok(Self {
            http: http.clone(),
            identity,
            id: device_id,
            token,
            installation: Installation::default(),
            files: HashMap::new(),
            clock: Clock::system(),
        })
    }

    /// Asks what to run.
    ///
    /// # Errors
    /// When the edge is away, refuses, or answers nonsense.
    pub async fn check(&self) -> Result<Checked, DeviceError> {
        let current = self.installation.running().map(|bundle| bundle.content_sha256);
        let answer = self.http.get(&self.query(current), &self.token).await?;
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
        let answer = self.http.post("/v1/events", Some(&self.token), &document).await?;
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

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, DeviceError> {
    serde_json::from_slice(body).map_err(|error| DeviceError::Answer(error.to_string()))
}
