//! This file's job is to tell operators of jobs that died: in the log and in a metric, each once.

use super::Left;
use crate::context::Context;
use crate::error::Error;

/// Dead jobs of one turn. What is told is told once: a failure here must not tell it again and again.
const BATCH: u32 = 10;

pub(super) async fn tell(context: &Context) -> Result<Left, Error> {
    let now = context.clock.now();
    let dead = context.db.write(move |tx| db::queue::notice_dead(tx, BATCH, now)).await?;
    for job in &dead {
        let (kind, reason) = (job.kind.as_str(), job.reason.as_str());
        tracing::error!(
            job = %job.id, organization = %job.tenant, kind, reason, subject = job.subject, error = job.error,
            attempts = job.attempts, "a job died; see `aloft queue dead show`"
        );
        context.metrics.dead.with_label_values(&[kind, reason]).inc();
    }
    Ok(if dead.len() < BATCH as usize { Left::Nothing } else { Left::More })
}
