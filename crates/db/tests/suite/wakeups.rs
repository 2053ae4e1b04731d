//! This file's job is to check that sleepers wake after a commit and not before.

use crate::queue::new_job;
use crate::tenant::Tenant;
use crate::world::{START, World, after};
use db::{Config, Db, Error, queue};
use domain::job::Tier;
use std::time::Duration;
use testkit::wait_until_async;

db_test! {
    async fn a_signal_fires_after_the_commit_and_not_before(world) {
        let t = Tenant::create(&world, "one").await;
        let (mut changes, mut jobs) = (world.db.wakeups().changes(), world.db.wakeups().jobs(Tier::P2));
        let mut seen_inside = world.db.wakeups().changes();
        let channel = t.channel.id.clone();
        let early = world.write(move |tx| {
            db::channels::touch(tx, &channel, after(1))?;
            Ok(seen_inside.fired())
        }).await;
        assert!(!early, "the signal fired inside the transaction");
        assert!(changes.fired());
        assert!(!jobs.fired());
        let new = new_job(&world, 1);
        world.write(move |tx| queue::enqueue(tx, &new, START)).await;
        assert!(jobs.fired());
        assert!(!changes.fired());
    }
}

db_test! {
    async fn a_rolled_back_transaction_wakes_nobody(world) {
        let t = Tenant::create(&world, "one").await;
        let mut changes = world.db.wakeups().changes();
        let channel = t.channel.id.clone();
        world.refused(move |tx| {
            db::channels::touch(tx, &channel, after(1))?;
            Err::<(), _>(Error::StaleLease)
        }).await;
        assert!(!changes.fired());
    }
}

db_test! {
    async fn a_sleeper_is_woken(world) {
        let mut jobs = world.db.wakeups().jobs(Tier::P2);
        let sleeper = tokio::spawn(async move { jobs.wait().await });
        let new = new_job(&world, 1);
        world.write(move |tx| queue::enqueue(tx, &new, START)).await;
        tokio::time::timeout(Duration::from_secs(5), sleeper).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_processes_on_postgres_are_woken() {
    let world = World::postgres().await;
    let other = Db::open(&Config::new(&world.url)).await.unwrap();
    enqueue_until_heard(&world, &other).await;
    let mut changes = other.wakeups().changes();
    Tenant::create(&world, "one").await;
    tokio::time::timeout(Duration::from_secs(5), changes.wait()).await.unwrap();
}

/// The other's listener may still be connecting, so enqueues until it hears one.
pub async fn enqueue_until_heard(world: &World, other: &Db) {
    let mut jobs = other.wakeups().jobs(Tier::P2);
    wait_until_async(Duration::from_secs(10), || {
        let new = new_job(world, 1);
        let fired = jobs.fired();
        let db = world.db.clone();
        async move {
            db.write(move |tx| queue::enqueue(tx, &new, START)).await.unwrap();
            fired
        }
    })
    .await;
}
