//! This file's job is to read and write the keys that stand for channels in apps with a CodePush client.

use crate::column::{Column as _, all, row};
use crate::dialect::db;
use crate::schema::{channel, deployment_key};
use crate::{DbConn, Error, Result, Scope, Tx, channels};
use diesel::dsl::exists;
use diesel::prelude::*;
use domain::codepush::{DEPLOYMENT_KEYS_MAX, DeploymentKey};
use domain::id::{AppId, ChannelId};
use domain::snapshot::ChannelKey;
use domain::{ChannelName, Platform, Timestamp};
use std::collections::BTreeMap;

row! {
    /// A key.
    pub struct Key as KeyRow in deployment_key {
        /// What apps say; unique in the installation, because they say nothing else.
        pub key: DeploymentKey,
        /// The channel.
        pub channel: ChannelId,
        /// What the apps run on.
        pub platform: Platform,
        /// Who made or imported it.
        pub created_by: String,
        /// When that was.
        pub created_at: Timestamp,
    }
}

/// Adds a key. `AlreadyExists` when any channel has it; `FailedPrecondition` beyond [`DEPLOYMENT_KEYS_MAX`] keys.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Key) -> Result<()> {
    channels::get(tx, scope, &row.channel)?;
    // The touch locks the channel's row, so the count below cannot be outrun.
    channels::touch(tx, &row.channel, row.created_at)?;
    db!(tx, |c| diesel::insert_into(deployment_key::table).values(KeyRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("deployment key"))?;
    let count: i64 = db!(tx, |c| {
        deployment_key::table.filter(deployment_key::channel.eq(row.channel.as_str())).count().get_result(c)
    })?;
    if usize::try_from(count).is_ok_and(|count| count <= DEPLOYMENT_KEYS_MAX) {
        Ok(())
    } else {
        Err(Error::FailedPrecondition { rule: "the channel has as many deployment keys as it can have" })
    }
}

/// Deletes a key of the channel; `NotFound` when it has no such key.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, channel: &ChannelId, key: &DeploymentKey, now: Timestamp) -> Result<()> {
    channels::get(tx, scope, channel)?;
    let deleted = db!(tx, |c| {
        diesel::delete(deployment_key::table.find(key.as_str()))
            .filter(deployment_key::channel.eq(channel.as_str()))
            .execute(c)
    })?;
    if deleted == 0 {
        return Err(Error::not_found("deployment key"));
    }
    channels::touch(tx, channel, now)
}

/// Lists the keys of a channel, sorted.
pub fn list(conn: &mut DbConn, scope: &Scope, channel: &ChannelId) -> Result<Vec<Key>> {
    channels::get(conn, scope, channel)?;
    let rows: Vec<KeyRow> = db!(conn, |c| {
        deployment_key::table
            .filter(deployment_key::channel.eq(channel.as_str()))
            .order(deployment_key::key)
            .select(KeyRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Says whether apps on the platform may follow the channel by a key. Not scoped: the caller has the channel from a scoped verb.
pub fn exist(conn: &mut DbConn, channel: &ChannelId, platform: Platform) -> Result<bool> {
    let of_channel = deployment_key::table
        .filter(deployment_key::channel.eq(channel.as_str()))
        .filter(deployment_key::platform.eq(platform.as_str()));
    Ok(db!(conn, |c| diesel::select(exists(of_channel)).get_result(c))?)
}

/// Returns the channel that a key stands for. Not scoped: it is for edges, which name a channel as devices do.
pub fn find_channel(conn: &mut DbConn, key: &DeploymentKey) -> Result<Option<ChannelKey>> {
    let found: Option<(String, String)> = db!(conn, |c| {
        deployment_key::table
            .inner_join(channel::table)
            .filter(deployment_key::key.eq(key.as_str()))
            .select((channel::app, channel::name))
            .first(c)
            .optional()
    })?;
    found
        .map(|(app, name)| Ok(ChannelKey { app: AppId::from_sql(app)?, channel: ChannelName::from_sql(name)? }))
        .transpose()
}

/// Returns the keys of a channel with their platforms. Not scoped: for snapshots.
pub(crate) fn platforms(conn: &mut DbConn, channel: &ChannelId) -> Result<BTreeMap<DeploymentKey, Platform>> {
    let rows: Vec<(String, String)> = db!(conn, |c| {
        deployment_key::table
            .filter(deployment_key::channel.eq(channel.as_str()))
            .select((deployment_key::key, deployment_key::platform))
            .load(c)
    })?;
    rows.into_iter().map(|(key, platform)| Ok((DeploymentKey::from_sql(key)?, Platform::from_sql(platform)?))).collect()
}
