//! This file's job is to define the worker's configuration.

use crate::webhook;
use domain::job::Tier;
use domain::web_address::WebReach;
use runtime::config::{Problems, Validate};
use runtime::secret::{ExposeSecret as _, Secret};
use runtime::vault;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// More jobs at once than this need more machines, not more slots.
const SLOTS_MAX: u32 = 64;

/// Snapshots name every delta, so there must not be too many.
const BASES_MAX: u32 = 100;

/// The configuration; `config.default.toml` says what each key means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where archives are unpacked.
    pub spool_folder: PathBuf,
    /// How long a job stays leased without a heartbeat.
    pub lease_ms: u64,
    /// How often a heartbeat is sent.
    pub heartbeat_ms: u64,
    /// How often the queue is looked at when no signal came.
    pub poll_ms: u64,
    /// How often jobs of lost workers are looked for.
    pub rescue_ms: u64,
    /// Size of all files of an archive together.
    pub unpacked_max_bytes: u64,
    /// Size of one file of an archive.
    pub file_max_bytes: u64,
    /// How many bundles a release gets deltas from, besides those of binaries.
    pub delta_bases: u32,
    /// How long deltas of one pair of bundles, or the compressed files of one, may take to make, at first.
    pub delta_quick_ms: u64,
    /// How long making them smaller may take.
    pub delta_best_ms: u64,
    /// What making one delta may allocate.
    pub delta_memory_max_bytes: u64,
    /// Jobs of the background lane that run at once, in all tiers together.
    pub background_slots: u32,
    /// Where browsers see the control plane; links in mails begin with it.
    pub public_url: String,
    /// How mails are handed on.
    pub mail_transport: MailTransport,
    /// The folder that mails are written into.
    pub mail_folder: PathBuf,
    /// The server that mails are handed to; may hold a password.
    pub mail_smtp_url: Secret,
    /// Who mails are from.
    pub mail_from: String,
    /// Protects stored secrets when there are no master keys; the control plane's.
    pub pepper: Secret,
    /// Under which secrets in the database are sealed; the control plane's.
    pub master_keys: Vec<Secret>,
    /// Whether webhooks may lead to private networks, and be unencrypted.
    pub webhooks_to_private_networks: bool,
    /// Where whoever runs the installation is told of jobs that died; empty for nowhere.
    pub operator_webhook_url: String,
    /// With which these messages are signed.
    pub operator_webhook_secret: Secret,
    /// The slots of each tier.
    pub tiers: Tiers,
}

/// How mails are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// Into a folder, one file each.
    File,
    /// To an SMTP server.
    Smtp,
}

/// The slots of each tier.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// Enterprise.
    pub p0: TierConfig,
    /// Team.
    pub p1: TierConfig,
    /// Pro.
    pub p2: TierConfig,
    /// Free.
    pub p3: TierConfig,
}

/// How much of one tier runs at once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierConfig {
    /// Jobs that run at once; more when other tiers lend their idle slots.
    pub slots: u32,
    /// How many of them are not lent while they are idle.
    pub kept_slots: u32,
    /// Jobs that are claimed at once at most.
    pub batch: u32,
    /// Jobs of one organization that run at once, on all workers together; 0 for no limit.
    pub tenant_slots: u32,
    /// How long a job may run altogether.
    pub deadline_ms: u64,
}

impl Tiers {
    /// Returns what is configured for the tier.
    #[must_use]
    pub const fn of(&self, tier: Tier) -> TierConfig {
        match tier {
            Tier::P0 => self.p0,
            Tier::P1 => self.p1,
            Tier::P2 => self.p2,
            Tier::P3 => self.p3,
        }
    }
}

impl Config {
    /// The commented defaults of the `[worker]` table.
    pub const DEFAULTS: &str = include_str!("../config.default.toml");

    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) const fn web_reach(&self) -> WebReach {
        if self.webhooks_to_private_networks { WebReach::Everywhere } else { WebReach::Public }
    }

    pub(crate) fn limits(&self) -> bundle::Limits {
        bundle::Limits {
            file_max_bytes: self.file_max_bytes,
            total_max_bytes: self.unpacked_max_bytes,
            ..bundle::Limits::default()
        }
    }
}

impl Config {
    fn validate_mail(&self, problems: &mut Problems) {
        let is_sender = self.mail_from.parse::<lettre::message::Mailbox>().is_ok();
        problems.require(is_sender, "worker.mail_from", "must be an address such as Aloft <aloft@example.com>");
        match self.mail_transport {
            MailTransport::File => {
                let is_named = !self.mail_folder.as_os_str().is_empty();
                problems.require(is_named, "worker.mail_folder", "must not be empty");
            }
            MailTransport::Smtp => {
                let url = self.mail_smtp_url.expose_secret();
                let is_url = ["smtp://", "smtps://"].iter().any(|scheme| url.starts_with(scheme));
                problems.require(is_url, "worker.mail_smtp_url", "must begin with smtp:// or smtps://");
                let is_web = ["https://", "http://"].iter().any(|scheme| self.public_url.starts_with(scheme));
                problems.require(is_web, "worker.public_url", "must be where browsers see the control plane");
            }
        }
    }
}

