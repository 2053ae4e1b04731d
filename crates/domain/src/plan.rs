//! This file's job is to name the plans and what each one allows.

use crate::job::Tier;
use crate::text_enum::text_enum;

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
    /// How long what devices report is kept.
    pub retention_days: u32,
}
