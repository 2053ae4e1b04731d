//! This file's job is to keep what Expo clients are told of releases.

use crate::apps::{self, apps_of};
use crate::column::{Column as _, IN_LIST_MAX, row};
use crate::dialect::db;
use crate::schema::{app, channel, expo_update};
use crate::{DbConn, Error, Result, Scope, Tx, binaries, channels, releases};
use diesel::prelude::*;
use domain::Timestamp;
use domain::expo::{AssetRequestHeaders, ExpoChannel, ExpoUpdate as Told};
use domain::id::{AppId, ChannelId, ReleaseId};
use domain::release::Release;
use domain::snapshot::offered_releases;
use std::collections::BTreeMap;

row! {
    /// What Expo clients are told of a release.
    pub struct ExpoUpdate as ExpoUpdateRow in expo_update {
        /// The release.
        pub release: ReleaseId,
        /// The app.
        pub app: AppId,
        /// The time in its body; see [`next_commit`].
        pub committed_at_ms: u64,
        /// The JSON text.
        pub body: String,
        /// The value of the header `expo-signature`; empty when it is not signed.
        pub signature: String,
        /// Certificates in PEM; may be empty.
        pub certificate_chain: String,
    }
}

impl From<ExpoUpdate> for Told {
    fn from(row: ExpoUpdate) -> Self {
        let ExpoUpdate { committed_at_ms, body, signature, certificate_chain, .. } = row;
        Self { committed_at_ms, body, signature, certificate_chain }
    }
}

/// Returns a time for an update of the app: now, in milliseconds, or the one after the newest that was given out, since devices take
/// only what is newer than what they have. Two publishers wait for each other here.
pub fn next_commit(tx: &mut Tx<'_>, scope: &Scope, id: &AppId, now: Timestamp) -> Result<u64> {
    apps::get(tx, scope, id)?;
    let after_last: i64 = db!(tx, |c| {
        diesel::update(app::table.find(id.as_str()))
            .set(app::expo_committed_at_ms.eq(app::expo_committed_at_ms + 1))
            .returning(app::expo_committed_at_ms)
            .get_result(c)
    })?;
    let next = now.as_ms().max(u64::from_sql(after_last)?);
    db!(tx, |c| {
        diesel::update(app::table.find(id.as_str())).set(app::expo_committed_at_ms.eq(next.to_sql())).execute(c)
    })?;
    Ok(next)
}

/// Adds what clients are told of a release of the scope.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &ExpoUpdate) -> Result<()> {
    if releases::get(tx, scope, &row.release)?.app != row.app {
        return Err(Error::not_found("release"));
    }
    db!(tx, |c| diesel::insert_into(expo_update::table).values(ExpoUpdateRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("expo update"))?;
    Ok(())
}

/// Returns what clients are told of a release; none when it is none for them.
pub fn find(conn: &mut DbConn, scope: &Scope, release: &ReleaseId) -> Result<Option<ExpoUpdate>> {
    let found = db!(conn, |c| {
        expo_update::table
            .find(release.as_str())
            .filter(expo_update::app.eq_any(apps_of!(scope)))
            .select(ExpoUpdateRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Keeps the signature over the body.
pub fn set_signature(tx: &mut Tx<'_>, scope: &Scope, row: &ExpoUpdate, now: Timestamp) -> Result<()> {
    let release = releases::get(tx, scope, &row.release)?;
    let changed = db!(tx, |c| {
        diesel::update(expo_update::table.find(row.release.as_str()))
            .set((expo_update::signature.eq(&row.signature), expo_update::certificate_chain.eq(&row.certificate_chain)))
            .execute(c)
    })?;
    if changed == 0 {
        return Err(Error::not_found("expo update"));
    }
    channels::touch(tx, &release.channel, now)
}

/// Returns what clients can be told of a channel's releases, newest first. Not scoped: it is for edges.
pub(crate) fn of_channel<'a>(
    conn: &mut DbConn,
    (app, id): (&AppId, &ChannelId),
    releases: &'a [Release],
    pinned: impl IntoIterator<Item = &'a ReleaseId>,
) -> Result<ExpoChannel> {
    let ids: Vec<&str> = offered_releases(releases, pinned).map(|release| release.id.as_str()).collect();
    let headers = (channel::expo_server_defined_headers, channel::expo_asset_request_headers);
    let (server_defined, of_assets): (Option<String>, String) =
        db!(conn, |c| channel::table.find(id.as_str()).select(headers).first(c))?;
    let mut expo = ExpoChannel {
        updates: BTreeMap::new(),
        embedded: binaries::embedded_updates(conn, app)?,
        server_defined_headers: Option::from_sql(server_defined)?,
        asset_request_headers: AssetRequestHeaders::from_sql(of_assets)?,
    };
    for ids in ids.chunks(IN_LIST_MAX) {
        let rows: Vec<ExpoUpdateRow> = db!(conn, |c| {
            expo_update::table.filter(expo_update::release.eq_any(ids)).select(ExpoUpdateRow::as_select()).load(c)
        })?;
        for row in rows {
            let row = ExpoUpdate::try_from(row)?;
            expo.updates.insert(row.release.clone(), row.into());
        }
    }
    Ok(expo)
}
