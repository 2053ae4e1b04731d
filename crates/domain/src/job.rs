//! This file's job is to name the kinds of background work, the tiers they queue in and how they are retried.

use crate::id::{BundleId, DeliveryId, MailId, OrganizationId, ReleaseId, UploadId};
use crate::text_enum::text_enum;
use crate::time::Timestamp;
use std::time::Duration;

text_enum! {
    /// The queue tier of an organization's plan, best first.
    pub enum Tier {
        /// Enterprise.
        P0 => "p0",
        /// Team.
        P1 => "p1",
        /// Pro.
        P2 => "p2",
        /// Free.
        P3 => "p3",
    }
}

impl Tier {
    /// Returns the tier's number, 0 to 3, as the job table stores it.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::P0 => 0,
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
        }
    }

    /// Returns the tier with this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|tier| tier.number() == number)
    }
}

text_enum! {
    /// The kind of a job, as the job table stores it.
    pub enum JobKind {
        /// Turn an upload into a bundle.
        ProcessUpload => "process-upload",
        /// Choose what a release gets deltas from.
        PlanDeltas => "plan-deltas",
        /// Make the delta from one bundle to another.
        MakeDelta => "make-delta",
        /// Compress the files of a bundle.
        MakeVariants => "make-variants",
        /// Make the package of a release for CodePush's clients.
        MakePackage => "make-package",
        /// Make what differs between two packages.
        MakePackageDiff => "make-package-diff",
        /// Send a mail.
        SendMail => "send-mail",
        /// Send a webhook what happened.
        SendWebhook => "send-webhook",
    }
}

text_enum! {
    /// How hard deltas and compressed files are made smaller.
    pub enum DeltaEffort {
        /// Seconds: what is offered first.
        Quick => "quick",
        /// Up to minutes: what replaces it.
        Best => "best",
    }
}

text_enum! {
    /// Which of a tier's two lanes a job queues in. They take turns: a claim prefers the foreground, and now and then the background,
    /// so that neither starves.
    pub enum Lane {
        /// Somebody waits for it.
        Foreground => "foreground",
        /// It makes something better that works already.
        Background => "background",
    }
}

impl Lane {
    /// Returns the lane that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Foreground => Self::Background,
            Self::Background => Self::Foreground,
        }
    }
}

impl JobKind {
    /// Returns the lane of jobs of this kind.
    #[must_use]
    pub const fn lane(self) -> Lane {
        match self {
            // Diffs take seconds: behind patches, which take minutes, they would come when most devices have the whole package.
            Self::ProcessUpload | Self::MakePackage | Self::MakePackageDiff | Self::SendMail | Self::SendWebhook => {
                Lane::Foreground
            }
            Self::PlanDeltas | Self::MakeDelta | Self::MakeVariants => Lane::Background,
        }
    }
}

/// One piece of background work. The payload is small: ids only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Verify, unpack, hash and store an upload, then make its bundle ready.
    ProcessUpload {
        /// The upload.
        upload: UploadId,
    },
    /// Choose the bundles that devices update to this release from, and ask for the deltas.
    PlanDeltas {
        /// The release.
        release: ReleaseId,
    },
    /// Make the deltas for the launch file of `to`, given the one of `from`.
    MakeDelta {
        /// The bundle that devices have.
        from: BundleId,
        /// The bundle that they get.
        to: BundleId,
        /// How small they shall become.
        effort: DeltaEffort,
    },
    /// Compress the files of a bundle that get smaller by it.
    MakeVariants {
        /// The bundle.
        bundle: BundleId,
        /// How small they shall become.
        effort: DeltaEffort,
    },
    /// Pack the bundle of a release as one zip file, which CodePush's clients wait for, and ask for diffs that lead to it.
    MakePackage {
        /// The release.
        release: ReleaseId,
    },
    /// Pack what `to` has that `from` lacks.
    MakePackageDiff {
        /// The bundle whose package devices have.
        from: BundleId,
        /// The bundle that they get.
        to: BundleId,
    },
    /// Send a mail with a fresh token.
    SendMail {
        /// The mail.
        mail: MailId,
    },
    /// Send a webhook what happened.
    SendWebhook {
        /// What is sent to which webhook.
        delivery: DeliveryId,
    },
}

/// Returns the tenant of work that concerns no organization, such as mail to somebody who has an account only.
#[must_use]
pub fn system_tenant() -> OrganizationId {
    OrganizationId::from_parts(Timestamp::from_us(0), [0; 10])
}

impl Job {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::ProcessUpload { .. } => JobKind::ProcessUpload,
            Self::PlanDeltas { .. } => JobKind::PlanDeltas,
            Self::MakeDelta { .. } => JobKind::MakeDelta,
            Self::MakeVariants { .. } => JobKind::MakeVariants,
            Self::MakePackage { .. } => JobKind::MakePackage,
            Self::MakePackageDiff { .. } => JobKind::MakePackageDiff,
            Self::SendMail { .. } => JobKind::SendMail,
            Self::SendWebhook { .. } => JobKind::SendWebhook,
        }
    }

    /// Returns the text under which only one live job may exist.
    #[must_use]
    pub fn unique_key(&self) -> String {
        match self {
            Self::ProcessUpload { upload } => format!("{}:{upload}", JobKind::ProcessUpload),
            Self::PlanDeltas { release } => format!("{}:{release}", JobKind::PlanDeltas),
            Self::MakeDelta { from, to, effort } => format!("{}:{from}:{to}:{effort}", JobKind::MakeDelta),
            Self::MakeVariants { bundle, effort } => format!("{}:{bundle}:{effort}", JobKind::MakeVariants),
            Self::MakePackage { release } => format!("{}:{release}", JobKind::MakePackage),
            Self::MakePackageDiff { from, to } => format!("{}:{from}:{to}", JobKind::MakePackageDiff),
            Self::SendMail { mail } => format!("{}:{mail}", JobKind::SendMail),
            Self::SendWebhook { delivery } => format!("{}:{delivery}", JobKind::SendWebhook),
        }
    }
}

/// The first run and three retries.
pub const ATTEMPTS_MAX: u32 = 4;

/// Returns how long to wait after the failed attempt (counted from 1), or `None` when the job is dead. Callers add jitter.
#[must_use]
pub const fn retry_delay(attempt: u32) -> Option<Duration> {
    match attempt {
        0 | 1 => Some(Duration::from_secs(1)),
        2 => Some(Duration::from_secs(10)),
        3 => Some(Duration::from_secs(100)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_dies_after_its_last_attempt() {
        assert!((1..ATTEMPTS_MAX).all(|attempt| retry_delay(attempt).is_some()));
        assert_eq!(retry_delay(ATTEMPTS_MAX), None);
    }

    #[test]
    fn tier_numbers_round_trip() {
        for &tier in Tier::ALL {
            assert_eq!(Tier::from_number(tier.number()), Some(tier));
        }
        assert_eq!(Tier::from_number(4), None);
    }
}
