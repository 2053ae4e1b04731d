//! This file's job is to check that no blob is removed that somebody has, or is about to have.

use crate::tenant::Tenant;
use crate::world::{World, after};
use db::condemned::{self, CONDEMNED_FOR};
use domain::bundle::Blob;
use domain::{ErrorKind, Sha256, Timestamp};
use std::collections::BTreeSet;

fn blob(content: &str) -> Blob {
    Blob::of(content.as_bytes())
}

async fn condemn(world: &World, hash: Sha256, now: Timestamp) -> usize {
    world.write(move |tx| condemned::condemn(tx, &[hash], now)).await
}

async fn begin_removal(world: &World, now: Timestamp) -> Vec<Sha256> {
    world.write(move |tx| condemned::begin_removal(tx, 10, now)).await
}

async fn store(world: &World, t: &Tenant, blob: &Blob) {
    let (scope, blob) = (t.scope.clone(), blob.clone());
    world.write(move |tx| db::blobs::insert_missing(tx, &scope, std::slice::from_ref(&blob), after(1))).await;
}

fn a_day_later() -> Timestamp {
    after(0).plus(CONDEMNED_FOR)
}

db_test! {
    async fn only_what_nobody_has_is_removed_and_only_after_a_day(world) {
        let t = Tenant::create(&world, "one").await;
        let (owned, orphan) = (blob("owned"), blob("orphan"));
        store(&world, &t, &owned).await;
        assert_eq!(condemn(&world, owned.sha256, after(0)).await, 0);
        assert_eq!(condemn(&world, orphan.sha256, after(0)).await, 1);
        let just_before = Timestamp::from_us(a_day_later().as_us() - 1);
        assert_eq!(begin_removal(&world, just_before).await, []);
        assert_eq!(begin_removal(&world, a_day_later()).await, [orphan.sha256]);
        // A sweeper that died in between is followed by another.
        assert_eq!(begin_removal(&world, a_day_later()).await, [orphan.sha256]);
        world.write(move |tx| condemned::removed(tx, &[orphan.sha256])).await;
        assert_eq!(begin_removal(&world, a_day_later()).await, []);
        assert_eq!(world.read(condemned::count).await, 0);
    }
}

db_test! {
    async fn what_was_stored_after_it_was_condemned_stays(world) {
        let t = Tenant::create(&world, "one").await;
        let late = blob("late");
        condemn(&world, late.sha256, after(0)).await;
        store(&world, &t, &late).await;
        assert_eq!(begin_removal(&world, a_day_later()).await, []);
        assert_eq!(world.read(condemned::count).await, 0, "it is pardoned");
    }
}

db_test! {
    async fn an_announcement_pardons_and_waits_for_a_removal_under_way(world) {
        let wanted = blob("wanted").sha256;
        condemn(&world, wanted, after(0)).await;
        world.write(move |tx| condemned::announce(tx, &[wanted])).await;
        assert_eq!(begin_removal(&world, a_day_later()).await, [], "whoever announced it may be storing it");
        condemn(&world, wanted, after(0)).await;
        assert_eq!(begin_removal(&world, a_day_later()).await, [wanted]);
        let refused = world.refused(move |tx| condemned::announce(tx, &[wanted])).await;
        assert_eq!(refused.kind(), ErrorKind::Conflict, "the store may lose it at any moment");
        world.write(move |tx| condemned::removed(tx, &[wanted])).await;
        world.write(move |tx| condemned::announce(tx, &[wanted])).await;
    }
}

/// The store, as far as it matters: which blobs it has. Writers announce, store and commit; a sweeper condemns and removes, each in steps
/// that interleave as they like. Whatever the order, a blob that the database has is in the store.
async fn race(world: World, announces: bool) -> bool {
    let t = std::sync::Arc::new(Tenant::create(&world, "one").await);
    let world = std::sync::Arc::new(world);
    let store = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::<Sha256>::new()));
    let mut kept = true;
    for round in 0..20 {
        let wanted = blob(&format!("round {round}"));
        store.lock().unwrap().insert(wanted.sha256);
        condemn(&world, wanted.sha256, after(0)).await;
        let sweeper = tokio::spawn({
            let (world, store) = (world.clone(), store.clone());
            async move {
                let begun = begin_removal(&world, a_day_later()).await;
                tokio::task::yield_now().await;
                for hash in &begun {
                    store.lock().unwrap().remove(hash);
                }
                world.write(move |tx| condemned::removed(tx, &begun)).await;
            }
        });
        let writer = tokio::spawn({
            let (world, store, t, wanted) = (world.clone(), store.clone(), t.clone(), wanted.clone());
            async move {
                let hash = wanted.sha256;
                while announces && world.db.write(move |tx| condemned::announce(tx, &[hash])).await.is_err() {
                    tokio::task::yield_now().await;
                }
                // As `Store::put`: what is there is not written again.
                store.lock().unwrap().insert(hash);
                tokio::task::yield_now().await;
                self::store(&world, &t, &wanted).await;
            }
        });
        sweeper.await.unwrap();
        writer.await.unwrap();
        kept &= store.lock().unwrap().contains(&wanted.sha256);
    }
    kept
}

db_test! {
    async fn no_order_of_a_writer_and_a_sweeper_loses_a_blob(world) {
        assert!(race(world, true).await);
    }
}

#[tokio::test]
async fn without_announcements_a_removal_under_way_takes_a_new_blob() {
    let (world, wanted) = (World::sqlite().await, blob("wanted"));
    let t = Tenant::create(&world, "one").await;
    condemn(&world, wanted.sha256, after(0)).await;
    let begun = begin_removal(&world, a_day_later()).await;
    // The writer finds it in the store, and commits, between the two halves of the removal.
    store(&world, &t, &wanted).await;
    assert_eq!(begun, [wanted.sha256], "the sweeper goes on to remove it");
}
