//! This file's job is to check that tenants of a tier take turns.

use crate::queue::{claim, enqueue, new_job, tenant};
use crate::world::{START, after};
use db::queue::{self, Flow, NewJob};
use domain::id::OrganizationId;
use domain::job::Tier;

async fn order(world: &crate::world::World) -> Vec<OrganizationId> {
    let mut order = Vec::new();
    while let Some(lease) = claim(world, 1, 1, after(1)).await.pop() {
        order.push(lease.organization.clone());
        world.write(move |tx| queue::complete(tx, &lease, after(1))).await;
    }
    order
}

db_test! {
    async fn a_flood_does_not_delay_another_tenant(world) {
        for _ in 0..20 {
            enqueue(&world, &new_job(&world, 1), START).await;
        }
        enqueue(&world, &new_job(&world, 2), START).await;
        enqueue(&world, &new_job(&world, 3), START).await;
        let order = order(&world).await;
        assert_eq!(order.len(), 22);
        assert!(order[..3].contains(&tenant(2)) && order[..3].contains(&tenant(3)), "{order:?}");
    }
}

db_test! {
    async fn jobs_of_one_tenant_keep_their_order(world) {
        let jobs: Vec<NewJob> = (0..5).map(|_| new_job(&world, 1)).collect();
        for new in &jobs {
            enqueue(&world, new, START).await;
        }
        let claimed: Vec<_> = claim(&world, 1, 10, after(1)).await.into_iter().map(|lease| lease.job).collect();
        assert_eq!(claimed, jobs.into_iter().map(|new| new.id).collect::<Vec<_>>());
    }
}

db_test! {
    async fn idle_time_earns_no_credit(world) {
        // Tenant 1 works alone for a while; tenant 2 then gets its turns from now on, not those it did not use.
        for _ in 0..10 {
            enqueue(&world, &new_job(&world, 1), START).await;
        }
        for lease in claim(&world, 1, 8, after(1)).await {
            world.write(move |tx| queue::complete(tx, &lease, after(1))).await;
        }
        for _ in 0..6 {
            enqueue(&world, &new_job(&world, 2), after(2)).await;
        }
        let order = order(&world).await;
        let last_of_first = order.iter().rposition(|organization| *organization == tenant(1)).unwrap();
        assert!(last_of_first <= 3, "{order:?}");
        assert!(order[..2].contains(&tenant(1)), "{order:?}");
    }
}

db_test! {
    async fn costly_jobs_use_more_of_a_turn(world) {
        for _ in 0..4 {
            enqueue(&world, &NewJob { cost: 4, ..new_job(&world, 1) }, START).await;
            for _ in 0..2 {
                enqueue(&world, &new_job(&world, 2), START).await;
            }
        }
        let order = order(&world).await;
        let first_eight = order[..8].iter().filter(|organization| **organization == tenant(2)).count();
        assert!(first_eight >= 6, "{order:?}");
    }
}

db_test! {
    async fn weights_share_a_tier(world) {
        let heavy = Flow { weight: 3, max_running: None };
        world.write(move |tx| queue::set_flow(tx, Tier::P2, &tenant(1), heavy)).await;
        for _ in 0..12 {
            enqueue(&world, &new_job(&world, 1), START).await;
            enqueue(&world, &new_job(&world, 2), START).await;
        }
        let order = order(&world).await;
        let heavy_share = order[..8].iter().filter(|organization| **organization == tenant(1)).count();
        assert!((5..=7).contains(&heavy_share), "{order:?}");
    }
}

db_test! {
    async fn a_limit_on_running_jobs_is_exact(world) {
        let limited = Flow { weight: 1, max_running: Some(2) };
        world.write(move |tx| queue::set_flow(tx, Tier::P2, &tenant(1), limited)).await;
        for _ in 0..10 {
            enqueue(&world, &new_job(&world, 1), START).await;
        }
        enqueue(&world, &new_job(&world, 2), after(1)).await;
        let world = std::sync::Arc::new(world);
        let tasks: Vec<_> = (0..4_u8).map(|number| {
            let world = world.clone();
            tokio::spawn(async move { claim(&world, number, 3, after(1)).await })
        }).collect();
        let mut leases = Vec::new();
        for task in tasks {
            leases.extend(task.await.unwrap());
        }
        let running = leases.iter().filter(|lease| lease.organization == tenant(1)).count();
        assert_eq!((running, leases.len()), (2, 3));
        let done = leases.into_iter().find(|lease| lease.organization == tenant(1)).unwrap();
        world.write(move |tx| queue::complete(tx, &done, after(2))).await;
        assert_eq!(claim(&world, 9, 5, after(2)).await.len(), 1);
    }
}
