//! This file's job is to convert telemetry events.

use super::{
    InField as _, InvalidMessage, optional_sha256_from_wire, platform_from_wire, platform_to_wire, sha256_to_wire,
};
use crate::v1;
use domain::Timestamp;
use domain::telemetry::{EVENT_DETAIL_MAX_BYTES, Event};

/// Longer texts are no versions.
const BINARY_VERSION_MAX_BYTES: usize = 256;

/// Writes an event.
#[must_use]
pub fn event_to_wire(event: &Event) -> v1::TelemetryEvent {
    v1::TelemetryEvent {
        event_id: event.id.to_string(),
        app_id: event.app.to_string(),
        channel_name: event.channel.to_string(),
        device_id: event.device.to_string(),
        kind: event.kind.to_string(),
        platform: platform_to_wire(event.platform).into(),
        binary_version: event.binary_version.clone().unwrap_or_default(),
        release_id: event.release.as_ref().map(ToString::to_string).unwrap_or_default(),
        bundle_sha256: event.bundle.as_ref().map(sha256_to_wire).unwrap_or_default(),
        received_at_us: event.received_at.as_us(),
        detail: event.detail.clone().unwrap_or_default(),
    }
}

/// Reads an event and checks every bound.
///
/// # Errors
/// The first field that breaks a rule.
pub fn event_from_wire(event: v1::TelemetryEvent) -> Result<Event, InvalidMessage> {
    if event.detail.len() > EVENT_DETAIL_MAX_BYTES {
        return Err(InvalidMessage::new("detail", "must be at most 2048 bytes"));
    }
    if event.binary_version.len() > BINARY_VERSION_MAX_BYTES {
        return Err(InvalidMessage::new("binary_version", "must be at most 256 bytes"));
    }
    let release =
        (!event.release_id.is_empty()).then(|| event.release_id.parse()).transpose().in_field("release_id")?;
    Ok(Event {
        id: event.event_id.parse().in_field("event_id")?,
        app: event.app_id.parse().in_field("app_id")?,
        channel: event.channel_name.parse().in_field("channel_name")?,
        device: event.device_id.parse().in_field("device_id")?,
        kind: event.kind.parse().in_field("kind")?,
        platform: platform_from_wire(event.platform, "platform")?,
        binary_version: (!event.binary_version.is_empty()).then_some(event.binary_version),
        release,
        bundle: optional_sha256_from_wire(&event.bundle_sha256, "bundle_sha256")?,
        received_at: Timestamp::from_us(event.received_at_us),
        detail: (!event.detail.is_empty()).then_some(event.detail),
    })
}
