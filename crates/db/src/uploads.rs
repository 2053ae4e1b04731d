//! This file's job is to read and write uploads, from the first byte to the bundle.

use crate::apps::{self, apps_of};
use crate::column::{Column as _, ID_END, IN_LIST_MAX, all, page, row};
use crate::dialect::db;
use crate::schema::{app, upload};
use crate::{DbConn, Error, Result, Scope, Tx, UploadState, feed, plans};
use diesel::prelude::*;
use domain::bundle::Stage;
use domain::id::{AppId, BundleId, OrganizationId, UploadId};
use domain::warning::Warning;
use domain::{Platform, Sha256, Timestamp};
use std::collections::BTreeMap;

row! {
    /// A resumable transfer, then its processing record.
    pub struct Upload as UploadRow in upload {
        /// Its id.
        pub id: UploadId,
        /// The app.
        pub app: AppId,
        /// What the bundle runs on.
        pub platform: Platform,
        /// Where it stands.
        pub state: UploadState,
        /// How far its processing has come; none while bytes are missing. It never goes back.
        pub stage: Option<Stage>,
        /// What the archive is, for instance `zip`.
        pub archive_format: String,
        /// Digest that the archive must have.
        pub archive_sha256: Sha256,
        /// Size that the archive must have.
        pub archive_size_bytes: u64,
        /// How many bytes are stored for good; a sender goes on from here.
        pub received_bytes: u64,
        /// What the store needs to go on with the transfer; opaque JSON.
        pub parts: String,
        /// The files that are not in the archive because the organization has their blobs; JSON.
        pub known_files: String,
        /// The bundle that it became.
        pub bundle: Option<BundleId>,
        /// Why it was refused, as a stable word.
        pub failure_reason: Option<String>,
        /// Why it was refused, for people.
        pub failure_message: Option<String>,
        /// What is allowed in the bundle, but perhaps not meant.
        pub warnings: Vec<Warning>,
        /// The id that the caller gave the request.
        pub request_id: Option<String>,
        /// Who started it.
        pub created_by: String,
        /// When it was started.
        pub created_at: Timestamp,
        /// When it last changed.
        pub updated_at: Timestamp,
        /// When it is given up unless all bytes are there.
        pub expires_at: Timestamp,
    }
}

/// The state that an upload goes to, with what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextState {
    /// All bytes are there; a job was enqueued.
    Queued,
    /// A worker works on it.
    Processing,
    /// It became this bundle.
    Ready(BundleId),
    /// It was refused.
    Failed {
        /// A stable word.
        reason: String,
        /// For people.
        message: String,
    },
    /// It was given up.
    Cancelled,
}

impl NextState {
    /// Returns the state's name.
    #[must_use]
    pub const fn state(&self) -> UploadState {
        match self {
            Self::Queued => UploadState::Queued,
            Self::Processing => UploadState::Processing,
            Self::Ready(_) => UploadState::Ready,
            Self::Failed { .. } => UploadState::Failed,
            Self::Cancelled => UploadState::Cancelled,
        }
    }

    /// Returns the stage that comes with it.
    const fn stage(&self) -> Option<Stage> {
        match self {
            Self::Queued => Some(Stage::Received),
            Self::Ready(_) => Some(Stage::Ready),
            Self::Processing | Self::Failed { .. } | Self::Cancelled => None,
        }
    }
}

/// An upload that was given up because its time ran out; its parts can be removed from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The upload.
    pub id: UploadId,
    /// Whose app it belongs to.
    pub organization: OrganizationId,
    /// What the store needs to remove what has arrived.
    pub parts: String,
}

/// Adds an upload.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Upload) -> Result<()> {
    apps::get(tx, scope, &row.app)?;
    db!(tx, |c| diesel::insert_into(upload::table).values(UploadRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("upload"))?;
    feed::note_upload(tx, scope.organization(), row.app.clone(), &row.id, row.created_at);
    Ok(())
}

