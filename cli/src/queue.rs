//! This file's job is `aloft queue`: show the queue, and deal with jobs that failed for good.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, table};
use proto::v1;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

/// Shows the queue and deals with dead jobs; needs the server's operator_token as --api-key.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Shows what waits and runs, for each tier and for the organizations with the most jobs.
    Stats,
    /// Looks at jobs that failed for good, tries them again or gives them up.
    #[command(subcommand)]
    Dead(Dead),
}

/// What to do with dead jobs.
#[derive(Debug, clap::Subcommand)]
pub enum Dead {
    /// Lists them as groups of the same error, or one by one with a filter.
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        filter: Filter,
    },
    /// Shows one with its payload, all attempts and their errors.
    Show {
        /// The job's id.
        job: String,
    },
    /// Tries them again, as new jobs.
    #[command(
        after_help = "Examples:\n  aloft queue dead retry --cause unavailable --dry-run\n  aloft queue dead retry --job job_01j9z3k4m5n6p7q8r9s0t1v2w3"
    )]
    Retry {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        filter: Filter,
        /// Only count them.
        #[arg(long)]
        dry_run: bool,
    },
    /// Gives them up.
    Discard {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        filter: Filter,
        /// Why; stays in the audit log.
        #[arg(long)]
        reason: String,
        /// Only count them.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which dead jobs.
#[derive(Debug, Clone, clap::Args)]
pub struct Filter {
    /// Exactly this one.
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
    /// Of this kind, for instance process-upload.
    #[arg(long)]
    pub kind: Option<String>,
    /// Those that died of this, for instance unavailable.
    #[arg(long)]
    pub cause: Option<String>,
    /// Of this organization.
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// All of them.
    #[arg(long)]
    pub all: bool,
}

impl Filter {
    fn wire(self) -> Option<v1::DeadJobFilter> {
        let Self { job, kind, cause, organization, all } = self;
        Some(v1::DeadJobFilter {
            job_id: job.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            cause: cause.unwrap_or_default(),
            organization_id: organization.unwrap_or_default(),
            all,
        })
    }

    const fn is_empty(&self) -> bool {
        self.job.is_none() && self.kind.is_none() && self.cause.is_none() && self.organization.is_none() && !self.all
    }
}

/// Rows of one table; as JSON, each row is an object with the headings as names.
#[derive(Debug, Serialize)]
pub struct Rows {
    #[serde(skip)]
    headings: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<BTreeMap<&'static str, String>>,
}

impl Rows {
    fn new<T>(items: &[T], cells: impl Fn(&T) -> Vec<(&'static str, String)>) -> Self {
        let rows: Vec<Vec<(&'static str, String)>> = items.iter().map(cells).collect();
        let headings = rows.first().into_iter().flatten().map(|(name, _)| *name).collect();
        Self { headings, rows: rows.into_iter().map(|row| row.into_iter().collect()).collect() }
    }
}

impl Display for Rows {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.rows.is_empty() {
            return f.write_str("none\n");
        }
        let cells = |row: &BTreeMap<&'static str, String>| {
            self.headings.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect()
        };
        f.write_str(&table::text(&self.headings, &self.rows.iter().map(cells).collect::<Vec<Vec<String>>>()))
    }
}

/// How many jobs were, or would be, dealt with.
#[derive(Debug, Serialize)]
pub struct Counted {
    /// "retried" or "discarded".
    pub action: &'static str,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many.
    pub job_count: u64,
}

impl Display for Counted {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let verb = if self.dry_run { "would be" } else { "were" };
        writeln!(f, "{} dead jobs {verb} {}", self.job_count, self.action)
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Stats => stats(connection).await,
        Command::Dead(Dead::List { filter }) if filter.is_empty() => groups(connection).await,
        Command::Dead(Dead::List { filter }) => list(connection, filter).await,
        Command::Dead(Dead::Show { job }) => show(connection, job).await,
        Command::Dead(Dead::Retry { filter, dry_run }) => {
            let request = v1::RetryDeadJobsRequest { filter: filter.wire(), validate_only: dry_run };
            let answer = connection.answer(connection.queue().retry_dead_jobs(request).await)?;
            Ok(Box::new(Counted { action: "retried", dry_run, job_count: answer.job_count }))
        }
        Command::Dead(Dead::Discard { filter, reason, dry_run }) => {
            let request = v1::DiscardDeadJobsRequest { filter: filter.wire(), reason, validate_only: dry_run };
            let answer = connection.answer(connection.queue().discard_dead_jobs(request).await)?;
            Ok(Box::new(Counted { action: "discarded", dry_run, job_count: answer.job_count }))
        }
    }
}

