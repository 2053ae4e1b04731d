//! This file's job is to serve whoever looks after the queue.

use crate::app::dead_jobs::{self, Which};
use crate::auth::caller::operator;
use crate::context::Context;
use crate::error::Error;
use db::queue::{self, Attempt, DeadGroup, DeadJob, TenantStats, TierStats};
use domain::Timestamp;
use domain::id::JobId;
use proto::v1;
use tonic::{Request, Response, Status};

/// Tenants that are shown at once.
const TENANTS_SHOWN: u32 = 100;
/// What a list returns when the request does not say how much.
const PAGE_DEFAULT: u32 = 50;

/// The queue service.
#[derive(Clone)]
pub struct Queues {
    /// What use cases need.
    pub context: Context,
}

fn us(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_us)
}

fn tier_share(stats: &TierStats) -> v1::QueueShare {
    v1::QueueShare {
        tier: stats.tier.number().unsigned_abs(),
        organization_id: String::new(),
        ready_count: stats.ready,
        running_count: stats.running,
        waiting_count: stats.waiting,
        oldest_ready_at_us: us(stats.oldest_ready_at),
    }
}

fn tenant_share(stats: &TenantStats) -> v1::QueueShare {
    v1::QueueShare { organization_id: stats.tenant.to_string(), ..tier_share(&stats.stats) }
}

fn dead_job(job: &DeadJob) -> v1::DeadJob {
    v1::DeadJob {
        job_id: job.id.to_string(),
        tier: job.tier.number().unsigned_abs(),
        organization_id: job.tenant.to_string(),
        kind: job.kind.to_string(),
        subject: job.subject.clone(),
        payload: job.payload.clone(),
        cause: job.reason.clone(),
        error: job.error.clone(),
        attempt_count: job.attempts,
        enqueued_at_us: job.enqueued_at.as_us(),
        died_at_us: job.died_at.as_us(),
        resolution: job.resolution.map(|resolution| resolution.to_string()).unwrap_or_default(),
        resolution_reason: job.resolution_reason.clone().unwrap_or_default(),
        retried_as: job.retried_as.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn attempt(attempt: &Attempt) -> v1::JobAttempt {
    v1::JobAttempt {
        number: attempt.n,
        worker_id: attempt.worker.to_string(),
        started_at_us: attempt.started_at.as_us(),
        ended_at_us: us(attempt.ended_at),
        outcome: attempt.outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
        error: attempt.error.clone().unwrap_or_default(),
    }
}

fn group(group: DeadGroup) -> v1::DeadJobGroup {
    v1::DeadJobGroup {
        kind: group.kind.to_string(),
        cause: group.reason,
        error: group.error,
        job_count: group.count,
        first_died_at_us: group.first_died_at.as_us(),
        last_died_at_us: group.last_died_at.as_us(),
        sample_job_id: group.sample.to_string(),
    }
}

#[tonic::async_trait]
impl v1::queue_service_server::QueueService for Queues {
    async fn get_queue_stats(
        &self,
        request: Request<v1::GetQueueStatsRequest>,
    ) -> Result<Response<v1::GetQueueStatsResponse>, Status> {
        operator(&request)?;
        let read = self.context.read(|conn| {
            Ok((queue::stats(conn)?, queue::tenant_stats(conn, TENANTS_SHOWN)?, queue::count_dead(conn)?))
        });
        let (tiers, tenants, dead_count) = read.await?;
        Ok(Response::new(v1::GetQueueStatsResponse {
            tiers: tiers.iter().map(tier_share).collect(),
            tenants: tenants.iter().map(tenant_share).collect(),
            dead_count,
        }))
    }

    async fn list_dead_job_groups(
        &self,
        request: Request<v1::ListDeadJobGroupsRequest>,
    ) -> Result<Response<v1::ListDeadJobGroupsResponse>, Status> {
        operator(&request)?;
        let groups = self.context.read(|conn| Ok(queue::dead_groups(conn)?)).await?;
        Ok(Response::new(v1::ListDeadJobGroupsResponse { groups: groups.into_iter().map(group).collect() }))
    }

    async fn list_dead_jobs(
        &self,
        request: Request<v1::ListDeadJobsRequest>,
    ) -> Result<Response<v1::ListDeadJobsResponse>, Status> {
        operator(&request)?;
        let request = request.into_inner();
        let which = Which::read(&request.filter.unwrap_or(v1::DeadJobFilter { all: true, ..Default::default() }))?;
        let limit = match u32::try_from(request.page_size) {
            Ok(0) => PAGE_DEFAULT,
            Ok(size) => size,
            Err(_) => return Err(Error::field("page_size", "must not be negative").into()),
        };
        let after = request.after_job_id;
        let listed = self.context.read(move |conn| Ok(queue::list_dead(conn, &which.filter, Some(&after), limit)?));
        Ok(Response::new(v1::ListDeadJobsResponse { jobs: listed.await?.iter().map(dead_job).collect() }))
    }

    async fn get_dead_job(
        &self,
        request: Request<v1::GetDeadJobRequest>,
    ) -> Result<Response<v1::GetDeadJobResponse>, Status> {
        operator(&request)?;
        let id: JobId = request.into_inner().job_id.parse().map_err(Error::in_field("job_id"))?;
        let read = self.context.read(move |conn| Ok((queue::get_dead(conn, &id)?, queue::attempts(conn, &id)?)));
        let (job, attempts) = read.await?;
        let attempts = attempts.iter().map(attempt).collect();
        Ok(Response::new(v1::GetDeadJobResponse { job: Some(dead_job(&job)), attempts }))
    }

    async fn retry_dead_jobs(
        &self,
        request: Request<v1::RetryDeadJobsRequest>,
    ) -> Result<Response<v1::RetryDeadJobsResponse>, Status> {
        let operator = operator(&request)?;
        let request = request.into_inner();
        let which = Which::read(&request.filter.unwrap_or_default())?;
        let job_count = dead_jobs::retry(&self.context, operator, which, request.validate_only).await?;
        Ok(Response::new(v1::RetryDeadJobsResponse { job_count }))
    }

    async fn discard_dead_jobs(
        &self,
        request: Request<v1::DiscardDeadJobsRequest>,
    ) -> Result<Response<v1::DiscardDeadJobsResponse>, Status> {
        let operator = operator(&request)?;
        let request = request.into_inner();
        let which = Which::read(&request.filter.unwrap_or_default())?;
        let reason = dead_jobs::reason(request.reason)?;
        let job_count = dead_jobs::discard(&self.context, operator, which, reason, request.validate_only).await?;
        Ok(Response::new(v1::DiscardDeadJobsResponse { job_count }))
    }
}
