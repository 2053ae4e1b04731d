//! This file's job is to check the queue's laws under random histories: nothing is lost, nothing is done twice, nobody waits for long.

use crate::queue::{new_job, tenant, worker};
use crate::world::{World, after};
use db::queue::{self, Claim, Enqueued, Failed, Failure, Lease, NewJob};
use domain::Timestamp;
use domain::id::JobId;
use domain::job::{ATTEMPTS_MAX, Lane, Tier};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Each case makes a database; the histories are long instead.
const CASES: u32 = 6;
const TENANT_MAX: u32 = 3;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Enqueue { tenant: u8, cost: u32 },
    Claim { worker: u8, limit: u32 },
    Complete(usize),
    Fail { lease: usize, retryable: bool },
    Release(usize),
    Heartbeat { worker: u8 },
    Rescue,
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1..6_u8, 1..9_u32).prop_map(|(tenant, cost)| Step::Enqueue { tenant, cost }),
        4 => (1..4_u8, 1..5_u32).prop_map(|(worker, limit)| Step::Claim { worker, limit }),
        3 => any::<usize>().prop_map(Step::Complete),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(lease, retryable)| Step::Fail { lease, retryable }),
        1 => any::<usize>().prop_map(Step::Release),
        1 => (1..4_u8).prop_map(|worker| Step::Heartbeat { worker }),
        2 => Just(Step::Rescue),
        3 => (1..60_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What must be true, kept beside the database.
#[derive(Default)]
struct Model {
    now_s: u64,
    added: BTreeSet<JobId>,
    /// Every lease that was ever handed out, stale ones too.
    leases: Vec<Lease>,
    /// The leases that hold.
    held: BTreeMap<JobId, (u64, Timestamp, Timestamp)>,
    charged: BTreeMap<JobId, u32>,
    done: BTreeSet<JobId>,
    dead: BTreeSet<JobId>,
}

impl Model {
    fn now(&self) -> Timestamp {
        after(self.now_s)
    }

    fn holds(&self, lease: &Lease) -> bool {
        self.held.get(&lease.job).is_some_and(|(fence, _, _)| *fence == lease.fence)
    }
}

async fn perform(world: &World, model: &mut Model, step: Step) {
    let now = model.now();
    match step {
        Step::Enqueue { tenant, cost } => {
            let new = NewJob { cost, ..new_job(world, tenant) };
            model.added.insert(new.id.clone());
            assert_eq!(world.write(move |tx| queue::enqueue(tx, &new, now)).await, Enqueued::New);
        }
        Step::Claim { worker, limit } => take(world, model, worker, limit).await,
        Step::Complete(index) => {
            let Some(lease) = nth(model, index) else { return };
            let written = lease.clone();
            let ended = world.db.write(move |tx| queue::complete(tx, &written, now)).await;
            assert_eq!(ended.is_ok(), model.holds(&lease), "only the holder completes: {ended:?}");
            if ended.is_ok() {
                model.held.remove(&lease.job);
                assert!(model.done.insert(lease.job), "done twice");
            }
        }
        Step::Fail { lease, retryable } => {
            let Some(lease) = nth(model, lease) else { return };
            let (written, error) = (lease.clone(), Failure { reason: "x".into(), error: "x".into(), retryable });
            let ended = world.db.write(move |tx| queue::fail(tx, &written, &error, 0, now)).await;
            assert_eq!(ended.is_ok(), model.holds(&lease), "only the holder fails: {ended:?}");
            if let Ok(failed) = ended {
                lose(model, &lease.job, failed, retryable);
            }
        }
        Step::Release(index) => {
            let Some(lease) = nth(model, index) else { return };
            let written = lease.clone();
            let ended = world.db.write(move |tx| queue::release(tx, &written, now)).await;
            assert_eq!(ended.is_ok(), model.holds(&lease));
            if ended.is_ok() {
                model.held.remove(&lease.job);
                *model.charged.get_mut(&lease.job).unwrap() -= 1;
            }
        }
        Step::Heartbeat { worker: number } => beat(world, model, number).await,
        Step::Rescue => {
            let rescued = world.write(move |tx| queue::rescue_expired(tx, 100, 0, now)).await;
            let lapsed = model.held.iter().filter(|(_, (_, until, _))| *until <= now).map(|(job, _)| job.clone());
            let found: BTreeSet<JobId> = rescued.iter().map(|rescued| rescued.job.clone()).collect();
            assert_eq!(found, lapsed.collect::<BTreeSet<_>>());
            for rescued in rescued {
                lose(model, &rescued.job, rescued.failed, true);
            }
        }
        Step::Wait { seconds } => model.now_s += seconds,
    }
}

fn nth(model: &Model, index: usize) -> Option<Lease> {
    model.leases.get(index.checked_rem(model.leases.len())?).cloned()
}

fn lose(model: &mut Model, job: &JobId, failed: Failed, retryable: bool) {
    model.held.remove(job);
    let is_last = !retryable || model.charged[job] == ATTEMPTS_MAX;
    assert_eq!(failed == Failed::Dead, is_last, "{job} after {} attempts", model.charged[job]);
    if is_last {
        assert!(model.dead.insert(job.clone()));
    }
}

async fn take(world: &World, model: &mut Model, number: u8, limit: u32) {
    let claim = Claim {
        tier: Tier::P2,
        limit,
        background_max: limit,
        first: Lane::Foreground,
        tenant_max: Some(TENANT_MAX),
        worker: worker(number),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(70),
    };
    let now = model.now();
    for lease in world.db.write_relaxed(move |tx| queue::claim(tx, &claim, now)).await.unwrap() {
        assert!(!model.held.contains_key(&lease.job), "leased twice");
        assert!(!model.done.contains(&lease.job) && !model.dead.contains(&lease.job), "leased after its end");
        let charged = model.charged.entry(lease.job.clone()).or_default();
        *charged += 1;
        assert_eq!((lease.attempt, lease.attempt <= ATTEMPTS_MAX), (*charged, true));
        model.held.insert(lease.job.clone(), (lease.fence, lease.lease_until, lease.deadline_at));
        model.leases.push(lease);
    }
    for number in 0..8 {
        let of_tenant =
            |job: &&JobId| model.leases.iter().any(|lease| lease.job == **job && lease.organization == tenant(number));
        assert!(model.held.keys().filter(of_tenant).count() <= TENANT_MAX as usize);
    }
}

async fn beat(world: &World, model: &mut Model, number: u8) {
    let now = model.now();
    let (own, lease) = (worker(number), Duration::from_secs(30));
    let kept = world.db.write_relaxed(move |tx| queue::heartbeat(tx, &own, lease, now)).await.unwrap();
    for (job, fence) in kept {
        let (held, until, deadline) = model.held.get_mut(&job).expect("only what is held is renewed");
        assert_eq!(*held, fence);
        assert!(*deadline > now, "renewed after its deadline");
        *until = now.plus(lease).min(*deadline);
    }
}

/// Nothing is lost: what was added is queued, done or dead.
async fn balance(world: &World, model: &Model) {
    let stats = world.read(queue::stats).await;
    let live: u64 = stats.iter().map(|tier| tier.ready + tier.running + tier.waiting).sum();
    let ended = model.done.len() + model.dead.len();
    assert_eq!(live as usize + ended, model.added.len());
    assert_eq!(world.read(queue::count_dead).await, model.dead.len() as u64);
}

fn check_histories(make: impl Fn() -> std::pin::Pin<Box<dyn Future<Output = World>>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: CASES, max_shrink_iters: 20, ..Config::default() });
    let histories = proptest::collection::vec(step(), 40..90);
    let checked = runner.run(&histories, |history| {
        runtime.block_on(async {
            let (world, mut model) = (make().await, Model::default());
            for step in history {
                perform(&world, &mut model, step).await;
            }
            balance(&world, &model).await;
        });
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_history_loses_a_job_or_does_it_twice_on_sqlite() {
    check_histories(|| Box::pin(World::sqlite()));
}

#[test]
fn no_history_loses_a_job_or_does_it_twice_on_postgres() {
    check_histories(|| Box::pin(World::postgres()));
}

/// A tenant that has nothing queued waits for at most one job of each other tenant, whatever those have queued and how large it is.
async fn head_starts_soon(world: &World, floods: &[(u8, Vec<u32>)], served_first: usize) {
    for (number, costs) in floods {
        for cost in costs {
            let new = NewJob { cost: *cost, ..new_job(world, *number) };
            world.write(move |tx| queue::enqueue(tx, &new, after(0))).await;
        }
    }
    for _ in 0..served_first {
        serve(world).await;
    }
    let small = new_job(world, 99);
    let id = small.id.clone();
    world.write(move |tx| queue::enqueue(tx, &small, after(0))).await;
    let others: BTreeSet<u8> = floods.iter().map(|(number, _)| *number).collect();
    let mut before = 0;
    while let Some(job) = serve(world).await {
        if job == id {
            assert!(before <= others.len(), "{before} jobs of {} others came first", others.len());
            return;
        }
        before += 1;
        // Those who flood go on flooding.
        let new = new_job(world, floods[before % floods.len()].0);
        world.write(move |tx| queue::enqueue(tx, &new, after(0))).await;
    }
    panic!("the job was never served");
}

async fn serve(world: &World) -> Option<JobId> {
    let lease = crate::queue::claim(world, 1, 1, after(1)).await.pop()?;
    let job = lease.job.clone();
    world.write(move |tx| queue::complete(tx, &lease, after(1))).await;
    Some(job)
}

#[test]
fn a_tenant_waits_for_at_most_one_job_of_each_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: CASES, max_shrink_iters: 20, ..Config::default() });
    let floods = proptest::collection::vec((1..6_u8, proptest::collection::vec(1..13_u32, 1..20)), 1..6);
    let checked = runner.run(&(floods, 0..12_usize), |(floods, served_first)| {
        runtime.block_on(async { head_starts_soon(&World::sqlite().await, &floods, served_first).await });
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
