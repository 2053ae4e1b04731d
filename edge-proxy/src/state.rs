//! This file's job is to hold what every request needs.

use crate::access::AccessLog;
use crate::admission::DeviceClass;
use crate::allowance::{Allowance, BURST, Rate};
use crate::blobs::Blobs;
use crate::check::answers::Answers;
use crate::config::Config;
use crate::meters::Meters;
use crate::protocols::expo::frozen::Multipart;
use crate::protocols::expo::reports::Reported;
use crate::refusal::{Quota, Refusal};
use crate::snapshot::Channel;
use crate::snapshot::channels::{Channels, Keyed};
use crate::sync::interest::{Found, Interests};
use crate::sync::wishes::Wishes;
use crate::telemetry::counts::Counts;
use crate::telemetry::served::Served;
use crate::telemetry::spool::Spool;
use domain::codepush::DeploymentKey;
use domain::id::AppId;
use domain::snapshot::ChannelKey;
use runtime::clock::Clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a device waits for a channel that nobody asked for before.
const CHANNEL_WAIT: Duration = Duration::from_secs(1);

/// Networks that are counted at the same time, some 200 bytes each.
const NETWORKS_MAX: u64 = 65_536;

/// Everything that requests share.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) channels: Arc<Channels>,
    pub(crate) interests: Arc<Interests>,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) answers: Answers,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) clock: Clock,
    /// What each network may still register of each app.
    registrations: moka::sync::Cache<(IpAddr, AppId), Arc<Allowance>>,
    pub(crate) reported: Reported,
    pub(crate) served: Served,
    /// What Expo clients are told when nothing is new.
    pub(crate) no_update: Option<Multipart>,
}

/// The parts that are made elsewhere.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) channels: Arc<Channels>,
    pub(crate) interests: Arc<Interests>,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) clock: Clock,
}

impl State {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, channels, interests, wishes, blobs, spool, counts, meters, access, clock } = parts;
        // Half of the memory is for answers, half for small blobs.
        let answers = Answers::new(config.memory_max_bytes / 2);
        // Whoever was silent for that long has its whole burst again anyway.
        let registrations = moka::sync::Cache::builder().max_capacity(NETWORKS_MAX).time_to_idle(BURST).build();
        let served = Served::new(counts.clone());
        Self {
            config,
            channels,
            interests,
            wishes,
            answers,
            blobs,
            spool,
            counts,
            meters,
            access,
            clock,
            registrations,
            reported: Reported::new(),
            served,
            no_update: Multipart::no_update(),
        }
    }

    /// Takes a request of one of the app's devices in. Only for those who have proven to be one: nobody else may use up what they have.
    pub(crate) fn admit(&self, channel: &Channel, class: DeviceClass) -> Result<(), Refusal> {
        let taken = channel.allowance.get().map_or(Ok(()), |allowance| allowance.take(class, &self.config));
        taken.map_err(|quota| self.too_many(quota))
    }

    /// Counts a request that a limit refuses.
    pub(crate) fn too_many(&self, quota: Quota) -> Refusal {
        self.meters.limited.with_label_values(&[quota.name]).inc();
        Refusal::too_many(quota)
    }

    /// Takes a registration in: one network registers only so many devices of one app, whatever nonces it makes up.
    pub(crate) fn admit_registration(&self, app: &AppId, from: IpAddr) -> Result<(), Refusal> {
        let rate = Rate(self.config.registrations_per_s);
        let allowance = self.registrations.get_with((from, app.clone()), Arc::default);
        let quota = |reset| Quota { name: "registration", of: "address for this app", rate, left: 0, reset };
        allowance.take(rate).map(drop).map_err(|wait| self.too_many(quota(wait)))
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

    /// Returns what the deployment key stands for; asks the control plane when that is not here.
    pub(crate) async fn keyed(&self, key: &DeploymentKey) -> Result<Keyed, Refusal> {
        if let Some(keyed) = self.channels.find_keyed(key.as_str()) {
            return Ok(keyed);
        }
        match self.interests.wait_for_key(key, CHANNEL_WAIT).await {
            Found::Present => self.channels.find_keyed(key.as_str()).ok_or_else(unknown),
            Found::Absent => Err(Refusal::not_found("deployment-key-unknown", "there is no such deployment key")),
            Found::Unknown => Err(unknown()),
        }
    }
}

/// It may exist: never say that there is no update.
fn unknown() -> Refusal {
    const RETRY_AFTER_S: u32 = 5;
    Refusal::unavailable("channel-not-here", "the edge does not know the channel yet", RETRY_AFTER_S)
}
