//! This file's job is to name the suite that runs every verb on both databases.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

/// Defines one test for each database: `db_test! { async fn name(world) { … } }`.
macro_rules! db_test {
    ($(#[$meta:meta])* async fn $name:ident($world:ident) $body:block) => {
        mod $name {
            use super::*;

            async fn check($world: crate::world::World) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(crate::world::World::sqlite().await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(crate::world::World::postgres().await).await;
            }
        }
    };
}

mod bundle_builds;
mod condemned;
mod expo;
mod faults;
mod feed;
mod isolation;
mod migrations;
mod plan;
mod queue;
mod queue_cost;
mod queue_lanes;
mod queue_laws;
mod queue_order;
mod random;
mod retention;
mod schedules;
mod snapshots;
mod stages;
mod tables;
mod tallies;
mod tenant;
mod transactions;
mod unused;
mod variants;
mod wakeups;
mod world;
