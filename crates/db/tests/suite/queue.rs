//! This file's job is to check that each job is done once, by the worker that holds its lease.

use crate::world::{START, World, after};
use db::queue::{self, Claim, Enqueued, Failed, Failure, Lease, NewJob};
use db::{AttemptOutcome, DeadResolution, Error, JobState};
use domain::id::{JobId, OrganizationId, UploadId, WorkerId};
use domain::job::{Job, Lane, Tier};
use domain::{ErrorKind, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

pub fn tenant(number: u8) -> OrganizationId {
    OrganizationId::from_parts(START, [number; 10])
}

/// A job of a tenant of tier P2 with work of its own.
pub fn new_job(world: &World, tenant_number: u8) -> NewJob {
    NewJob {
        id: JobId::from_parts(START, world.draw()),
        tier: Tier::P2,
        organization: tenant(tenant_number),
        app: None,
        work: Job::ProcessUpload { upload: UploadId::from_parts(START, world.draw()) },
        cost: 1,
        run_at: START,
    }
}

pub async fn enqueue(world: &World, new: &NewJob, now: Timestamp) -> Enqueued {
    let new = new.clone();
    world.write(move |tx| queue::enqueue(tx, &new, now)).await
}

pub fn worker(number: u8) -> WorkerId {
    WorkerId::from_parts(START, [number; 10])
}

pub async fn claim(world: &World, worker_number: u8, limit: u32, now: Timestamp) -> Vec<Lease> {
    let claim = Claim {
        tier: Tier::P2,
        limit,
        background_max: limit,
        first: Lane::Foreground,
        tenant_max: None,
        worker: worker(worker_number),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(300),
    };
    world.db.write_relaxed(move |tx| queue::claim(tx, &claim, now)).await.unwrap()
}

async fn claim_one(world: &World, worker_number: u8, now: Timestamp) -> Lease {
    claim(world, worker_number, 1, now).await.pop().expect("a job is ready")
}

fn failure(retryable: bool) -> Failure {
    Failure { reason: "disk-full".into(), error: "no space left".into(), retryable }
}

async fn fail(world: &World, lease: &Lease, retryable: bool, now: Timestamp) -> db::Result<Failed> {
    let (lease, failure) = (lease.clone(), failure(retryable));
    world.db.write(move |tx| queue::fail(tx, &lease, &failure, 0, now)).await
}

async fn complete(world: &World, lease: &Lease, now: Timestamp) -> db::Result<()> {
    let lease = lease.clone();
    world.db.write(move |tx| queue::complete(tx, &lease, now)).await
}

async fn rescue(world: &World, now: Timestamp) -> Vec<queue::Rescued> {
    world.write(move |tx| queue::rescue_expired(tx, 10, 0, now)).await
}

db_test! {
    async fn eight_workers_share_four_hundred_jobs(world) {
        const JOBS: usize = 400;
        let jobs: Vec<NewJob> = (0..JOBS).map(|i| new_job(&world, (i % 7) as u8)).collect();
        world.write(move |tx| jobs.iter().try_for_each(|job| queue::enqueue(tx, job, START).map(drop))).await;
        let world = std::sync::Arc::new(world);
        let tasks: Vec<_> = (0..8_u8).map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let leases = claim(&world, number, 5, after(1)).await;
                    if leases.is_empty() {
                        return done;
                    }
                    for lease in leases {
                        complete(&world, &lease, after(2)).await.unwrap();
                        done.push(lease.job);
                    }
                }
            })
        }).collect();
        let mut done = Vec::new();
        for task in tasks {
            done.extend(task.await.unwrap());
        }
        assert_eq!(done.len(), JOBS, "a job was claimed twice");
        assert_eq!(done.iter().collect::<BTreeSet<_>>().len(), JOBS);
        let stats = world.read(queue::stats).await;
        assert!(stats.iter().all(|tier| tier.ready + tier.running + tier.waiting == 0));
    }
}

db_test! {
    async fn a_lease_carries_the_job_and_its_scope(world) {
        let new = new_job(&world, 1);
        assert_eq!(enqueue(&world, &new, START).await, Enqueued::New);
        let lease = claim_one(&world, 1, after(1)).await;
        assert_eq!((&lease.job, &lease.work, lease.attempt, lease.fence), (&new.id, &new.work, 1, 1));
        assert_eq!(lease.scope().organization(), &new.organization);
        assert_eq!((lease.lease_until, lease.deadline_at), (after(31), after(301)));
        assert!(claim(&world, 2, 10, after(2)).await.is_empty());
    }
}

