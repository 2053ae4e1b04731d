//! This file's job is to give up uploads whose time has run out, and to remove staged bytes that nobody needs.

use super::Left;
use crate::context::Context;
use crate::error::Error;
use db::{DbConn, UploadState};
use domain::Timestamp;
use domain::id::UploadId;
use std::time::Duration;

/// Uploads of one transaction.
const EXPIRED_MAX: u32 = 100;
/// Uploads that are looked at at once.
const PAGE: usize = 500;
/// Bytes of an upload without a row are left alone for so long, whatever order somebody wrote them in.
const UNKNOWN_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the bytes of a failed upload are kept: an operator may have its job tried again.
const FAILED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Cancels receiving uploads whose time has run out.
pub(super) async fn expire(context: &Context) -> Result<Left, Error> {
    let now = context.clock.now();
    let expired = context.db.write(move |tx| db::uploads::expire(tx, now, EXPIRED_MAX)).await?;
    let is_all = expired.len() < EXPIRED_MAX as usize;
    for upload in expired {
        tracing::info!(upload = %upload.id, "an unfinished upload was given up");
        context.store.remove_upload(&upload.id).await?;
    }
    Ok(if is_all { Left::Nothing } else { Left::More })
}

/// Removes the parts of uploads that are over. An upload's row comes before its first part and ends in a state that it never leaves, and
/// bytes without a row are a day old when they go, so nothing that is still wanted is removed.
pub(super) async fn sweep_parts(context: &Context) -> Result<Left, Error> {
    let mut after: Option<UploadId> = None;
    loop {
        let page = context.store.list_uploads(after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().cloned();
        let now = context.clock.now();
        let over = context.db.read(move |conn| over(conn, &page, now)).await?;
        for upload in over {
            context.store.remove_upload(&upload).await?;
            tracing::info!(%upload, "staged bytes that nobody needs were removed");
        }
        if is_last {
            return Ok(Left::Nothing);
        }
    }
}

fn over(conn: &mut DbConn, ids: &[UploadId], now: Timestamp) -> db::Result<Vec<UploadId>> {
    let states = db::uploads::states(conn, ids)?;
    // Ids sort by the time when they were made.
    let oldest_young = UploadId::from_parts(now.minus(UNKNOWN_KEPT), [0; 10]);
    let is_over = |id: &&UploadId| match states.get(*id) {
        Some((UploadState::Receiving | UploadState::Queued | UploadState::Processing, _)) => false,
        Some((UploadState::Failed, changed_at)) => now.since(*changed_at) > FAILED_KEPT,
        Some((UploadState::Ready | UploadState::Cancelled, _)) => true,
        // Its app was deleted.
        None => **id < oldest_young,
    };
    Ok(ids.iter().filter(is_over).cloned().collect())
}
