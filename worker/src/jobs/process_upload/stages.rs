//! This file's job is to note how far an upload has come, so that everybody sees it, once.

use crate::context::Context;
use crate::error::Error;
use db::Tx;
use db::queue::{self, Lease};
use db::uploads::{self, Upload};
use domain::bundle::Stage;
use runtime::failpoint;

/// Notes that the upload has come to the stage. An attempt that follows a killed one comes there again, and tells nobody twice. A power
/// cut may undo it, for the next attempt notes it anew.
pub(super) async fn reach(context: &Context, lease: &Lease, upload: &Upload, stage: Stage) -> Result<(), Error> {
    let (lease, id, app, now) = (lease.clone(), upload.id.clone(), upload.app.clone(), context.clock.now());
    let note = move |tx: &mut Tx<'_>| {
        queue::hold(tx, &lease)?;
        let is_new = uploads::reach(tx, &lease.scope(), &id, stage, now)?;
        if !is_new && failpoint::is_broken("worker.stages-once") {
            db::feed::note_stage(tx, &lease.scope(), &app, &id, stage.as_str(), now);
        }
        Ok(())
    };
    context.db.write_relaxed(note).await?;
    failpoint::crash_at(&format!("worker.{stage}"));
    Ok(())
}
