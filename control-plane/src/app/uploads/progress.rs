//! This file's job is to take an upload's bytes in order, so that whatever was acknowledged survives a crash of either side.
//!
//! A piece is first made durable in the store, then counted in the database; a crash between the two leaves a part that the next
//! sender writes again.

use super::{Turn, Turns, wrong_state};
use crate::app::{jobs, lookup};
use crate::auth::caller::Caller;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::names::OwnedPath;
use bytes::Bytes;
use db::UploadState;
use db::uploads::{NextState, Progress, Upload};
use domain::ErrorKind;
use domain::id::UploadId;
use domain::job::Job;
use proto::v1::Reason;
use runtime::failpoint;
use std::sync::Arc;

/// Bytes and where they begin in the archive.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where they begin.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// Takes the turn at an upload of the caller's. Nobody else can, so that nobody else ends the caller's transfers.
///
/// # Errors
/// Not found, also for an upload of another organization.
pub async fn take_turn(
    context: &Context,
    turns: &Arc<Turns>,
    caller: &Caller,
    path: &OwnedPath<UploadId>,
) -> Result<Turn> {
    let (scope, path) = (caller.scope.clone(), path.clone());
    let upload = context.read(move |conn| lookup::upload(conn, &scope, &path)).await?;
    Ok(turns.take(&upload.id).await)
}

/// Finds an upload that waits for bytes from `offset` on.
///
/// # Errors
/// Failed precondition when it waits for none; out of step, with `received_bytes`, when it waits for others.
pub async fn resume(context: &Context, caller: &Caller, path: &OwnedPath<UploadId>, offset: u64) -> Result<Upload> {
    let (scope, path) = (caller.scope.clone(), path.clone());
    let upload = context.read(move |conn| lookup::upload(conn, &scope, &path)).await?;
    if upload.state != UploadState::Receiving {
        return Err(wrong_state(&upload));
    }
    if upload.received_bytes != offset {
        return Err(out_of_step(offset, upload.received_bytes));
    }
    Ok(upload)
}

fn out_of_step(offset: u64, received_bytes: u64) -> Error {
    let message = format!("the bytes begin at {offset}, but {received_bytes} are stored: go on from there");
    Error::refused(ErrorKind::FailedPrecondition, Reason::UploadOffset, message).with("received_bytes", received_bytes)
}

/// Stores the piece and returns the upload after it; the last piece queues the upload for processing.
///
/// # Errors
/// Invalid argument when there are more bytes than declared; out of step when another sender was faster.
pub async fn append(context: &Context, caller: &Caller, upload: &Upload, piece: Piece) -> Result<Upload> {
    let end = piece.offset.saturating_add(piece.bytes.len() as u64);
    if end > upload.archive_size_bytes {
        let message = format!("the archive was declared with {} bytes, there are more", upload.archive_size_bytes);
        return Err(Error::refused(ErrorKind::InvalidArgument, Reason::UploadMismatch, message));
    }
    if failpoint::is_broken("upload.durable-first") {
        count(context, caller, upload, piece.offset, end).await?;
        failpoint::crash_at("upload.part-stored");
    }
    context.store.append(&upload.id, piece.offset, piece.bytes).await?;
    failpoint::crash_at("upload.part-stored");
    let is_whole = end == upload.archive_size_bytes;
    let stored = if is_whole { context.store.received_bytes(&upload.id).await?.min(end) } else { end };
    let after = count(context, caller, upload, piece.offset, stored).await?;
    if stored < end {
        // A sender on another replica has written over longer parts. The bytes behind them are sent again.
        return Err(out_of_step(end, stored));
    }
    Ok(after)
}

/// Counts what is stored, and queues the upload when it is whole.
async fn count(context: &Context, caller: &Caller, upload: &Upload, from: u64, to: u64) -> Result<Upload> {
    let (upload, keep) = (upload.clone(), context.bounds.upload_keep);
    let counted = context.write(caller.clone(), move |tx, change| {
        let scope = &change.caller.scope;
        let progress = Progress {
            expected_received_bytes: from,
            received_bytes: to,
            parts: upload.parts.clone(),
            expires_at: change.now.plus(keep),
        };
        match db::uploads::append_received(tx, scope, &upload.id, &progress, change.now) {
            Ok(()) => {}
            Err(db::Error::Conflict { .. }) => return Ok(Err(db::uploads::get(tx, scope, &upload.id)?)),
            Err(error) => return Err(error.into()),
        }
        if to == upload.archive_size_bytes {
            let receiving = [UploadState::Receiving];
            db::uploads::set_state(tx, scope, &upload.id, &receiving, &NextState::Queued, change.now)?;
            let work = Job::ProcessUpload { upload: upload.id.clone() };
            jobs::enqueue(tx, change, &upload.app, work, upload.archive_size_bytes)?;
        }
        Ok(Ok(db::uploads::get(tx, scope, &upload.id)?))
    });
    counted.await?.map_err(|current| {
        if current.state == UploadState::Receiving {
            out_of_step(from, current.received_bytes)
        } else {
            wrong_state(&current)
        }
    })
}
