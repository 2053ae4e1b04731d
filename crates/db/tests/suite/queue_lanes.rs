//! This file's job is to check that people who wait come before work that nobody waits for, and that neither lane starves.

use crate::queue::{enqueue, new_job, tenant, worker};
use crate::world::{START, World, after};
use db::queue::{self, Claim, Lease, NewJob};
use domain::id::BundleId;
use domain::job::{DeltaEffort, Job, Lane, Tier};
use std::time::Duration;

fn delta(world: &World, tenant_number: u8) -> NewJob {
    let bundle = || BundleId::from_parts(START, world.draw());
    NewJob {
        work: Job::MakeDelta { from: bundle(), to: bundle(), effort: DeltaEffort::Best },
        ..new_job(world, tenant_number)
    }
}

async fn claim(world: &World, limit: u32, background_max: u32, first: Lane, tenant_max: Option<u32>) -> Vec<Lease> {
    let claim = Claim {
        tier: Tier::P2,
        limit,
        background_max,
        first,
        tenant_max,
        worker: worker(1),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(300),
    };
    world.db.write_relaxed(move |tx| queue::claim(tx, &claim, after(1))).await.unwrap()
}

fn lanes(leases: &[Lease]) -> Vec<Lane> {
    leases.iter().map(|lease| lease.work.kind().lane()).collect()
}

db_test! {
    async fn the_foreground_comes_first_and_the_background_gets_the_rest(world) {
        for _ in 0..3 {
            enqueue(&world, &delta(&world, 1), START).await;
        }
        enqueue(&world, &new_job(&world, 1), START).await;
        let leases = claim(&world, 3, 3, Lane::Foreground, None).await;
        assert_eq!(lanes(&leases), [Lane::Foreground, Lane::Background, Lane::Background]);
    }
}

db_test! {
    async fn a_claim_for_the_background_is_served_in_spite_of_a_foreground_flood(world) {
        for _ in 0..5 {
            enqueue(&world, &new_job(&world, 1), START).await;
        }
        enqueue(&world, &delta(&world, 2), START).await;
        let leases = claim(&world, 2, 1, Lane::Background, None).await;
        assert_eq!(lanes(&leases), [Lane::Background, Lane::Foreground]);
    }
}

db_test! {
    async fn no_more_background_jobs_are_leased_than_there_is_room(world) {
        for _ in 0..5 {
            enqueue(&world, &delta(&world, 1), START).await;
        }
        assert_eq!(claim(&world, 5, 2, Lane::Foreground, None).await.len(), 2);
        assert_eq!(claim(&world, 5, 0, Lane::Background, None).await.len(), 0);
    }
}

db_test! {
    async fn deltas_do_not_use_up_a_tenants_turns_for_uploads(world) {
        for _ in 0..10 {
            enqueue(&world, &delta(&world, 1), START).await;
        }
        enqueue(&world, &new_job(&world, 2), START).await;
        let first = new_job(&world, 1);
        enqueue(&world, &first, START).await;
        let id = first.id.clone();
        assert!(world.read(move |c| queue::position(c, Tier::P2, &id)).await.unwrap() <= 1);
    }
}

db_test! {
    async fn the_workers_limit_holds_for_every_tenant_in_both_lanes_together(world) {
        for number in [1, 2] {
            enqueue(&world, &new_job(&world, number), START).await;
            enqueue(&world, &delta(&world, number), START).await;
            enqueue(&world, &delta(&world, number), START).await;
        }
        let leases = claim(&world, 10, 10, Lane::Foreground, Some(2)).await;
        let of = |number: u8| leases.iter().filter(|lease| lease.organization == tenant(number)).count();
        assert_eq!((of(1), of(2)), (2, 2));
        assert_eq!(claim(&world, 10, 10, Lane::Foreground, Some(2)).await.len(), 0);
    }
}
