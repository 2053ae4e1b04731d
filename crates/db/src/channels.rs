//! This file's job is to read and write channels, whose version moves with everything that a snapshot shows.

use crate::apps::{self, apps_of};
use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::{channel, release};
use crate::{ChangeKind, DbConn, Error, Result, Scope, Tx, outbox};
use diesel::prelude::*;
use domain::expo::{AssetRequestHeaders, ServerDefinedHeaders};
use domain::id::{AppId, BundleId, ChannelId, OrganizationId};
use domain::snapshot::ChannelKey;
use domain::warning::BundlePolicy;
use domain::{ChannelName, Environment, Timestamp};

/// The condition that a channel is in a scope's environment, and among its channels. Its app is asked for apart.
macro_rules! channel_in {
    ($scope:expr) => {
        $crate::schema::channel::environment.eq_any($scope.environments()).and(
            $crate::schema::channel::id.eq_any($scope.channels()).or($scope
                .reach()
                .channels
                .is_none()
                .into_sql::<diesel::sql_types::Bool>()),
        )
    };
}
pub(crate) use channel_in;

row! {
    /// A channel.
    pub struct Channel as ChannelRow in channel {
        /// Its id.
        pub id: ChannelId,
        /// The app.
        pub app: AppId,
        /// Its name; unique in the app.
        pub name: ChannelName,
        /// Grows with each change of the channel itself; callers compare and swap on it.
        pub revision: u64,
        /// Grows with each change of anything that a snapshot of the channel shows.
        pub snapshot_version: u64,
        /// The `seq` of the next release.
        pub next_seq: u64,
        /// A blocked channel offers nothing to anybody.
        pub blocked: bool,
        /// Which keys may see it; never changes.
        pub environment: Environment,
        /// What happens to bundles with warnings.
        pub bundle_policy: BundlePolicy,
        /// What Expo clients are to keep, and send with later checks; none when they are told nothing.
        pub expo_server_defined_headers: Option<ServerDefinedHeaders>,
        /// What Expo clients are to send when they fetch assets.
        pub expo_asset_request_headers: AssetRequestHeaders,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it was last changed.
        pub updated_at: Timestamp,
    }
}

