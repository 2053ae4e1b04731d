//! This file's job is to read and write which devices edges refuse.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::device_revocation;
use crate::{DbConn, Error, Result, Scope, Tx, apps, channels};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, DeviceId};
use domain::snapshot::REVOKED_DEVICES_MAX;
use std::collections::BTreeSet;

row! {
    /// A device that edges refuse.
    pub struct Revocation as RevocationRow in device_revocation {
        /// The app.
        pub app: AppId,
        /// The device.
        pub device: DeviceId,
        /// Who revoked it.
        pub created_by: String,
        /// When it was revoked.
        pub created_at: Timestamp,
    }
}

/// Revokes a device, unless it is revoked already; returns what stands. `FailedPrecondition` beyond [`REVOKED_DEVICES_MAX`] devices.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Revocation) -> Result<Revocation> {
    apps::get(tx, scope, &row.app)?;
    // The touch locks the channels' rows, so the count below cannot be outrun where somebody looks at it.
    channels::touch_all(tx, &row.app, row.created_at)?;
    db!(tx, |c| {
        diesel::insert_into(device_revocation::table)
            .values(RevocationRow::from(row))
            .on_conflict((device_revocation::app, device_revocation::device))
            .do_nothing()
            .execute(c)
    })?;
    let count: i64 = db!(tx, |c| {
        device_revocation::table.filter(device_revocation::app.eq(row.app.as_str())).count().get_result(c)
    })?;
    if usize::try_from(count).is_ok_and(|count| count > REVOKED_DEVICES_MAX) {
        return Err(Error::FailedPrecondition { rule: "the app has as many revoked devices as it can have" });
    }
    let stands: RevocationRow = db!(tx, |c| {
        device_revocation::table
            .find((row.app.as_str(), row.device.as_str()))
            .select(RevocationRow::as_select())
            .first(c)
    })?;
    stands.try_into()
}

/// Takes a revocation back; says whether there was one.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, app: &AppId, device: &DeviceId, now: Timestamp) -> Result<bool> {
    apps::get(tx, scope, app)?;
    let deleted =
        db!(tx, |c| { diesel::delete(device_revocation::table.find((app.as_str(), device.as_str()))).execute(c) })?;
    if deleted == 1 {
        channels::touch_all(tx, app, now)?;
    }
    Ok(deleted == 1)
}

/// Lists an app's revocations by device; `after` is the device of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId, after: Option<&str>, limit: u32) -> Result<Vec<Revocation>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<RevocationRow> = db!(conn, |c| {
        device_revocation::table
            .filter(device_revocation::app.eq(app.as_str()))
            .filter(device_revocation::device.gt(after.unwrap_or_default()))
            .order(device_revocation::device)
            .limit(page(limit))
            .select(RevocationRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns the app's revoked devices. Not scoped: for snapshots.
pub(crate) fn devices(conn: &mut DbConn, app: &AppId) -> Result<BTreeSet<DeviceId>> {
    let most = i64::try_from(REVOKED_DEVICES_MAX).map_err(Error::internal)?;
    let rows: Vec<String> = db!(conn, |c| {
        device_revocation::table
            .filter(device_revocation::app.eq(app.as_str()))
            .order(device_revocation::device)
            .limit(most)
            .select(device_revocation::device)
            .load(c)
    })?;
    rows.into_iter().map(DeviceId::from_sql).collect()
}
