//! This file's job is to name the plans and what each one allows.

use crate::job::Tier;
use crate::text_enum::text_enum;
use crate::webhook::WebhookEvent;
use std::time::Duration;

text_enum! {
    /// The plan of an organization, least first.
    pub enum PlanName {
        /// To try it out.
        Free => "free",
        /// For one app in production.
        Pro => "pro",
        /// For several apps and people.
        Team => "team",
        /// For everything else.
        Enterprise => "enterprise",
    }
}

/// What a plan allows. The numbers are data: the operator may change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which plan it is.
    pub name: PlanName,
    /// The tier in which its jobs wait.
    pub tier: Tier,
    /// Uploads that may be open at the same time.
    pub uploads_max: u32,
    /// The largest archive in bytes.
    pub archive_max_bytes: u64,
    /// Processed uploads in a calendar month, in UTC.
    pub builds_per_month: u32,
    /// Requests of one credential in a minute.
    pub requests_per_minute: u32,
    /// Registered devices.
    pub devices_max: u64,
    /// How long what devices report is kept, and what nobody can be offered.
    pub retention_days: u32,
}

impl Plan {
    /// Returns how long what devices report is kept, and what nobody can be offered.
    #[must_use]
    pub const fn retention(&self) -> Duration {
        const DAY_S: u64 = 24 * 60 * 60;
        Duration::from_secs(self.retention_days as u64 * DAY_S)
    }
}

/// Returns from which use on a limit is nearly reached: four fifths.
#[must_use]
pub const fn nearly(limit: u64) -> u64 {
    limit - limit / 5
}

/// Returns what there is to tell when the use of something limited grows: that it is all used, else that four fifths are, else nothing.
/// Each is told once, when it is reached.
#[must_use]
pub const fn crossed(limit: u64, before: u64, after: u64) -> Option<WebhookEvent> {
    let warning = nearly(limit);
    if before < limit && limit <= after {
        Some(WebhookEvent::QuotaReached)
    } else if before < warning && warning <= after {
        Some(WebhookEvent::QuotaWarning)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_fifths_and_all_are_told_once_each() {
        let told: Vec<_> = (0..15).filter_map(|before| Some((before + 1, crossed(10, before, before + 1)?))).collect();
        assert_eq!(told, [(8, WebhookEvent::QuotaWarning), (10, WebhookEvent::QuotaReached)]);
        assert_eq!(crossed(10, 3, 12), Some(WebhookEvent::QuotaReached), "more at once");
        assert_eq!(crossed(0, 0, 1), None, "what nobody may use is not used up");
        assert_eq!(crossed(1, 0, 1), Some(WebhookEvent::QuotaReached));
    }
}
