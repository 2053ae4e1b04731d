//! This file's job is to check what whoever looks after the queue sees and can do.

use crate::on_both_databases;
use crate::rig::{OPERATOR_TOKEN, Rig, now, reason, with};
use db::Scope;
use db::queue::{self, Claim, Failure, NewJob};
use domain::id::{JobId, UploadId, WorkerId};
use domain::job::{Job, Lane, Tier};
use proto::v1;
use proto::v1::queue_service_client::QueueServiceClient;
use std::time::Duration;
use tonic::transport::Channel;

on_both_databases!(
    dead_jobs_are_seen_counted_retried_and_discarded,
    dead_jobs_of_the_installation_are_dealt_with_too,
    nobody_with_a_key_sees_the_queue,
);

fn client(rig: &Rig) -> QueueServiceClient<Channel> {
    QueueServiceClient::new(rig.server.channel.clone())
}

/// Adds a job of the organization and lets it die of this.
async fn kill(rig: &Rig, scope: &Scope, cause: &'static str) -> JobId {
    let (id, at) = (JobId::from_parts(now(), runtime::random::bytes()), now());
    let upload = UploadId::from_parts(at, runtime::random::bytes());
    let new = NewJob {
        id: id.clone(),
        tier: Tier::P3,
        organization: scope.organization().clone(),
        app: None,
        work: Job::ProcessUpload { upload },
        cost: 1,
        run_at: at,
    };
    let claim = Claim {
        tier: Tier::P3,
        limit: 1,
        background_max: 1,
        first: Lane::Foreground,
        tenant_max: None,
        worker: WorkerId::from_parts(at, [1; 10]),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(30),
    };
    let write = move |tx: &mut db::Tx<'_>| {
        queue::enqueue(tx, &new, at)?;
        let lease = queue::claim(tx, &claim, at)?.pop().expect("the job is ready");
        let failure =
            Failure { reason: cause.into(), error: format!("worker {}: {cause}", lease.worker), retryable: false };
        queue::fail(tx, &lease, &failure, 0, at)
    };
    rig.db.write(write).await.unwrap();
    id
}

async fn dead_jobs_are_seen_counted_retried_and_discarded(rig: Rig) {
    let ids = [
        kill(&rig, &rig.scope, "away").await,
        kill(&rig, &rig.scope, "away").await,
        kill(&rig, &rig.scope, "full").await,
    ];
    let away = || v1::DeadJobFilter { cause: "away".into(), ..Default::default() };
    let groups =
        client(&rig).list_dead_job_groups(with(OPERATOR_TOKEN, v1::ListDeadJobGroupsRequest {})).await.unwrap();
    let groups: Vec<_> =
        groups.into_inner().groups.into_iter().map(|group| (group.cause, group.job_count, group.error)).collect();
    assert_eq!(groups[0], ("away".to_owned(), 2, "worker # away".to_owned()));
    let shown = v1::GetDeadJobRequest { job_id: ids[0].to_string() };
    let shown = client(&rig).get_dead_job(with(OPERATOR_TOKEN, shown)).await.unwrap().into_inner();
    assert_eq!((shown.attempts.len(), shown.attempts[0].outcome.as_str()), (1, "failed"));
    assert!(shown.job.unwrap().payload.contains("upl_"));

    for (validate_only, ready) in [(true, 0), (false, 2)] {
        let retry = v1::RetryDeadJobsRequest { filter: Some(away()), validate_only };
        let retried = client(&rig).retry_dead_jobs(with(OPERATOR_TOKEN, retry)).await.unwrap().into_inner();
        assert_eq!(retried.job_count, 2);
        let stats =
            client(&rig).get_queue_stats(with(OPERATOR_TOKEN, v1::GetQueueStatsRequest {})).await.unwrap().into_inner();
        assert_eq!((stats.tiers[3].ready_count, stats.dead_count), (ready, 3 - ready));
        // The installation itself has a mail to send.
        let own = stats.tenants.iter().filter(|share| share.organization_id == rig.scope.organization().as_str());
        assert_eq!(own.count(), usize::from(ready > 0));
    }
    let discard = |why: &str| v1::DiscardDeadJobsRequest {
        filter: Some(v1::DeadJobFilter { all: true, ..Default::default() }),
        reason: why.into(),
        validate_only: false,
    };
    let unexplained = client(&rig).discard_dead_jobs(with(OPERATOR_TOKEN, discard(""))).await;
    assert_eq!(reason(unexplained), v1::Reason::InvalidField);
    let discarded =
        client(&rig).discard_dead_jobs(with(OPERATOR_TOKEN, discard("test data"))).await.unwrap().into_inner();
    assert_eq!(discarded.job_count, 1);
    let careless = v1::RetryDeadJobsRequest { filter: None, validate_only: false };
    assert_eq!(reason(client(&rig).retry_dead_jobs(with(OPERATOR_TOKEN, careless)).await), v1::Reason::InvalidField);

    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 10)).await.unwrap();
    let actions: Vec<&str> =
        audit.iter().filter(|entry| entry.actor_kind == "operator").map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions.len(), 3);
    assert!(actions.contains(&"RetryDeadJobs") && actions.contains(&"DiscardDeadJobs"), "{actions:?}");
}

async fn dead_jobs_of_the_installation_are_dealt_with_too(rig: Rig) {
    let system = Scope::authorized(domain::job::system_tenant());
    let (first, second) = (kill(&rig, &system, "away").await, kill(&rig, &system, "full").await);
    let only = |id: &JobId| Some(v1::DeadJobFilter { job_id: id.to_string(), ..Default::default() });
    let retry = v1::RetryDeadJobsRequest { filter: only(&first), validate_only: false };
    client(&rig).retry_dead_jobs(with(OPERATOR_TOKEN, retry)).await.unwrap();
    let discard = v1::DiscardDeadJobsRequest { filter: only(&second), reason: "old".into(), validate_only: false };
    client(&rig).discard_dead_jobs(with(OPERATOR_TOKEN, discard)).await.unwrap();
    // No organization's audit log tells of them; they tell it themselves.
    for (id, resolution) in [(first, "retried"), (second, "discarded")] {
        let shown = v1::GetDeadJobRequest { job_id: id.to_string() };
        let shown = client(&rig).get_dead_job(with(OPERATOR_TOKEN, shown)).await.unwrap().into_inner();
        assert_eq!(shown.job.unwrap().resolution, resolution);
    }
}

async fn nobody_with_a_key_sees_the_queue(rig: Rig) {
    kill(&rig, &rig.scope, "away").await;
    let stats = client(&rig).get_queue_stats(rig.ask(v1::GetQueueStatsRequest {})).await;
    assert_eq!(reason(stats), v1::Reason::RoleInsufficient);
}
