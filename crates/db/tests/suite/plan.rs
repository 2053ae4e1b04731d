//! This file's job is to run one random plan on both databases and to compare where it leads.

use crate::queue::{new_job, worker};
use crate::random::Random;
use crate::tenant::{Tenant, release};
use crate::world::{START, World, after};
use db::channels::ChannelChanges;
use db::queue::{self, Claim, Failure, Lease};
use db::releases::ReleaseChanges;
use db::{DbConn, Result, snapshots};
use domain::Ppm;
use domain::job::Tier;
use std::time::Duration;

/// Runs the plan and returns a line for each step and the state at the end.
async fn run(world: World, seed: u64) -> (Vec<String>, String) {
    let mut random = Random(seed);
    let tenants = [Tenant::create(&world, "one").await, Tenant::create(&world, "two").await];
    let mut leases: Vec<Lease> = Vec::new();
    let mut log = Vec::new();
    for step in 0..150 {
        let t = &tenants[random.below(2) as usize];
        let now = after(step * 3);
        let line = match random.below(10) {
            0 => publish(&world, t).await,
            1 => change_release(&world, t, &mut random, now).await,
            2 => block(&world, t, &mut random, now).await,
            3 => promote_or_delete(&world, t, &mut random, now).await,
            4..=6 => enqueue(&world, &mut random, now).await,
            7 => claim(&world, &mut random, &mut leases, now).await,
            8 => finish(&world, &mut random, &mut leases, now).await,
            _ => {
                let rescued = world.db.write(move |tx| queue::rescue_expired(tx, 5, 7, now)).await;
                format!("rescue {rescued:?}")
            }
        };
        log.push(format!("{step}: {line}"));
    }
    let keys = [tenants[0].channel.key(), tenants[1].channel.key()];
    let end = world.read(move |c| state(c, &keys)).await;
    (log, end)
}

async fn publish(world: &World, t: &Tenant) -> String {
    let (scope, row) = (t.scope.clone(), release(world, &t.channel, Some(&t.bundle)));
    format!("publish {:?}", world.db.write(move |tx| db::releases::insert(tx, &scope, &row)).await)
}

async fn change_release(world: &World, t: &Tenant, random: &mut Random, now: domain::Timestamp) -> String {
    let changes = ReleaseChanges {
        rollout_ppm: Some(Ppm::new(random.below(1_000_001) as u32).unwrap()),
        enabled: Some(random.below(4) > 0),
        ..Default::default()
    };
    let (t, seq, revision) = (t.clone(), 1 + random.below(6), 1 + random.below(3));
    let changed = world
        .db
        .write(move |tx| {
            let found = db::releases::find_by_seq(tx, &t.scope, &t.channel.id, seq)?;
            let found = found.ok_or(db::Error::NotFound { what: "release" })?;
            db::releases::apply(tx, &t.scope, &found.id, revision, &changes, now)
        })
        .await;
    format!("change {changed:?}")
}

async fn block(world: &World, t: &Tenant, random: &mut Random, now: domain::Timestamp) -> String {
    let changes = ChannelChanges { name: None, blocked: Some(random.below(2) == 0), ..Default::default() };
    let (t, revision) = (t.clone(), 1 + random.below(4));
    let changed =
        world.db.write(move |tx| db::channels::apply(tx, &t.scope, &t.channel.id, revision, &changes, now)).await;
    format!("block {changed:?}")
}

async fn promote_or_delete(world: &World, t: &Tenant, random: &mut Random, now: domain::Timestamp) -> String {
    let (t, pick) = (t.clone(), random.below(3));
    let done = world
        .db
        .write(move |tx| match pick {
            0 => db::bundles::delete(tx, &t.scope, &t.old_bundle.id),
            1 => db::device_pins::set(tx, &t.scope, &t.pin),
            _ => db::device_pins::remove(tx, &t.scope, &t.channel.id, &t.pin.device_key, now),
        })
        .await;
    format!("tidy {done:?}")
}

async fn enqueue(world: &World, random: &mut Random, now: domain::Timestamp) -> String {
    let mut new = new_job(world, random.below(3) as u8);
    new.cost = random.below(5) as u32;
    new.run_at = now.plus(Duration::from_secs(random.below(20)));
    format!("enqueue {:?}", world.db.write(move |tx| queue::enqueue(tx, &new, now)).await)
}

async fn claim(world: &World, random: &mut Random, leases: &mut Vec<Lease>, now: domain::Timestamp) -> String {
    let claim = Claim {
        tier: Tier::P2,
        limit: 1 + random.below(3) as u32,
        background_max: 3,
        first: domain::job::Lane::Foreground,
        tenant_max: None,
        worker: worker(random.below(3) as u8),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(60),
    };
    let claimed = world.db.write_relaxed(move |tx| queue::claim(tx, &claim, now)).await.unwrap();
    leases.extend(claimed.clone());
    format!("claim {claimed:?}")
}

async fn finish(world: &World, random: &mut Random, leases: &mut Vec<Lease>, now: domain::Timestamp) -> String {
    if leases.is_empty() {
        return "finish nothing".into();
    }
    let lease = leases.swap_remove(random.below(leases.len() as u64) as usize);
    let (how, retryable) = (random.below(3), random.below(3) > 0);
    let done = world
        .db
        .write(move |tx| match how {
            0 => queue::complete(tx, &lease, now),
            1 => queue::release(tx, &lease, now),
            _ => {
                let failure = Failure { reason: "test".into(), error: "failed".into(), retryable };
                queue::fail(tx, &lease, &failure, 9, now).map(drop)
            }
        })
        .await;
    format!("finish {done:?}")
}

fn state(conn: &mut DbConn, keys: &[domain::snapshot::ChannelKey]) -> Result<String> {
    let snapshots = keys.iter().map(|key| snapshots::load(conn, key)).collect::<Result<Vec<_>>>()?;
    let everything = queue::DeadFilter { resolved_too: true, ..Default::default() };
    let dead = queue::list_dead(conn, &everything, None, 1_000)?;
    let attempts = dead.iter().map(|dead| queue::attempts(conn, &dead.id)).collect::<Result<Vec<_>>>()?;
    let stats = queue::stats(conn)?;
    let due = queue::next_due_at(conn, Tier::P2)?;
    Ok(format!("{snapshots:#?}\n{dead:#?}\n{attempts:#?}\n{stats:#?}\n{due:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_plan_ends_in_the_same_state_on_both_databases() {
    for seed in [1, 0x5eed, START.as_ms()] {
        let (sqlite_log, sqlite_end) = run(World::sqlite().await, seed).await;
        let (postgres_log, postgres_end) = run(World::postgres().await, seed).await;
        for (sqlite, postgres) in sqlite_log.iter().zip(&postgres_log) {
            assert_eq!(sqlite, postgres, "seed {seed}");
        }
        assert_eq!(sqlite_end, postgres_end, "seed {seed}");
    }
}
