//! This file's job is to define what devices report and how much of it is taken.

use crate::hash::Sha256;
use crate::id::{AppId, DeviceId, EventId, ReleaseId};
use crate::name::{ChannelName, Platform};
use crate::text_enum::text_enum;
use crate::time::Timestamp;

/// Devices send what happened since the last start; more is a loop gone wrong.
pub const EVENTS_PER_REQUEST_MAX: usize = 100;
/// A stack trace's head; whole traces belong in a crash reporter.
pub const EVENT_DETAIL_MAX_BYTES: usize = 2_048;

text_enum! {
    /// What happened on the device.
    pub enum EventKind {
        /// The device registered itself (made by the edge, not by the device).
        Registered => "registered",
        /// All files of a release are on the device and verified.
        Downloaded => "downloaded",
        /// The release will run from the next start on.
        Installed => "installed",
        /// The release started and said that it works.
        Launched => "launched",
        /// The release crashed before it said that it works.
        Crashed => "crashed",
        /// The device went back to an earlier bundle.
        RolledBack => "rolled-back",
        /// A download or an installation failed.
        Failed => "failed",
    }
}

/// One thing that happened on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Made by the device, so that a repeated report is stored once.
    pub id: EventId,
    /// The app.
    pub app: AppId,
    /// The channel that the device follows.
    pub channel: ChannelName,
    /// The device.
    pub device: DeviceId,
    /// What happened.
    pub kind: EventKind,
    /// What it runs on.
    pub platform: Platform,
    /// The version of the native binary, as the device wrote it.
    pub binary_version: Option<String>,
    /// The release that it happened to.
    pub release: Option<ReleaseId>,
    /// The bundle that it happened to.
    pub bundle: Option<Sha256>,
    /// When the edge took it in; a device's own clock is not trusted.
    pub received_at: Timestamp,
    /// A short text, for instance an error message.
    pub detail: Option<String>,
}