/// Returns an upload.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &UploadId) -> Result<Upload> {
    let found = db!(conn, |c| {
        upload::table
            .find(id.as_str())
            .filter(upload::app.eq_any(apps_of!(scope)))
            .select(UploadRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("upload"))?.try_into()
}

/// Lists an app's uploads, newest first; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId, after: Option<&str>, limit: u32) -> Result<Vec<Upload>> {
    apps::get(conn, scope, app)?;
    let rows: Vec<UploadRow> = db!(conn, |c| {
        upload::table
            .filter(upload::app.eq(app.as_str()))
            .filter(upload::id.lt(after.unwrap_or(ID_END)))
            .order(upload::id.desc())
            .limit(page(limit))
            .select(UploadRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Returns the newest upload of the same archive that is neither failed nor cancelled, so that a restarted sender goes on with it.
pub fn find_active_same(
    conn: &mut DbConn,
    scope: &Scope,
    app: &AppId,
    platform: Platform,
    archive_sha256: &Sha256,
) -> Result<Option<Upload>> {
    let over = [UploadState::Failed.as_str(), UploadState::Cancelled.as_str()];
    let found = db!(conn, |c| {
        upload::table
            .filter(upload::app.eq(app.as_str()))
            .filter(upload::app.eq_any(apps_of!(scope)))
            .filter(upload::platform.eq(platform.as_str()))
            .filter(upload::archive_sha256.eq(archive_sha256.as_bytes().as_slice()))
            .filter(upload::state.ne_all(over))
            .order(upload::id.desc())
            .select(UploadRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// How far a transfer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The `received_bytes` that the caller read; another value there is a `Conflict`.
    pub expected_received_bytes: u64,
    /// The new value.
    pub received_bytes: u64,
    /// What the store needs to go on.
    pub parts: String,
    /// The new time at which the upload is given up.
    pub expires_at: Timestamp,
}

/// Moves a receiving upload on; `Conflict` when another sender moved it first or when it no longer receives.
pub fn append_received(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UploadId,
    progress: &Progress,
    now: Timestamp,
) -> Result<()> {
    let changed: Option<String> = db!(tx, |c| {
        diesel::update(upload::table.find(id.as_str()))
            .filter(upload::app.eq_any(apps_of!(scope)))
            .filter(upload::state.eq(UploadState::Receiving.as_str()))
            .filter(upload::received_bytes.eq(progress.expected_received_bytes.to_sql()))
            .filter(upload::archive_size_bytes.ge(progress.received_bytes.to_sql()))
            .set((
                upload::received_bytes.eq(progress.received_bytes.to_sql()),
                upload::parts.eq(&progress.parts),
                upload::expires_at.eq(progress.expires_at.as_us()),
                upload::updated_at.eq(now.as_us()),
            ))
            .returning(upload::app)
            .get_result(c)
            .optional()
    })?;
    found_or_conflict(tx, scope, id, changed, None, now)
}

/// Moves an upload from one of these states to the next; `Conflict` when it is in another.
pub fn set_state(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UploadId,
    from: &[UploadState],
    next: &NextState,
    now: Timestamp,
) -> Result<()> {
    let from = from.iter().map(|state| state.as_str());
    let bundle = if let NextState::Ready(bundle) = next { Some(bundle.as_str()) } else { None };
    let (reason, message) = match next {
        NextState::Failed { reason, message } => (Some(reason), Some(message)),
        NextState::Queued | NextState::Processing | NextState::Ready(_) | NextState::Cancelled => (None, None),
    };
    let changed: Option<String> = db!(tx, |c| {
        diesel::update(upload::table.find(id.as_str()))
            .filter(upload::app.eq_any(apps_of!(scope)))
            .filter(upload::state.eq_any(from))
            .set((
                upload::state.eq(next.state().as_str()),
                upload::bundle.eq(bundle),
                upload::failure_reason.eq(reason),
                upload::failure_message.eq(message),
                upload::updated_at.eq(now.as_us()),
            ))
            .returning(upload::app)
            .get_result(c)
            .optional()
    })?;
    if let (Some(stage), Some(_)) = (next.stage(), &changed) {
        db!(tx, |c| {
            diesel::update(upload::table.find(id.as_str())).set(upload::stage.eq(stage.as_str())).execute(c)
        })?;
    }
    found_or_conflict(tx, scope, id, changed, next.stage(), now)?;
    match next {
        NextState::Ready(_) => plans::count_build(tx, scope, now),
        NextState::Queued | NextState::Processing | NextState::Failed { .. } | NextState::Cancelled => Ok(()),
    }
}

/// Notes that the processing of an upload has come to a stage, and tells those who watch. False, and nothing is changed or told, when it
/// had come there before or is not processed any more: whoever does the same again has no effect.
pub fn reach(tx: &mut Tx<'_>, scope: &Scope, id: &UploadId, stage: Stage, now: Timestamp) -> Result<bool> {
    let earlier = Stage::ALL.iter().filter(|other| **other < stage).map(|other| other.as_str());
    let changed: Option<String> = db!(tx, |c| {
        diesel::update(upload::table.find(id.as_str()))
            .filter(upload::app.eq_any(apps_of!(scope)))
            .filter(upload::state.eq(UploadState::Processing.as_str()))
            .filter(upload::stage.is_null().or(upload::stage.eq_any(earlier)))
            .set((upload::stage.eq(stage.as_str()), upload::updated_at.eq(now.as_us())))
            .returning(upload::app)
            .get_result(c)
            .optional()
    })?;
    match changed {
        Some(app) => {
            feed::note_stage(tx, scope, &AppId::from_sql(app)?, id, stage.as_str(), now);
            Ok(true)
        }
        None => get(tx, scope, id).map(|_| false),
    }
}

/// Sets what is allowed in the bundle of an upload, but perhaps not meant. Whoever calls this changes the upload in the same transaction
/// in a way that those who watch are told of.
pub fn set_warnings(tx: &mut Tx<'_>, scope: &Scope, id: &UploadId, warnings: &Vec<Warning>) -> Result<()> {
    get(tx, scope, id)?;
    db!(tx, |c| {
        diesel::update(upload::table.find(id.as_str())).set(upload::warnings.eq(warnings.to_sql())).execute(c)
    })?;
    Ok(())
}

/// Tells those who watch, when the upload's app came back from the change.
fn found_or_conflict(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UploadId,
    changed: Option<String>,
    stage: Option<Stage>,
    now: Timestamp,
) -> Result<()> {
    let Some(app) = changed else {
        get(tx, scope, id)?;
        return Err(Error::Conflict { what: "upload" });
    };
    let app = AppId::from_sql(app)?;
    match stage {
        Some(stage) => feed::note_stage(tx, scope, &app, id, stage.as_str(), now),
        None => feed::note_upload(tx, scope.organization(), app, id, now),
    }
    Ok(())
}

/// Returns the state of each of these uploads of every organization and when it last changed, for sweeps; absent ones are left out.
pub fn states(conn: &mut DbConn, ids: &[UploadId]) -> Result<BTreeMap<UploadId, (UploadState, Timestamp)>> {
    let mut states = BTreeMap::new();
    for part in ids.chunks(IN_LIST_MAX) {
        let part: Vec<&str> = part.iter().map(UploadId::as_str).collect();
        let rows: Vec<(String, String, i64)> = db!(conn, |c| {
            upload::table
                .filter(upload::id.eq_any(part))
                .select((upload::id, upload::state, upload::updated_at))
                .load(c)
        })?;
        for (id, state, updated_at) in rows {
            let entry = (UploadState::from_sql(state)?, Timestamp::from_us(updated_at));
            states.insert(UploadId::from_sql(id)?, entry);
        }
    }
    Ok(states)
}

/// Cancels receiving uploads of every organization whose time has run out, at most `limit` of them, and returns them.
pub fn expire(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Expired>> {
    let rows: Vec<(String, String, String, String)> = db!(tx, |c| {
        upload::table
            .inner_join(app::table)
            .filter(upload::state.eq(UploadState::Receiving.as_str()))
            .filter(upload::expires_at.le(now.as_us()))
            .order(upload::expires_at)
            .limit(page(limit))
            .select((upload::id, upload::app, app::organization, upload::parts))
            .load(c)
    })?;
    let mut expired = Vec::with_capacity(rows.len());
    for (id, app, organization, parts) in rows {
        // Guarded again: a sender may have moved it on since it was read.
        let changed = db!(tx, |c| {
            diesel::update(upload::table.find(&id))
                .filter(upload::state.eq(UploadState::Receiving.as_str()))
                .filter(upload::expires_at.le(now.as_us()))
                .set((
                    upload::state.eq(UploadState::Cancelled.as_str()),
                    upload::failure_reason.eq("expired"),
                    upload::updated_at.eq(now.as_us()),
                ))
                .execute(c)
        })?;
        if changed == 1 {
            let (id, organization) = (UploadId::from_sql(id)?, OrganizationId::from_sql(organization)?);
            feed::note_upload(tx, &organization, AppId::from_sql(app)?, &id, now);
            expired.push(Expired { id, organization, parts });
        }
    }
    Ok(expired)
}
