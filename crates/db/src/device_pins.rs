//! This file's job is to read and write which devices get a release whatever their bucket.

use crate::column::{all, page, row};
use crate::dialect::db;
use crate::schema::device_pin;
use crate::{DbConn, Error, Result, Scope, Tx, channels, releases};
use diesel::prelude::*;
use diesel::upsert::excluded;
use domain::Timestamp;
use domain::device::DeviceKey;
use domain::id::{ChannelId, ReleaseId};
use domain::snapshot::PINS_MAX;

row! {
    /// A device tied to a release of a channel.
    pub struct Pin as PinRow in device_pin {
        /// The channel.
        pub channel: ChannelId,
        /// The device.
        pub device_key: DeviceKey,
        /// The release, which is one of the channel's.
        pub release: ReleaseId,
        /// Who set it.
        pub created_by: String,
        /// When it was set.
        pub created_at: Timestamp,
    }
}

/// Ties a device to a release of the channel, instead of to any other. `FailedPrecondition` beyond [`PINS_MAX`] pins.
pub fn set(tx: &mut Tx<'_>, scope: &Scope, pin: &Pin) -> Result<()> {
    channels::get(tx, scope, &pin.channel)?;
    if releases::get(tx, scope, &pin.release)?.channel != pin.channel {
        return Err(Error::not_found("release"));
    }
    // The touch locks the channel's row, so the count below cannot be outrun.
    channels::touch(tx, &pin.channel, pin.created_at)?;
    db!(tx, |c| {
        diesel::insert_into(device_pin::table)
            .values(PinRow::from(pin))
            .on_conflict((device_pin::channel, device_pin::device_key))
            .do_update()
            .set((
                device_pin::release.eq(excluded(device_pin::release)),
                device_pin::created_by.eq(excluded(device_pin::created_by)),
                device_pin::created_at.eq(excluded(device_pin::created_at)),
            ))
            .execute(c)
    })?;
    let count: i64 =
        db!(tx, |c| { device_pin::table.filter(device_pin::channel.eq(pin.channel.as_str())).count().get_result(c) })?;
    if usize::try_from(count).is_ok_and(|count| count <= PINS_MAX) {
        Ok(())
    } else {
        Err(Error::FailedPrecondition { rule: "the channel has as many pinned devices as it can have" })
    }
}

/// Unties a device; `NotFound` when it is not tied.
pub fn remove(tx: &mut Tx<'_>, scope: &Scope, channel: &ChannelId, device: &DeviceKey, now: Timestamp) -> Result<()> {
    channels::get(tx, scope, channel)?;
    let removed =
        db!(tx, |c| { diesel::delete(device_pin::table.find((channel.as_str(), device.as_str()))).execute(c) })?;
    if removed == 0 {
        return Err(Error::not_found("device pin"));
    }
    channels::touch(tx, channel, now)
}

/// Lists a channel's pins by device; `after` is the device of the last one of the page before.
pub fn list(
    conn: &mut DbConn,
    scope: &Scope,
    channel: &ChannelId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Pin>> {
    channels::get(conn, scope, channel)?;
    let rows: Vec<PinRow> = db!(conn, |c| {
        device_pin::table
            .filter(device_pin::channel.eq(channel.as_str()))
            .filter(device_pin::device_key.gt(after.unwrap_or_default()))
            .order(device_pin::device_key)
            .limit(page(limit))
            .select(PinRow::as_select())
            .load(c)
    })?;
    all(rows)
}
