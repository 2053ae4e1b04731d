//! This file's job is to read and write releases.

use crate::apps::{self, apps_of};
use crate::channels::channel_in;
use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::{channel, release};
use crate::{DbConn, Error, ReleaseOrigin, Result, Scope, TargetKind, Tx, bundles, channels, meta};
use diesel::prelude::*;
use domain::id::{AppId, BundleId, ChannelId, ReleaseId};
use domain::release::{Retreat, Rollout, RolloutState};
use domain::snapshot::SnapshotVersion;
use domain::target::Target;
use domain::warning::Warning;
use domain::{Platform, Ppm, Timestamp};

row! {
    /// A bundle offered in a channel.
    pub struct Release as ReleaseRow in release {
        /// Its id.
        pub id: ReleaseId,
        /// The app.
        pub app: AppId,
        /// The channel.
        pub channel: ChannelId,
        /// Grows by one with each release of the channel; the label is `v{seq}`.
        pub seq: u64,
        /// What it runs on.
        pub platform: Platform,
        /// What it brings; none for the bundle that came with the binary.
        pub bundle: Option<BundleId>,
        /// How `target_value` is meant.
        pub target_kind: TargetKind,
        /// Which binaries may run it.
        pub target_value: String,
        /// Devices install it at once.
        pub mandatory: bool,
        /// A disabled release is offered to nobody.
        pub enabled: bool,
        /// Shown to people on the device.
        pub notes: String,
        /// What is allowed in the bundle, or with these binaries, but perhaps not meant.
        pub warnings: Vec<Warning>,
        /// Whether the rollout takes in devices.
        pub rollout_state: RolloutState,
        /// The share of devices.
        pub rollout_ppm: Ppm,
        /// Stays the same while one rollout grows.
        pub rollout_salt: String,
        /// What happens to devices that fall out of the share.
        pub rollout_retreat: Retreat,
        /// How it came to be.
        pub origin: ReleaseOrigin,
        /// The release that was promoted or brought back.
        pub origin_release: Option<ReleaseId>,
        /// Grows with each change; callers compare and swap on it.
        pub revision: u64,
        /// Who made it.
        pub created_by: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it was last changed.
        pub updated_at: Timestamp,
    }
}

impl Release {
    /// Returns which binaries may run it.
    pub fn target(&self) -> Result<Target> {
        Ok(match self.target_kind {
            TargetKind::BinaryRange => Target::BinaryRange(self.target_value.parse()?),
            TargetKind::RuntimeVersion => Target::RuntimeVersion(self.target_value.parse()?),
        })
    }

    /// Returns who gets it.
    #[must_use]
    pub fn rollout(&self) -> Rollout {
        Rollout {
            state: self.rollout_state,
            share: self.rollout_ppm,
            salt: self.rollout_salt.clone(),
            retreat: self.rollout_retreat,
        }
    }
}

/// Returns a target as the two columns that hold it.
#[must_use]
pub fn target_columns(target: &Target) -> (TargetKind, String) {
    match target {
        Target::BinaryRange(range) => (TargetKind::BinaryRange, range.as_str().to_owned()),
        Target::RuntimeVersion(runtime) => (TargetKind::RuntimeVersion, runtime.as_str().to_owned()),
    }
}

/// What to change in a release; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ReleaseChanges {
    /// Whether devices install it at once.
    pub mandatory: Option<bool>,
    /// Whether it is offered at all.
    pub enabled: Option<bool>,
    /// The text for people.
    pub notes: Option<String>,
    /// Which binaries may run it.
    pub target: Option<Target>,
    /// What is allowed with them, but perhaps not meant.
    pub warnings: Option<Vec<Warning>>,
    /// Whether the rollout takes in devices.
    pub rollout_state: Option<RolloutState>,
    /// The share of devices.
    pub rollout_ppm: Option<Ppm>,
    /// A new salt, which deals the devices anew.
    pub rollout_salt: Option<String>,
    /// What happens to devices that fall out of the share.
    pub rollout_retreat: Option<Retreat>,
}

