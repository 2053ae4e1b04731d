//! This file's job is to run one attempt at a job, and to write how it ended when the job itself could not.

use crate::context::{Context, jitter};
use crate::error::Error;
use crate::jobs::{self, process_upload};
use db::queue::{self, Failed, Failure, Lease};
use db::{AttemptOutcome, Tx, webhook_deliveries};
use domain::Timestamp;
use domain::job::Job;
use runtime::failpoint;

/// How an attempt ended.
enum Ended {
    Completed,
    Failed(Error),
    LeaseLost,
    Stopped,
}

/// Runs the job until it ends, its lease is lost or the worker stops.
pub(crate) async fn attempt(context: &Context, lease: &Lease) {
    let held = context.leases.hold(lease);
    context.metrics.running.inc();
    if lease.attempt == 1 {
        context.metrics.wait.observe(context.clock.now().since(lease.enqueued_at).as_secs_f64());
    }
    let ended = tokio::select! {
        biased;
        () = held.lost.cancelled() => Ended::LeaseLost,
        () = context.stop.stopped() => Ended::Stopped,
        result = jobs::run(context, lease) => match result {
            Ok(()) => Ended::Completed,
            Err(error) if error.is_stale() => Ended::LeaseLost,
            Err(error) => Ended::Failed(error),
        },
    };
    let outcome = write(context, lease, ended).await;
    context.metrics.running.dec();
    context.metrics.jobs.with_label_values(&[lease.work.kind().as_str(), outcome.as_str()]).inc();
}

async fn write(context: &Context, lease: &Lease, ended: Ended) -> AttemptOutcome {
    let (job, attempt) = (&lease.job, lease.attempt);
    match ended {
        Ended::Completed => AttemptOutcome::Completed,
        Ended::LeaseLost => {
            tracing::warn!(%job, attempt, "the lease was lost; the work is thrown away");
            AttemptOutcome::LeaseLost
        }
        Ended::Stopped => {
            let (back, now) = (lease.clone(), context.clock.now());
            // When this fails the lease lapses, and the job runs elsewhere.
            match context.db.write(move |tx| queue::release(tx, &back, now)).await {
                Ok(()) => tracing::info!(%job, "given back"),
                Err(error) => tracing::warn!(%job, %error, "not given back"),
            }
            AttemptOutcome::Released
        }
        Ended::Failed(error) => {
            tracing::warn!(%job, attempt, %error, "failed");
            if let Err(error) = fail(context, lease, &error).await {
                tracing::warn!(%job, %error, "the failure could not be written; the lease will lapse");
            }
            AttemptOutcome::Failed
        }
    }
}

async fn fail(context: &Context, lease: &Lease, error: &Error) -> db::Result<()> {
    let retryable = !failpoint::is_broken("worker.runs-again");
    let failure = Failure { reason: error.reason().to_owned(), error: error.to_string(), retryable };
    let (lease, jitter, now) = (lease.clone(), jitter(), context.clock.now());
    let write = move |tx: &mut Tx<'_>| match queue::fail(tx, &lease, &failure, jitter, now)? {
        Failed::Retried { .. } => Ok(()),
        Failed::Dead => give_up(tx, &lease.scope(), &lease.work, now),
    };
    context.db.write(write).await
}

/// Tells those who wait for a job that it will not be done by itself any more.
pub(crate) fn give_up(tx: &mut Tx<'_>, scope: &db::Scope, work: &Job, now: Timestamp) -> db::Result<()> {
    match work {
        Job::ProcessUpload { upload } => process_upload::give_up(tx, scope, upload, now),
        // Devices get the whole file; whoever waits for a mail asks for another one.
        Job::SendWebhook { delivery } => {
            webhook_deliveries::give_up(tx, delivery, "the server could not send it; its operator has been told", now)
        }
        Job::PlanDeltas { .. }
        | Job::MakeDelta { .. }
        | Job::MakeVariants { .. }
        | Job::MakePackage { .. }
        | Job::MakePackageDiff { .. }
        | Job::SendMail { .. } => Ok(()),
    }
}