db_test! {
    async fn a_worker_that_lost_its_lease_cannot_write(world) {
        enqueue(&world, &new_job(&world, 1), START).await;
        let stale = claim_one(&world, 1, START).await;
        assert_eq!(rescue(&world, after(30)).await.len(), 1);
        let lease = claim_one(&world, 2, after(32)).await;
        assert_eq!((lease.fence, lease.attempt), (2, 2));
        assert!(matches!(complete(&world, &stale, after(33)).await, Err(Error::StaleLease)));
        assert!(matches!(fail(&world, &stale, true, after(33)).await, Err(Error::StaleLease)));
        assert!(matches!(fail(&world, &stale, false, after(33)).await, Err(Error::StaleLease)));
        let again = stale.clone();
        assert!(matches!(world.refused(move |tx| queue::release(tx, &again, after(33))).await, Error::StaleLease));
        // After a power cut the same fence may be handed out again: the worker's id still tells them apart.
        let forged = Lease { fence: lease.fence, ..stale };
        assert!(matches!(complete(&world, &forged, after(33)).await, Err(Error::StaleLease)));
        complete(&world, &lease, after(33)).await.unwrap();
        assert!(matches!(complete(&world, &lease, after(34)).await, Err(Error::StaleLease)));
        assert_eq!(world.read(queue::count_dead).await, 0);
    }
}

db_test! {
    async fn the_effect_of_a_stale_worker_is_undone(world) {
        enqueue(&world, &new_job(&world, 1), START).await;
        let stale = claim_one(&world, 1, START).await;
        rescue(&world, after(30)).await;
        let error = world.refused(move |tx| {
            db::meta::set(tx, "effect", "happened")?;
            queue::complete(tx, &stale, after(31))
        }).await;
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(world.read(|c| db::meta::find(c, "effect")).await, None);
    }
}

db_test! {
    async fn heartbeats_keep_a_lease_until_the_deadline(world) {
        enqueue(&world, &new_job(&world, 1), START).await;
        let lease = claim_one(&world, 1, START).await;
        let beat = |number: u8, now: Timestamp| {
            let db = world.db.clone();
            async move { db.write_relaxed(move |tx| queue::heartbeat(tx, &worker(number), Duration::from_secs(30), now)).await.unwrap() }
        };
        assert_eq!(beat(1, after(20)).await, [(lease.job.clone(), 1)]);
        assert_eq!(beat(2, after(20)).await, []);
        assert_eq!(rescue(&world, after(40)).await, []);
        assert_eq!(world.read(queue::next_lapse_at).await, Some(after(50)));
        assert_eq!(beat(1, after(290)).await.len(), 1);
        assert_eq!(beat(1, after(300)).await, [], "past the deadline nothing is renewed");
        let rescued = rescue(&world, after(301)).await;
        assert_eq!((rescued[0].cause, rescued[0].failed), (AttemptOutcome::Deadline, Failed::Retried { run_at: after(302) }));
    }
}

db_test! {
    async fn a_job_is_tried_four_times_and_then_dies(world) {
        let new = new_job(&world, 1);
        enqueue(&world, &new, START).await;
        let mut now = START;
        for (attempt, wait) in [(1, 1), (2, 10), (3, 100)] {
            let lease = claim_one(&world, 1, now).await;
            assert_eq!(lease.attempt, attempt);
            let run_at = now.plus(Duration::from_secs(wait));
            assert_eq!(fail(&world, &lease, true, now).await.unwrap(), Failed::Retried { run_at });
            assert_eq!(world.read(|c| queue::next_due_at(c, Tier::P2)).await, Some(run_at));
            assert!(claim(&world, 1, 1, run_at.minus(Duration::from_micros(1))).await.is_empty());
            now = run_at;
        }
        let lease = claim_one(&world, 1, now).await;
        assert_eq!(fail(&world, &lease, true, now).await.unwrap(), Failed::Dead);
        let dead = world.read(|c| queue::list_dead(c, &Default::default(), None, 10)).await;
        assert_eq!((dead.len(), dead[0].work().unwrap(), dead[0].reason.as_str(), dead[0].attempts), (1, new.work, "disk-full", 4));
        let id = new.id.clone();
        let attempts = world.read(move |c| queue::attempts(c, &id)).await;
        assert_eq!(attempts.len(), 4);
        assert!(attempts.iter().all(|attempt| attempt.outcome == Some(AttemptOutcome::Failed) && attempt.error.as_deref() == Some("no space left")));
    }
}

db_test! {
    async fn an_error_that_no_retry_helps_kills_at_once(world) {
        enqueue(&world, &new_job(&world, 1), START).await;
        let lease = claim_one(&world, 1, START).await;
        assert_eq!(fail(&world, &lease, false, START).await.unwrap(), Failed::Dead);
        assert_eq!(world.read(queue::count_dead).await, 1);
    }
}