/// Adds a release and returns it with its `seq`: the next one of the channel when `row.seq` is zero, else `row.seq`, which must not be below
/// that (`AlreadyExists`). The channel must be one of `row.app`, the bundle one of that app and platform.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Release) -> Result<Release> {
    let channel = channels::get(tx, scope, &row.channel)?;
    if channel.app != row.app {
        return Err(Error::not_found("channel"));
    }
    if let Some(id) = &row.bundle {
        let bundle = bundles::get(tx, scope, id)?;
        if bundle.app != row.app {
            return Err(Error::not_found("bundle"));
        }
        if bundle.platform != row.platform {
            return Err(Error::FailedPrecondition { rule: "the bundle is for another platform" });
        }
    }
    let row = Release { seq: take_seq(tx, row)?, ..row.clone() };
    db!(tx, |c| diesel::insert_into(release::table).values(ReleaseRow::from(&row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("release"))?;
    touch(tx, &row, row.created_at)?;
    Ok(row)
}

/// Takes a number from the channel, in one statement: two publishers cannot get the same one.
fn take_seq(tx: &mut Tx<'_>, row: &Release) -> Result<u64> {
    let of = channel::table.find(row.channel.as_str());
    let next: Option<i64> = if row.seq == 0 {
        db!(tx, |c| {
            let taken = diesel::update(of).set(channel::next_seq.eq(channel::next_seq + 1));
            taken.returning(channel::next_seq).get_result(c).optional()
        })?
    } else {
        db!(tx, |c| {
            let free = diesel::update(of).filter(channel::next_seq.le(row.seq.to_sql()));
            let taken = free.set(channel::next_seq.eq(row.seq.to_sql() + 1));
            taken.returning(channel::next_seq).get_result(c).optional()
        })?
    };
    u64::from_sql(next.ok_or(Error::AlreadyExists { what: "release" })? - 1)
}

/// Returns a release.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &ReleaseId) -> Result<Release> {
    let found = db!(conn, |c| {
        release::table
            .find(id.as_str())
            .filter(release::app.eq_any(apps_of!(scope)))
            .filter(release::channel.eq_any(channel::table.filter(channel_in!(scope)).select(channel::id)))
            .select(ReleaseRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("release"))?.try_into()
}

/// Returns the channel's release with this number.
pub fn find_by_seq(conn: &mut DbConn, scope: &Scope, channel: &ChannelId, seq: u64) -> Result<Option<Release>> {
    let found = db!(conn, |c| {
        release::table
            .filter(release::channel.eq(channel.as_str()))
            .filter(release::seq.eq(seq.to_sql()))
            .filter(release::app.eq_any(apps_of!(scope)))
            .select(ReleaseRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists a channel's releases, newest first; `before_seq` is the number of the last one of the page before.
pub fn list(
    conn: &mut DbConn,
    scope: &Scope,
    channel: &ChannelId,
    before_seq: Option<u64>,
    limit: u32,
) -> Result<Vec<Release>> {
    channels::get(conn, scope, channel)?;
    list_newest(conn, channel, before_seq, page(limit))
}

/// Lists the newest releases of every channel of an app, newest first; `after` is the id of the last one of the page before.
pub fn list_of_app(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Release>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<ReleaseRow> = db!(conn, |c| {
        release::table
            .filter(release::app.eq(app.as_str()))
            .filter(release::channel.eq_any(channel::table.filter(channel_in!(scope)).select(channel::id)))
            .filter(release::id.lt(after.unwrap_or(crate::column::ID_END)))
            .order(release::id.desc())
            .limit(page(limit))
            .select(ReleaseRow::as_select())
            .load(c)
    })?;
    all(rows)
}

pub(crate) fn list_newest(
    conn: &mut DbConn,
    channel: &ChannelId,
    before_seq: Option<u64>,
    limit: i64,
) -> Result<Vec<Release>> {
    let rows: Vec<ReleaseRow> = db!(conn, |c| {
        release::table
            .filter(release::channel.eq(channel.as_str()))
            .filter(release::seq.lt(before_seq.unwrap_or(u64::MAX).to_sql()))
            .order(release::seq.desc())
            .limit(limit)
            .select(ReleaseRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns the newest enabled release before this one in its channel, for the same platform and target: what a rollback to the
/// previous release brings back.
pub fn latest_before(conn: &mut DbConn, scope: &Scope, row: &Release) -> Result<Option<Release>> {
    let found = db!(conn, |c| {
        release::table
            .filter(release::channel.eq(row.channel.as_str()))
            .filter(release::app.eq_any(apps_of!(scope)))
            .filter(release::seq.lt(row.seq.to_sql()))
            .filter(release::platform.eq(row.platform.as_str()))
            .filter(release::target_kind.eq(row.target_kind.as_str()))
            .filter(release::target_value.eq(&row.target_value))
            .filter(release::enabled.eq(true))
            .order(release::seq.desc())
            .select(ReleaseRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Returns the channel's newest release for a platform, enabled or not.
pub fn find_latest(
    conn: &mut DbConn,
    scope: &Scope,
    channel: &ChannelId,
    platform: Platform,
) -> Result<Option<Release>> {
    let found = db!(conn, |c| {
        release::table
            .filter(release::channel.eq(channel.as_str()))
            .filter(release::app.eq_any(apps_of!(scope)))
            .filter(release::platform.eq(platform.as_str()))
            .order(release::seq.desc())
            .select(ReleaseRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Changes a release that still has this revision, else `Conflict`.
pub fn apply(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &ReleaseId,
    expected_revision: u64,
    changes: &ReleaseChanges,
    now: Timestamp,
) -> Result<Release> {
    let before = get(tx, scope, id)?;
    if before.revision != expected_revision {
        return Err(Error::Conflict { what: "release" });
    }
    let after = Release { revision: expected_revision + 1, updated_at: now, ..changed(before, changes) };
    let changed = db!(tx, |c| {
        diesel::update(release::table.find(id.as_str()))
            .filter(release::revision.eq(expected_revision.to_sql()))
            .set((
                release::mandatory.eq(after.mandatory),
                release::enabled.eq(after.enabled),
                release::notes.eq(&after.notes),
                release::warnings.eq(after.warnings.to_sql()),
                release::target_kind.eq(after.target_kind.as_str()),
                release::target_value.eq(&after.target_value),
                release::rollout_state.eq(after.rollout_state.as_str()),
                release::rollout_ppm.eq(after.rollout_ppm.to_sql()),
                release::rollout_salt.eq(&after.rollout_salt),
                release::rollout_retreat.eq(after.rollout_retreat.as_str()),
                release::revision.eq(after.revision.to_sql()),
                release::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })?;
    if changed == 0 {
        return Err(Error::Conflict { what: "release" });
    }
    touch(tx, &after, now)?;
    Ok(after)
}

/// Touches the channel and notes which state of it shows the release as it is now.
fn touch(tx: &mut Tx<'_>, row: &Release, now: Timestamp) -> Result<()> {
    channels::touch(tx, &row.channel, now)?;
    let version: i64 =
        db!(tx, |c| channel::table.find(row.channel.as_str()).select(channel::snapshot_version).first(c))?;
    db!(tx, |c| {
        diesel::update(release::table.find(row.id.as_str())).set(release::snapshot_version.eq(version)).execute(c)
    })?;
    Ok(())
}

/// Returns the first state of its channel that shows the release as it is now.
pub fn shown_since(conn: &mut DbConn, scope: &Scope, id: &ReleaseId) -> Result<SnapshotVersion> {
    get(conn, scope, id)?;
    let version: i64 = db!(conn, |c| release::table.find(id.as_str()).select(release::snapshot_version).first(c))?;
    Ok(SnapshotVersion { epoch: meta::epoch(conn)?, version: u64::from_sql(version)? })
}

/// Deletes a release with its pins, when it still has this revision (any, when none is given), else `Conflict`. Its `seq` is not
/// given out again.
pub fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &ReleaseId,
    expected_revision: Option<u64>,
    now: Timestamp,
) -> Result<()> {
    let row = get(tx, scope, id)?;
    let expected = expected_revision.unwrap_or(row.revision);
    let deleted = db!(tx, |c| {
        diesel::delete(release::table.find(id.as_str())).filter(release::revision.eq(expected.to_sql())).execute(c)
    })?;
    if deleted == 0 {
        return Err(Error::Conflict { what: "release" });
    }
    channels::touch(tx, &row.channel, now)
}

fn changed(before: Release, changes: &ReleaseChanges) -> Release {
    let (target_kind, target_value) =
        changes.target.as_ref().map_or((before.target_kind, before.target_value.clone()), target_columns);
    Release {
        mandatory: changes.mandatory.unwrap_or(before.mandatory),
        enabled: changes.enabled.unwrap_or(before.enabled),
        notes: changes.notes.clone().unwrap_or(before.notes),
        target_kind,
        target_value,
        warnings: changes.warnings.clone().unwrap_or(before.warnings),
        rollout_state: changes.rollout_state.unwrap_or(before.rollout_state),
        rollout_ppm: changes.rollout_ppm.unwrap_or(before.rollout_ppm),
        rollout_salt: changes.rollout_salt.clone().unwrap_or(before.rollout_salt),
        rollout_retreat: changes.rollout_retreat.unwrap_or(before.rollout_retreat),
        ..before
    }
}
