//! This file's job is to hold what every request needs.

use crate::blobs::Blobs;
use crate::check::answer::{Answer, AnswerKey};
use crate::check::query::invalid;
use crate::config::Config;
use crate::meters::Meters;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use crate::snapshot::channels::Channels;
use crate::sync::interest::{Found, Interests};
use crate::telemetry::spool::Spool;
use domain::snapshot::ChannelKey;
use domain::target::{BINARY_RANGE_MAX_BYTES, BinaryVersion};
use runtime::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How long a device waits for a channel that nobody asked for before.
const CHANNEL_WAIT: Duration = Duration::from_secs(1);
/// Apps have a handful of binary versions in the field; parsing one costs more than finding it here.
const BINARY_VERSIONS_MAX: u64 = 4_096;
/// Longer ones are rare and not worth a place in the cache.
const BINARY_CACHED_MAX_BYTES: usize = 32;

/// Everything that requests share.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) channels: Arc<Channels>,
    pub(crate) interests: Arc<Interests>,
    pub(crate) answers: moka::sync::Cache<AnswerKey, Arc<Answer>>,
    binaries: moka::sync::Cache<Box<str>, BinaryVersion>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) clock: Clock,
}

/// The parts that are made elsewhere.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) channels: Arc<Channels>,
    pub(crate) interests: Arc<Interests>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) clock: Clock,
}

impl State {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, channels, interests, blobs, spool, meters, clock } = parts;
        // Half of the memory is for answers, half for small blobs.
        let answers = moka::sync::Cache::builder()
            .max_capacity(config.memory_max_bytes / 2)
            .weigher(|_: &AnswerKey, answer: &Arc<Answer>| answer.weight_bytes())
            .build();
        let binaries = moka::sync::Cache::new(BINARY_VERSIONS_MAX);
        Self { config, channels, interests, answers, binaries, blobs, spool, meters, clock }
    }

    /// Returns the channel; asks the control plane for it when it is not here.
    pub(crate) async fn channel(&self, key: &ChannelKey) -> Result<Arc<Channel>, Refusal> {
        if let Some(channel) = self.channels.get(key) {
            return Ok(channel);
        }
        match self.interests.wait(key, CHANNEL_WAIT).await {
            Found::Present => self.channels.get(key).ok_or_else(unknown),
            Found::Absent => Err(Refusal::not_found("channel-unknown", "there is no such channel")),
            Found::Unknown => Err(unknown()),
        }
    }

    /// Returns the parsed version of a binary.
    pub(crate) fn binary_version(&self, text: &str) -> Result<BinaryVersion, Refusal> {
        if let Some(version) = self.binaries.get(text) {
            return Ok(version);
        }
        if text.len() > BINARY_RANGE_MAX_BYTES {
            return Err(invalid("binary must be at most 256 bytes".to_owned()));
        }
        let version: BinaryVersion =
            text.parse().map_err(|error: domain::error::Invalid| invalid(format!("binary {}", error.rule)))?;
        if text.len() <= BINARY_CACHED_MAX_BYTES {
            self.binaries.insert(text.into(), version.clone());
        }
        Ok(version)
    }
}

/// It may exist: never say that there is no update.
fn unknown() -> Refusal {
    const RETRY_AFTER_S: u32 = 5;
    Refusal::unavailable("channel-not-here", "the edge does not know the channel yet", RETRY_AFTER_S)
}
