//! This file's job is to name what webhooks are told, and when telling them is tried again.

use crate::text_enum::text_enum;
use std::time::Duration;

text_enum! {
    /// What a webhook is told, in the order of the documentation.
    pub enum WebhookEvent {
        /// A release was published, promoted, or made by rolling back.
        ReleaseCreated => "release.created",
        /// Something about a release was changed, its rollout apart.
        ReleaseUpdated => "release.updated",
        /// A release was deleted.
        ReleaseDeleted => "release.deleted",
        /// The share or the state of a rollout was changed.
        RolloutChanged => "rollout.changed",
        /// An upload became a bundle.
        UploadReady => "upload.ready",
        /// An upload was refused, or could not be processed.
        UploadFailed => "upload.failed",
        /// Four fifths of what the plan allows are used.
        QuotaWarning => "quota.warning",
        /// All that the plan allows is used.
        QuotaReached => "quota.reached",
        /// The organization has another plan, or its plan allows something else.
        PlanChanged => "plan.changed",
        /// Somebody wants to see whether the webhook works. Sent to the one that is tried only.
        WebhookTest => "webhook.test",
        /// A job failed for good. For whoever runs the installation.
        JobDead => "job.dead",
    }
}

impl WebhookEvent {
    /// Says whether a webhook of an organization can ask for it.
    #[must_use]
    pub const fn can_be_asked_for(self) -> bool {
        match self {
            Self::ReleaseCreated
            | Self::ReleaseUpdated
            | Self::ReleaseDeleted
            | Self::RolloutChanged
            | Self::UploadReady
            | Self::UploadFailed
            | Self::QuotaWarning
            | Self::QuotaReached
            | Self::PlanChanged => true,
            Self::WebhookTest | Self::JobDead => false,
        }
    }
}

/// The first try and seven more within 32 hours: a receiver that is away over night gets everything.
pub const TRIES_MAX: u32 = 8;

/// Returns how long after the failed try (counted from 1) the next one comes, or `None` after the last. Callers add jitter.
#[must_use]
pub const fn retry_delay(tries: u32) -> Option<Duration> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let seconds = match tries {
        0 | 1 => 5,
        2 => MINUTE,
        3 => 10 * MINUTE,
        4 => HOUR,
        5 => 4 * HOUR,
        6 => 10 * HOUR,
        7 => 16 * HOUR,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_ends_after_the_last_try() {
        assert!((1..TRIES_MAX).all(|tries| retry_delay(tries).is_some()));
        assert_eq!(retry_delay(TRIES_MAX), None);
        let all: Duration = (1..TRIES_MAX).filter_map(retry_delay).sum();
        assert!(all > Duration::from_secs(31 * 3_600) && all < Duration::from_secs(32 * 3_600), "{all:?}");
    }
}
