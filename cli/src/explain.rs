//! This file's job is `aloft explain`: say what a device would get now, and why.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::platform::{OnePlatform, wire};
use crate::report::AnyReport;
use crate::{percent, table};
use domain::Sha256;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Says what a device would get now, and why.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  aloft explain dev_01j9z3k4m5n6p7q8r9s0t1v2w3 --app trailhead --channel production --platform android --binary 1.4.0"
)]
pub struct Arguments {
    /// The device's id, or the name that its client chose.
    pub device: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// What the device runs on.
    #[arg(long)]
    pub platform: OnePlatform,
    /// The version of its native binary.
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub binary: String,
    /// The runtime version of its native binary.
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub runtime: String,
    /// Content hash of the downloaded bundle that it runs; not given while it runs the embedded one.
    #[arg(long, value_name = "SHA256")]
    pub current: Option<Sha256>,
}

/// A decision with its reasons.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ExplainResponse")]
pub struct Explanation {
    /// "update", "embedded" or "nothing".
    pub outcome: &'static str,
    pub release: Option<String>,
    pub label: Option<String>,
    pub reason: Option<String>,
    pub install: Option<String>,
    pub mandatory: bool,
    pub snapshot_version: u64,
    pub steps: Vec<Step>,
}

/// Why one release was taken or passed over.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ExplainStep")]
pub struct Step {
    pub release: String,
    pub label: String,
    pub verdict: String,
    pub bucket: u32,
    pub share_ppm: u32,
}

impl From<v1::ExplainResponse> for Explanation {
    fn from(answer: v1::ExplainResponse) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let step = |step: v1::ExplainStep| Step {
            release: step.release,
            label: step.label,
            verdict: step.verdict,
            bucket: step.bucket,
            share_ppm: step.share_ppm,
        };
        Self {
            outcome: match answer.outcome() {
                v1::Outcome::Unspecified => "unknown",
                v1::Outcome::Update => "update",
                v1::Outcome::Embedded => "embedded",
                v1::Outcome::Nothing => "nothing",
            },
            release: some(answer.release),
            label: some(answer.label),
            reason: some(answer.reason),
            install: some(answer.install),
            mandatory: answer.mandatory,
            snapshot_version: answer.snapshot_version,
            steps: answer.steps.into_iter().map(step).collect(),
        }
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let mandatory = if self.mandatory { "yes".to_owned() } else { String::new() };
        f.write_str(&table::pairs(&[
            ("gets", self.label.clone().unwrap_or_else(|| self.outcome.to_owned())),
            ("because", or_empty(&self.reason)),
            ("install", or_empty(&self.install)),
            ("mandatory", mandatory),
            ("decided from", format!("state {} of the channel", self.snapshot_version)),
        ]))?;
        let row = |step: &Step| {
            vec![step.label.clone(), step.verdict.clone(), percent::text(step.bucket), percent::text(step.share_ppm)]
        };
        let rows: Vec<_> = self.steps.iter().map(row).collect();
        write!(f, "\n{}", table::text(&["release", "verdict", "bucket", "share"], &rows))
    }
}

/// Asks the server for the decision and its reasons.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let current = arguments.current.map(|hash| hash.as_bytes().to_vec().into());
    let request = v1::ExplainRequest {
        channel: arguments.address.name()?,
        device: arguments.device,
        platform: wire(arguments.platform.domain()).into(),
        binary_version: arguments.binary,
        runtime_version: arguments.runtime,
        current_bundle: current.unwrap_or_default(),
    };
    Ok(Box::new(Explanation::from(connection.answer(connection.channels().explain(request).await)?)))
}