db_test! {
    async fn dead_jobs_are_dealt_with_once(world) {
        let (one, two) = (new_job(&world, 1), new_job(&world, 2));
        for new in [&one, &two] {
            enqueue(&world, new, START).await;
            let lease = claim_one(&world, 1, START).await;
            fail(&world, &lease, false, START).await.unwrap();
        }
        let groups = world.read(queue::dead_groups).await;
        assert_eq!((groups.len(), groups[0].count, groups[0].error.as_str()), (1, 2, "no space left"));
        let narrow = queue::DeadFilter { id: Some(two.id.clone()), reason: Some("disk-full".into()), ..Default::default() };
        assert_eq!(world.read(move |c| queue::list_dead(c, &narrow, None, 10)).await.len(), 1);
        let (old, fresh) = (one.id.clone(), JobId::from_parts(after(1), world.draw()));
        let made = fresh.clone();
        assert_eq!(world.write(move |tx| queue::retry_dead(tx, &old, &made, "ann", after(1))).await, Enqueued::New);
        let lease = claim_one(&world, 1, after(1)).await;
        assert_eq!((&lease.job, &lease.work, lease.attempt), (&fresh, &one.work, 1));
        let (old, other) = (one.id.clone(), JobId::from_parts(after(1), world.draw()));
        assert_eq!(world.refused(move |tx| queue::retry_dead(tx, &old, &other, "bob", after(2))).await.kind(), ErrorKind::Conflict);
        let old = two.id.clone();
        world.write(move |tx| queue::discard_dead(tx, &old, "test data", "ann", after(2))).await;
        assert_eq!(world.read(queue::count_dead).await, 0);
        let filter = queue::DeadFilter { resolved_too: true, organization: Some(tenant(2)), tier: Some(Tier::P2), ..Default::default() };
        let all = world.read(move |c| queue::list_dead(c, &filter, None, 10)).await;
        assert_eq!((all.len(), all[0].resolution, all[0].resolution_reason.as_deref()), (1, Some(DeadResolution::Discarded), Some("test data")));
        let retried = world.read(move |c| queue::get_dead(c, &one.id)).await;
        assert_eq!((retried.retried_as, retried.resolved_by.as_deref()), (Some(fresh), Some("ann")));
    }
}

db_test! {
    async fn a_soft_stop_charges_no_attempt_and_keeps_the_place(world) {
        let (first, second) = (new_job(&world, 1), new_job(&world, 1));
        enqueue(&world, &first, START).await;
        enqueue(&world, &second, START).await;
        let lease = claim_one(&world, 1, START).await;
        let stopped = lease.clone();
        world.write(move |tx| queue::release(tx, &stopped, after(1))).await;
        let again = claim_one(&world, 2, after(1)).await;
        assert_eq!((&again.job, again.attempt, again.fence), (&lease.job, 1, 2));
    }
}

db_test! {
    async fn one_live_job_does_one_work(world) {
        let new = new_job(&world, 1);
        let twin = NewJob { id: JobId::from_parts(START, world.draw()), ..new.clone() };
        let other_tier = NewJob { tier: Tier::P0, ..twin.clone() };
        enqueue(&world, &new, START).await;
        assert_eq!(enqueue(&world, &twin, START).await, Enqueued::Existing(new.id.clone()));
        assert_eq!(enqueue(&world, &other_tier, START).await, Enqueued::Existing(new.id.clone()));
        let lease = claim_one(&world, 1, START).await;
        assert_eq!(enqueue(&world, &twin, START).await, Enqueued::Existing(new.id.clone()), "a running one counts too");
        complete(&world, &lease, after(1)).await.unwrap();
        assert_eq!(enqueue(&world, &twin, after(2)).await, Enqueued::New);
    }
}

db_test! {
    async fn concurrent_enqueues_of_one_work_add_one_job(world) {
        let new = new_job(&world, 1);
        let tasks: Vec<_> = (0..8_u8).map(|i| {
            let tier = if i % 2 == 0 { Tier::P1 } else { Tier::P3 };
            let (db, twin) = (world.db.clone(), NewJob { id: JobId::from_parts(START, world.draw()), tier, ..new.clone() });
            tokio::spawn(async move { db.write(move |tx| queue::enqueue(tx, &twin, START)).await.unwrap() })
        }).collect();
        let mut added = 0;
        for task in tasks {
            added += usize::from(task.await.unwrap() == Enqueued::New);
        }
        assert_eq!(added, 1);
    }
}

db_test! {
    async fn the_queue_can_be_looked_at(world) {
        let (first, second, later) = (new_job(&world, 1), new_job(&world, 1), NewJob { run_at: after(60), ..new_job(&world, 1) });
        for new in [&first, &second, &later] {
            enqueue(&world, new, START).await;
        }
        let scope = db::Scope::authorized(tenant(1));
        let (work, expected) = (second.work.clone(), second.id.clone());
        let info = world.read(move |c| queue::find(c, &scope, &work)).await.unwrap();
        assert_eq!((&info.id, info.state, info.attempt), (&expected, JobState::Ready, 0));
        assert_eq!(world.read(move |c| queue::position(c, Tier::P2, &expected)).await, Some(1));
        assert_eq!(world.read(move |c| queue::position(c, Tier::P2, &later.id)).await, None);
        claim_one(&world, 1, after(1)).await;
        let stats = world.read(queue::stats).await;
        let tier = stats.iter().find(|stats| stats.tier == Tier::P2).unwrap();
        assert_eq!((tier.ready, tier.running, tier.waiting, tier.oldest_ready_at), (1, 1, 1, Some(START)));
        let tenants = world.read(|c| queue::tenant_stats(c, 10)).await;
        assert_eq!(tenants, [queue::TenantStats { tenant: tenant(1), stats: *tier }]);
        assert_eq!(world.write(|tx| queue::trim_attempts(tx, after(2))).await, 1);
    }
}
