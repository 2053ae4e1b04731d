//! This file's job is to give an unfinished upload up.

use super::wrong_state;
use crate::app::{lookup, record};
use crate::auth::caller::Caller;
use crate::context::Context;
use crate::error::Result;
use crate::names::{self, OwnedPath};
use db::UploadState;
use db::uploads::{NextState, Upload};
use domain::id::UploadId;

/// Gives the upload up, then removes its bytes. Giving up twice changes nothing.
///
/// # Errors
/// Failed precondition when all bytes are there already.
pub async fn cancel(context: &Context, caller: Caller, path: OwnedPath<UploadId>) -> Result<Upload> {
    let cancelled = context.write(caller, move |tx, change| {
        let scope = &change.caller.scope;
        let upload = lookup::upload(tx, scope, &path)?;
        match upload.state {
            UploadState::Cancelled => return Ok(upload),
            UploadState::Receiving => {}
            UploadState::Queued | UploadState::Processing | UploadState::Ready | UploadState::Failed => {
                return Err(wrong_state(&upload));
            }
        }
        db::uploads::set_state(tx, scope, &upload.id, &[UploadState::Receiving], &NextState::Cancelled, change.now)?;
        record::done(tx, change, "CancelUpload", names::of_upload(&upload.app, &upload.id), &[])?;
        Ok(db::uploads::get(tx, scope, &upload.id)?)
    });
    let upload = cancelled.await?;
    if let Err(error) = context.store.remove_upload(&upload.id).await {
        // The row says that they are nobody's; the sweeper takes them later.
        tracing::warn!(%error, upload = %upload.id, "the bytes of a cancelled upload stay behind");
    }
    Ok(upload)
}
