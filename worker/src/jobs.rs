//! This file's job is to name the kinds of jobs, one file each. Every job may run twice and must end the same.

mod make_delta;
mod make_package;
mod make_package_diff;
mod make_variants;
mod package_file;
mod plan_deltas;
pub(crate) mod process_upload;
mod send_mail;
mod send_webhook;
mod spool;
mod upload_news;

use crate::context::Context;
use crate::error::Error;
use db::queue::Lease;
use domain::job::Job;

/// Does the job and completes it, in one transaction with its effect.
pub(crate) async fn run(context: &Context, lease: &Lease) -> Result<(), Error> {
    match &lease.work {
        Job::ProcessUpload { upload } => process_upload::run(context, lease, upload).await,
        Job::PlanDeltas { release } => plan_deltas::run(context, lease, release).await,
        Job::MakeDelta { from, to, effort } => make_delta::run(context, lease, (from, to), *effort).await,
        Job::MakeVariants { bundle, effort } => make_variants::run(context, lease, bundle, *effort).await,
        Job::MakePackage { release } => make_package::run(context, lease, release).await,
        Job::MakePackageDiff { from, to } => make_package_diff::run(context, lease, (from, to)).await,
        Job::SendMail { mail } => send_mail::run(context, lease, mail).await,
        Job::SendWebhook { delivery } => send_webhook::run(context, lease, delivery).await,
    }
}
