//! This file's job is to take jobs back from workers that are gone.

use crate::context::{Context, jitter};
use crate::outcome::give_up;
use db::queue::{self, Failed, Rescued};
use db::{Scope, Tx};
use std::time::Duration;

/// Jobs that are taken back in one transaction.
const PAGE: u32 = 100;

/// Looks for lapsed leases until it is time to stop.
pub(crate) async fn run(context: &Context) {
    let pause = Duration::from_millis(context.config.rescue_ms);
    while context.stop.run_until(tokio::time::sleep(pause)).await.is_some() {
        loop {
            match rescue(context).await {
                Ok(rescued) if rescued.len() as u64 == u64::from(PAGE) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "no jobs can be taken back");
                    break;
                }
            }
        }
    }
}

async fn rescue(context: &Context) -> db::Result<Vec<Rescued>> {
    let (jitter, now) = (jitter(), context.clock.now());
    let write = move |tx: &mut Tx<'_>| {
        let rescued = queue::rescue_expired(tx, PAGE, jitter, now)?;
        for job in rescued.iter().filter(|rescued| rescued.failed == Failed::Dead) {
            let dead = queue::get_dead(tx, &job.job)?;
            let work = dead.work()?;
            give_up(tx, &Scope::authorized(dead.tenant), &work, now)?;
        }
        Ok(rescued)
    };
    let rescued = context.db.write(write).await?;
    for job in &rescued {
        tracing::warn!(job = %job.job, cause = %job.cause, "taken back from a lost worker");
        context.metrics.rescued.inc();
    }
    Ok(rescued)
}
