//! This file's job is to tie single devices to a release, and to untie them.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath, NamedRelease};
use db::Tx;
use db::device_pins::Pin;
use domain::ErrorKind;
use domain::device::DeviceKey;
use domain::snapshot::PINS_MAX;
use proto::v1::{self, Reason};

/// Reads a device.
///
/// # Errors
/// Invalid argument that names the field.
pub fn device(field: &'static str, text: &str) -> Result<DeviceKey> {
    text.parse().map_err(Error::in_field(field))
}

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewPin {
    channel: ChannelPath,
    device: DeviceKey,
    release: NamedRelease,
}

impl NewPin {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::PinDeviceRequest) -> Result<Self> {
        Ok(Self {
            channel: names::channel("parent", &request.parent)?,
            device: device("device", &request.device)?,
            release: names::named_release("release", &request.release)?,
        })
    }
}

/// Gives the device the release whatever its bucket.
///
/// # Errors
/// Resource exhausted when the channel has as many pins as it may have.
pub fn pin(tx: &mut Tx<'_>, change: &Change, new: &NewPin) -> Result<(Pin, String)> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, &new.channel)?;
    let release = lookup::named_release(tx, scope, &channel, &new.release)?;
    let pin = Pin {
        channel: channel.id.clone(),
        device_key: new.device.clone(),
        release: release.id.clone(),
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
    };
    db::device_pins::set(tx, scope, &pin).map_err(|error| match error {
        db::Error::FailedPrecondition { rule } => {
            Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, rule).with("limit", PINS_MAX)
        }
        other => other.into(),
    })?;
    let resource = names::of_release(&channel.app, &channel.id, &release.id);
    record::done(tx, change, "PinDevice", resource.clone(), &[("device", new.device.as_str())])?;
    Ok((pin, resource))
}

/// Removes the device's pin.
///
/// # Errors
/// Not found when it has none.
pub fn unpin(tx: &mut Tx<'_>, change: &Change, channel: &ChannelPath, device: &DeviceKey) -> Result<()> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, channel)?;
    db::device_pins::remove(tx, scope, &channel.id, device, change.now)?;
    let resource = names::of_channel(&channel.app, &channel.id);
    record::done(tx, change, "UnpinDevice", resource, &[("device", device.as_str())])
}