impl Channel {
    /// Makes the row of a new channel for real devices.
    #[must_use]
    pub fn new(id: ChannelId, app: AppId, name: ChannelName, now: Timestamp) -> Self {
        Self {
            id,
            app,
            name,
            revision: 1,
            snapshot_version: 1,
            next_seq: 1,
            blocked: false,
            environment: Environment::Live,
            bundle_policy: BundlePolicy::Warn,
            expo_server_defined_headers: None,
            expo_asset_request_headers: AssetRequestHeaders::default(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns the channel as devices name it.
    #[must_use]
    pub fn key(&self) -> ChannelKey {
        ChannelKey { app: self.app.clone(), channel: self.name.clone() }
    }
}

/// What to change in a channel; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ChannelChanges {
    /// A new name. Devices that follow the old one find no channel.
    pub name: Option<ChannelName>,
    /// Whether it offers anything.
    pub blocked: Option<bool>,
    /// What happens to bundles with warnings.
    pub bundle_policy: Option<BundlePolicy>,
    /// What Expo clients are to keep, and send with later checks.
    pub expo_server_defined_headers: Option<ServerDefinedHeaders>,
    /// What Expo clients are to send when they fetch assets.
    pub expo_asset_request_headers: Option<AssetRequestHeaders>,
}

/// Adds a channel; `AlreadyExists` when the name is taken in the app.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Channel) -> Result<()> {
    apps::get(tx, scope, &row.app)?;
    db!(tx, |c| diesel::insert_into(channel::table).values(ChannelRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("channel"))?;
    outbox::append(tx, ChangeKind::Changed, &row.key(), row.created_at)
}

/// Returns a channel.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &ChannelId) -> Result<Channel> {
    let found = db!(conn, |c| {
        channel::table
            .find(id.as_str())
            .filter(channel::app.eq_any(apps_of!(scope)))
            .filter(channel_in!(scope))
            .select(ChannelRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("channel"))?.try_into()
}

/// Returns the app's channel with this name.
pub fn find_by_name(conn: &mut DbConn, scope: &Scope, app: &AppId, name: &ChannelName) -> Result<Option<Channel>> {
    let found = db!(conn, |c| {
        channel::table
            .filter(channel::app.eq(app.as_str()))
            .filter(channel::app.eq_any(apps_of!(scope)))
            .filter(channel_in!(scope))
            .filter(channel::name.eq(name.as_str()))
            .select(ChannelRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists an app's channels, oldest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId, after: Option<&str>, limit: u32) -> Result<Vec<Channel>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<ChannelRow> = db!(conn, |c| {
        channel::table
            .filter(channel::app.eq(app.as_str()))
            .filter(channel_in!(scope))
            .filter(channel::id.gt(after.unwrap_or_default()))
            .order(channel::id)
            .limit(page(limit))
            .select(ChannelRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Says whether an app has channels, also those that the scope does not reach: they would go with the app.
pub fn exist(conn: &mut DbConn, scope: &Scope, app: &AppId) -> Result<bool> {
    apps::get(conn, scope, app)?;
    let of_app = channel::table.filter(channel::app.eq(app.as_str()));
    Ok(db!(conn, |c| diesel::select(diesel::dsl::exists(of_app)).get_result(c))?)
}

/// Changes a channel that still has this revision, else `Conflict`.
pub fn apply(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &ChannelId,
    expected_revision: u64,
    changes: &ChannelChanges,
    now: Timestamp,
) -> Result<Channel> {
    let before = get(tx, scope, id)?;
    if before.revision != expected_revision {
        return Err(Error::Conflict { what: "channel" });
    }
    let name = changes.name.clone().unwrap_or_else(|| before.name.clone());
    let blocked = changes.blocked.unwrap_or(before.blocked);
    let bundle_policy = changes.bundle_policy.unwrap_or(before.bundle_policy);
    let server_defined = changes.expo_server_defined_headers.clone().or(before.expo_server_defined_headers.clone());
    let of_assets = changes.expo_asset_request_headers.as_ref().unwrap_or(&before.expo_asset_request_headers);
    let changed = db!(tx, |c| {
        diesel::update(channel::table.find(id.as_str()))
            .filter(channel::revision.eq(expected_revision.to_sql()))
            .set((
                channel::name.eq(name.as_str()),
                channel::blocked.eq(blocked),
                channel::bundle_policy.eq(bundle_policy.as_str()),
                channel::expo_server_defined_headers.eq(server_defined.to_sql()),
                channel::expo_asset_request_headers.eq(of_assets.to_sql()),
                channel::revision.eq(channel::revision + 1),
                channel::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })
    .map_err(|error| Error::from(error).exists_as("channel"))?;
    if changed == 0 {
        return Err(Error::Conflict { what: "channel" });
    }
    if name != before.name {
        outbox::append(tx, ChangeKind::Deleted, &before.key(), now)?;
    }
    touch(tx, id, now)?;
    get(tx, scope, id)
}

/// Deletes a channel with its releases and pins, when it still has this revision (any, when none is given).
pub fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &ChannelId,
    expected_revision: Option<u64>,
    now: Timestamp,
) -> Result<()> {
    let row = get(tx, scope, id)?;
    let expected = expected_revision.unwrap_or(row.revision);
    let deleted = db!(tx, |c| {
        diesel::delete(channel::table.find(id.as_str())).filter(channel::revision.eq(expected.to_sql())).execute(c)
    })?;
    if deleted == 0 {
        return Err(Error::Conflict { what: "channel" });
    }
    outbox::append(tx, ChangeKind::Deleted, &row.key(), now)
}

/// Moves the channel's snapshot version and leaves a hint in the outbox. Every change that a snapshot shows calls this in its own
/// transaction; the verbs of this crate do so themselves.
pub fn touch(tx: &mut Tx<'_>, id: &ChannelId, now: Timestamp) -> Result<()> {
    let touched: Option<(String, String)> = db!(tx, |c| {
        diesel::update(channel::table.find(id.as_str()))
            .set(channel::snapshot_version.eq(channel::snapshot_version + 1))
            .returning((channel::app, channel::name))
            .get_result(c)
            .optional()
    })?;
    let (app, name) = touched.ok_or(Error::not_found("channel"))?;
    let key = ChannelKey { app: AppId::from_sql(app)?, channel: ChannelName::from_sql(name)? };
    outbox::append(tx, ChangeKind::Changed, &key, now)
}

/// Touches every channel of an app. In the order of ids, so that two transactions cannot wait for each other.
pub(crate) fn touch_all(tx: &mut Tx<'_>, app: &AppId, now: Timestamp) -> Result<()> {
    let ids: Vec<String> = db!(tx, |c| {
        channel::table.filter(channel::app.eq(app.as_str())).order(channel::id).select(channel::id).load(c)
    })?;
    ids.into_iter().try_for_each(|id| touch(tx, &ChannelId::from_sql(id)?, now))
}

/// Touches every channel of an organization.
pub(crate) fn touch_all_of(tx: &mut Tx<'_>, organization: &OrganizationId, now: Timestamp) -> Result<()> {
    let scope = Scope::authorized(organization.clone());
    let ids: Vec<String> = db!(tx, |c| {
        channel::table.filter(channel::app.eq_any(apps_of!(scope))).order(channel::id).select(channel::id).load(c)
    })?;
    ids.into_iter().try_for_each(|id| touch(tx, &ChannelId::from_sql(id)?, now))
}

/// Touches every channel that has a release of the bundle.
pub(crate) fn touch_offering(tx: &mut Tx<'_>, bundle: &BundleId, now: Timestamp) -> Result<()> {
    let ids: Vec<String> = db!(tx, |c| {
        release::table
            .filter(release::bundle.eq(bundle.as_str()))
            .select(release::channel)
            .distinct()
            .order(release::channel)
            .load(c)
    })?;
    ids.into_iter().try_for_each(|id| touch(tx, &ChannelId::from_sql(id)?, now))
}

/// Leaves a hint for every channel of an app that is about to go.
pub(crate) fn note_all_deleted(tx: &mut Tx<'_>, app: &AppId, now: Timestamp) -> Result<()> {
    let names: Vec<String> =
        db!(tx, |c| channel::table.filter(channel::app.eq(app.as_str())).select(channel::name).load(c))?;
    for name in names {
        let key = ChannelKey { app: app.clone(), channel: ChannelName::from_sql(name)? };
        outbox::append(tx, ChangeKind::Deleted, &key, now)?;
    }
    Ok(())
}
