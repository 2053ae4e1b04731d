//! This file's job is to know devices by the ids that CodePush's clients choose.

use crate::devices::token::split;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use domain::device::DeviceKey;
use domain::hash::Hasher;
use domain::id::{AppId, DeviceId};
use domain::{Sha256, Timestamp};

/// Returns the id under which the platform knows a client of an app.
pub(super) fn id_of(app: &AppId, client: &str) -> DeviceId {
    let (time, random) = bits(&["codepush-device", app.as_str(), client]);
    DeviceId::from_parts(time, random)
}

/// Refuses a device that is revoked. One that does not say who it is cannot be told from others.
pub(super) fn check_revoked(channel: &Channel, client: Option<&DeviceKey>) -> Result<(), Refusal> {
    // Hardly any app has revoked a device, and the id takes a hash to make.
    if channel.snapshot.revoked_devices.is_empty() {
        return Ok(());
    }
    let app = &channel.snapshot.key.app;
    client.map_or(Ok(()), |client| channel.check_revoked(id_of(app, client.as_str()).as_str()))
}

/// Makes the two parts of an id from texts.
pub(super) fn bits(parts: &[&str]) -> (Timestamp, [u8; 10]) {
    let mut hasher = Hasher::default();
    for part in parts {
        hasher.update(part.as_bytes());
        // In none of the parts, so that ("ab", "c") and ("a", "bc") differ.
        hasher.update(&[0x1f]);
    }
    let hash: Sha256 = hasher.finish();
    split(hash.as_bytes())
}