async fn stats(connection: &Connection) -> Result<AnyReport, Error> {
    let answer = connection.answer(connection.queue().get_queue_stats(v1::GetQueueStatsRequest {}).await)?;
    let shares: Vec<v1::QueueShare> = answer.tiers.into_iter().chain(answer.tenants).collect();
    Ok(Box::new(Rows::new(&shares, |share| {
        let oldest = if share.oldest_ready_at_us == 0 { String::new() } else { moment::text(share.oldest_ready_at_us) };
        vec![
            ("tier", format!("p{}", share.tier)),
            (
                "organization",
                if share.organization_id.is_empty() { "all".into() } else { share.organization_id.clone() },
            ),
            ("ready", share.ready_count.to_string()),
            ("running", share.running_count.to_string()),
            ("waiting", share.waiting_count.to_string()),
            ("oldest", oldest),
        ]
    })))
}

async fn groups(connection: &Connection) -> Result<AnyReport, Error> {
    let request = v1::ListDeadJobGroupsRequest {};
    let groups = connection.answer(connection.queue().list_dead_job_groups(request).await)?.groups;
    Ok(Box::new(Rows::new(&groups, |group| {
        vec![
            ("jobs", group.job_count.to_string()),
            ("kind", group.kind.clone()),
            ("cause", group.cause.clone()),
            ("last", moment::text(group.last_died_at_us)),
            ("sample", group.sample_job_id.clone()),
            ("error", group.error.clone()),
        ]
    })))
}

async fn list(connection: &Connection, filter: Filter) -> Result<AnyReport, Error> {
    let request = v1::ListDeadJobsRequest { filter: filter.wire(), page_size: 1_000, after_job_id: String::new() };
    let jobs = connection.answer(connection.queue().list_dead_jobs(request).await)?.jobs;
    Ok(Box::new(Rows::new(&jobs, |job| {
        vec![
            ("job", job.job_id.clone()),
            ("organization", job.organization_id.clone()),
            ("kind", job.kind.clone()),
            ("cause", job.cause.clone()),
            ("died", moment::text(job.died_at_us)),
            ("error", job.error.clone()),
        ]
    })))
}

/// A dead job with its history.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(skip)]
    fields: Vec<(&'static str, String)>,
    /// The job's fields.
    pub job: BTreeMap<&'static str, String>,
    /// Its attempts, first one first.
    pub attempts: Rows,
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", table::pairs(&self.fields), self.attempts)
    }
}

async fn show(connection: &Connection, job_id: String) -> Result<AnyReport, Error> {
    let answer = connection.answer(connection.queue().get_dead_job(v1::GetDeadJobRequest { job_id }).await)?;
    let job = answer.job.ok_or_else(|| Error::missing("the job"))?;
    let fields = vec![
        ("job", job.job_id),
        ("organization", job.organization_id),
        ("kind", job.kind),
        ("payload", job.payload),
        ("cause", job.cause),
        ("error", job.error),
        ("died", moment::text(job.died_at_us)),
        ("resolution", job.resolution),
        ("because", job.resolution_reason),
        ("retried as", job.retried_as),
    ];
    let attempts = Rows::new(&answer.attempts, |attempt| {
        vec![
            ("attempt", attempt.number.to_string()),
            ("worker", attempt.worker_id.clone()),
            ("started", moment::text(attempt.started_at_us)),
            ("outcome", attempt.outcome.clone()),
            ("error", attempt.error.clone()),
        ]
    });
    let job = fields.iter().cloned().collect();
    Ok(Box::new(Shown { fields, job, attempts }))
}