impl Config {
    fn validate_webhooks(&self, problems: &mut Problems) {
        for key in &self.master_keys {
            if let Err(rule) = vault::parse(key) {
                problems.add("worker.master_keys", rule);
            }
        }
        if !self.operator_webhook_url.is_empty() {
            if let Err(invalid) = self.web_reach().read(&self.operator_webhook_url) {
                problems.add("worker.operator_webhook_url", invalid.rule);
            }
            let is_secret = webhook::read_secret(self.operator_webhook_secret.expose_secret()).is_some();
            let rule = "must be whsec_ and 24 to 64 bytes in base64";
            problems.require(is_secret, "worker.operator_webhook_secret", rule);
        }
    }
}

impl Validate for Config {
    fn validate(&self, problems: &mut Problems) {
        problems.require(!self.spool_folder.as_os_str().is_empty(), "worker.spool_folder", "must not be empty");
        let beats = self.heartbeat_ms > 0 && self.heartbeat_ms.saturating_mul(2) <= self.lease_ms;
        problems.require(beats, "worker.heartbeat_ms", "must be at most half of lease_ms, so that one may get lost");
        problems.require(self.poll_ms > 0, "worker.poll_ms", "must not be 0");
        problems.require(self.rescue_ms > 0, "worker.rescue_ms", "must not be 0");
        problems.require(self.file_max_bytes > 0, "worker.file_max_bytes", "must not be 0");
        let holds_one = self.unpacked_max_bytes >= self.file_max_bytes;
        problems.require(holds_one, "worker.unpacked_max_bytes", "must be at least file_max_bytes");
        let shortest_ms = Tier::ALL.iter().map(|&tier| self.tiers.of(tier).deadline_ms).min().unwrap_or(u64::MAX);
        for (key, time_ms) in [("delta_quick_ms", self.delta_quick_ms), ("delta_best_ms", self.delta_best_ms)] {
            let ends = (1..shortest_ms).contains(&time_ms);
            problems.require(
                ends,
                &format!("worker.{key}"),
                "must be at least 1 and less than every tier's deadline_ms",
            );
        }
        problems.require(self.delta_bases <= BASES_MAX, "worker.delta_bases", "must be at most 100");
        problems.require(self.delta_memory_max_bytes > 0, "worker.delta_memory_max_bytes", "must not be 0");
        problems.require(self.background_slots > 0, "worker.background_slots", "must not be 0");
        self.validate_mail(problems);
        self.validate_webhooks(problems);
        for &tier in Tier::ALL {
            let TierConfig { slots, kept_slots, batch, tenant_slots: _, deadline_ms } = self.tiers.of(tier);
            let key = format!("worker.tiers.{tier}");
            let keeps_some = (1..=slots).contains(&kept_slots);
            problems.require(keeps_some, &format!("{key}.kept_slots"), "must be 1 to slots, so that no tier starves");
            let lasts = deadline_ms >= self.lease_ms;
            problems.require(lasts, &format!("{key}.deadline_ms"), "must be at least lease_ms");
            problems.require((1..=SLOTS_MAX).contains(&slots), &format!("{key}.slots"), "must be 1 to 64");
            problems.require(batch > 0, &format!("{key}.batch"), "must not be 0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        worker: Config,
    }

    impl Validate for Whole {
        fn validate(&self, problems: &mut Problems) {
            self.worker.validate(problems);
        }
    }

    fn load(variables: &[(&str, &str)]) -> Result<Whole, Problems> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        runtime::config::load(&[Config::DEFAULTS], None, variables.collect::<Vec<_>>().into_iter())
    }

    #[test]
    fn the_defaults_are_valid_and_give_better_plans_more_slots() {
        let tiers = load(&[]).unwrap_or_else(|problems| panic!("{problems}")).worker.tiers;
        let slots = Tier::ALL.iter().map(|&tier| tiers.of(tier).slots).collect::<Vec<_>>();
        let batches = Tier::ALL.iter().map(|&tier| tiers.of(tier).batch).collect::<Vec<_>>();
        assert_eq!((slots, batches), (vec![5, 3, 2, 1], vec![10, 5, 3, 1]));
    }

    #[test]
    fn a_job_of_a_killed_worker_is_taken_back_within_35_seconds() {
        let config = load(&[]).unwrap_or_else(|problems| panic!("{problems}")).worker;
        assert!(config.lease_ms + config.rescue_ms <= 35_000);
    }

    #[test]
    fn mail_over_smtp_needs_a_server_and_an_address_for_links() {
        let problems = load(&[("ALOFT_WORKER__MAIL_TRANSPORT", "smtp")]).map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains("worker.mail_smtp_url") && problems.contains("worker.public_url"), "{problems}");
        let server = ("ALOFT_WORKER__MAIL_SMTP_URL", "smtps://user:password@mail.example.com");
        let site = ("ALOFT_WORKER__PUBLIC_URL", "https://aloft.example.com");
        assert!(load(&[("ALOFT_WORKER__MAIL_TRANSPORT", "smtp"), server, site]).is_ok());
    }

    #[test]
    fn the_operator_s_webhook_needs_a_secret_and_leads_out() {
        const URL: &str = "ALOFT_WORKER__OPERATOR_WEBHOOK_URL";
        let problems = load(&[(URL, "https://10.0.0.1/")]).map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains("private network") && problems.contains("operator_webhook_secret"), "{problems}");
        let secret = ("ALOFT_WORKER__OPERATOR_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert!(load(&[(URL, "https://hooks.example.com/"), secret]).is_ok());
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        let wrong = [("ALOFT_WORKER__HEARTBEAT_MS", "20000"), ("ALOFT_WORKER__TIERS__P3__SLOTS", "0")];
        let problems = load(&wrong).map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains("worker.heartbeat_ms") && problems.contains("worker.tiers.p3.slots"), "{problems}");
    }
}
