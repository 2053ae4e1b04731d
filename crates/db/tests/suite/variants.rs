//! This file's job is to check that compressed forms belong to blobs, and are replaced by smaller ones.

use crate::tenant::Tenant;
use crate::world::{START, World, after};
use db::variants::{Variant, apply, list_for};
use domain::Sha256;
use domain::bundle::{Blob, Coding};
use domain::job::DeltaEffort;

async fn forms(world: &World, t: &Tenant) -> Vec<Variant> {
    let scope = t.scope.clone();
    world.read(move |conn| list_for(conn, &scope, &[Sha256::of(b"new"), Sha256::of(b"old")])).await
}

db_test! {
    async fn a_smaller_form_takes_the_place_of_the_one_before(world) {
        let (t, _twin) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        assert_eq!(forms(&world, &t).await, std::slice::from_ref(&t.variant));
        let version = async || {
            let (scope, channel) = (t.scope.clone(), t.channel.id.clone());
            world.read(move |conn| db::channels::get(conn, &scope, &channel)).await.snapshot_version
        };
        let before = version().await;
        let best = Variant { effort: DeltaEffort::Best, blob_sha256: Sha256::of(b"n"), ..t.variant.clone() };
        let gzip = Variant { coding: Coding::Gzip, ..t.variant.clone() };
        let (r, rows) = (t.clone(), [best.clone(), gzip.clone()]);
        world
            .write(move |tx| {
                db::blobs::insert_missing(tx, &r.scope, &[Blob::of(b"n")], START)?;
                apply(tx, &r.scope, &r.bundle.id, &rows, after(1))
            })
            .await;
        assert_eq!(forms(&world, &t).await, [best, gzip]);
        assert_eq!(version().await, before + 1, "edges are told once");
    }
}

db_test! {
    async fn a_form_needs_a_file_of_the_bundle_and_a_blob(world) {
        let t = Tenant::create(&world, "one").await;
        for wrong in [
            Variant { sha256: Sha256::of(b"old"), ..t.variant.clone() },
            Variant { blob_sha256: Sha256::of(b"nowhere"), ..t.variant.clone() },
        ] {
            let r = t.clone();
            world.refused(move |tx| apply(tx, &r.scope, &r.bundle.id, std::slice::from_ref(&wrong), START)).await;
        }
        assert_eq!(forms(&world, &t).await, [t.variant]);
    }
}
