//! This file's job is `aloft pin`, `aloft unpin` and `aloft pins`: give single devices a release whatever their bucket.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Gives one device one release whatever its bucket.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  aloft pin dev_01j9z3k4m5n6p7q8r9s0t1v2w3 v4 --app trailhead --channel production")]
pub struct PinArguments {
    /// The device's id, or the name that its client chose.
    pub device: String,
    /// The release: its label such as v4, or its id.
    pub release: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
}

/// Removes a device's pin.
#[derive(Debug, clap::Args)]
pub struct UnpinArguments {
    /// The device's id, or the name that its client chose.
    pub device: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
}

/// Lists a channel's pins.
#[derive(Debug, clap::Args)]
pub struct PinsArguments {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
}

/// A pin.
#[derive(Debug, Serialize)]
pub struct Pin {
    /// The device.
    pub device: String,
    /// The release's full name.
    pub release: String,
    /// Microseconds since 1970.
    pub created_at_us: i64,
}

impl From<v1::DevicePin> for Pin {
    fn from(pin: v1::DevicePin) -> Self {
        Self { device: pin.device, release: pin.release, created_at_us: pin.created_at_us }
    }
}

impl Display for Pin {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} gets {}", self.device, names::short(&self.release))
    }
}

/// All pins of a channel.
#[derive(Debug, Serialize)]
pub struct Pins {
    /// The pins, by device.
    pub pins: Vec<Pin>,
}

impl Display for Pins {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |pin: &Pin| {
            vec![pin.device.clone(), names::short(&pin.release).to_owned(), moment::text(pin.created_at_us)]
        };
        let rows: Vec<_> = self.pins.iter().map(row).collect();
        f.write_str(&table::text(&["device", "release", "pinned"], &rows))
    }
}

/// That a pin is gone.
#[derive(Debug, Serialize)]
pub struct Unpinned {
    /// The device.
    pub unpinned: String,
}

impl Display for Unpinned {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} is not pinned any more", self.unpinned)
    }
}

/// Pins a device.
pub async fn pin(arguments: PinArguments, connection: &Connection) -> Result<AnyReport, Error> {
    let parent = arguments.address.name()?;
    let request = v1::PinDeviceRequest { parent, device: arguments.device, release: arguments.release };
    let answer = connection.answer(connection.channels().pin_device(request).await)?;
    Ok(Box::new(Pin::from(answer.pin.ok_or_else(|| Error::missing("the pin"))?)))
}

/// Removes a pin.
pub async fn unpin(arguments: UnpinArguments, connection: &Connection) -> Result<AnyReport, Error> {
    let UnpinArguments { device, address } = arguments;
    let request = v1::UnpinDeviceRequest { parent: address.name()?, device: device.clone() };
    connection.answer(connection.channels().unpin_device(request).await)?;
    Ok(Box::new(Unpinned { unpinned: device }))
}

/// Lists pins.
pub async fn pins(arguments: PinsArguments, connection: &Connection) -> Result<AnyReport, Error> {
    let pins = paging::pins(connection, &arguments.address.name()?).await?.into_iter().map(Into::into).collect();
    Ok(Box::new(Pins { pins }))
}
