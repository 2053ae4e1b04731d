//! This file's job is to do what comes round again, each kind on one worker at a time.

mod blobs;
mod dead;
mod records;
mod retention;
mod uploads;

use crate::context::Context;
use crate::error::Error;
use db::schedules::{self, Schedule, Turn};
use db::{Db, Tx};
use domain::Timestamp;
use std::time::Duration;

/// How often this worker looks what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// No turn lasts longer: each one does a bounded piece and leaves the rest to the next.
const TURN_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a kind of work rests after it failed.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// A kind of work that comes round again. All of them find out by themselves what there is to do, and may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Gives up uploads whose time has run out.
    ExpireUploads,
    /// Removes the staged bytes of uploads that need them no more.
    SweepParts,
    /// Forgets hints, answers and histories that are old.
    TrimRecords,
    /// Lets go of releases and bundles that plans keep no longer.
    RetireReleases,
    /// Removes blobs that nobody has.
    SweepBlobs,
    /// Tells of jobs that died.
    TellDead,
}

impl Task {
    const ALL: [Self; 6] = [
        Self::ExpireUploads,
        Self::SweepParts,
        Self::TrimRecords,
        Self::RetireReleases,
        Self::SweepBlobs,
        Self::TellDead,
    ];

    /// The name of its row; stable.
    const fn name(self) -> &'static str {
        match self {
            Self::ExpireUploads => "expire-uploads",
            Self::SweepParts => "sweep-parts",
            Self::TrimRecords => "trim-records",
            Self::RetireReleases => "retire-releases",
            Self::SweepBlobs => "sweep-blobs",
            Self::TellDead => "tell-dead",
        }
    }

    /// The rest between two turns.
    const fn every(self) -> Duration {
        match self {
            Self::ExpireUploads => Duration::from_secs(60),
            Self::SweepParts | Self::SweepBlobs => Duration::from_secs(60 * 60),
            Self::RetireReleases => Duration::from_secs(6 * 60 * 60),
            Self::TrimRecords => Duration::from_secs(10 * 60),
            Self::TellDead => Duration::from_secs(10),
        }
    }
}

/// What a turn leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing: rest.
    Nothing,
    /// More of the same: take the next turn at once.
    More,
}

/// Does what is due until it is time to stop.
pub(crate) async fn run(context: &Context) {
    while context.stop.run_until(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        // Looking costs less than trying: most of the time nothing is due.
        let known = match context.db.read(schedules::list).await {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!(%error, "it cannot be seen what is due");
                continue;
            }
        };
        for task in Task::ALL.into_iter().filter(|task| is_due(&known, *task, context.clock.now())) {
            match context.stop.run_until(take_turns(context, task)).await {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::warn!(task = task.name(), %error, "a turn failed; it comes round again"),
                None => return,
            }
        }
    }
}

fn is_due(known: &[Schedule], task: Task, now: Timestamp) -> bool {
    let row = known.iter().find(|row| row.name == task.name());
    row.is_none_or(|row| row.due_at <= now && row.lease_until.is_none_or(|until| until <= now))
}

/// Does the task as long as this worker gets the turn and something is left to do.
async fn take_turns(context: &Context, task: Task) -> Result<(), Error> {
    loop {
        let (worker, now) = (context.worker.clone(), context.clock.now());
        let take = move |tx: &mut Tx<'_>| schedules::take(tx, task.name(), &worker, TURN_MAX, now);
        let Some(turn) = context.db.write(take).await? else { return Ok(()) };
        let outcome = match tokio::time::timeout(TURN_MAX, perform(context, task)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Internal(format!("the turn of {} lasted too long", task.name()))),
        };
        let now = context.clock.now();
        let (due_at, text) = match &outcome {
            Ok(Left::More) => (now, None),
            Ok(Left::Nothing) => (now.plus(task.every()), None),
            Err(error) => (now.plus(REST_AFTER_FAILURE), Some(error.to_string())),
        };
        finish(&context.db, turn, text, due_at, now).await?;
        if outcome? == Left::Nothing {
            return Ok(());
        }
    }
}

async fn finish(db: &Db, turn: Turn, error: Option<String>, due_at: Timestamp, now: Timestamp) -> Result<(), Error> {
    let finish = move |tx: &mut Tx<'_>| schedules::finish(tx, &turn, error.as_deref(), due_at, now);
    Ok(db.write(finish).await?)
}

async fn perform(context: &Context, task: Task) -> Result<Left, Error> {
    match task {
        Task::ExpireUploads => uploads::expire(context).await,
        Task::SweepParts => uploads::sweep_parts(context).await,
        Task::TrimRecords => records::trim(context).await,
        Task::RetireReleases => retention::retire(context).await,
        Task::SweepBlobs => blobs::sweep(context).await,
        Task::TellDead => dead::tell(context).await,
    }
}
