//! This file's job is to check that compressed forms belong to blobs, and are replaced by smaller ones.

use crate::tenant::Tenant;
use crate::world::{START, World, after};
use db::UploadState;
use db::app_offers::{Offer, Offered};
use db::uploads::NextState;
use db::variants::{Variant, apply, list_for};
use domain::Sha256;
use domain::bundle::{Blob, Coding};
use domain::job::DeltaEffort;
use domain::snapshot::ChannelKey;

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

db_test! {
    async fn an_app_that_changes_hands_takes_its_forms_along(world) {
        let (t, other) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let own = Variant { effort: DeltaEffort::Best, blob_sha256: Sha256::of(b"theirs"), ..other.variant.clone() };
        let gzip = Variant { coding: Coding::Gzip, blob_sha256: Sha256::of(b"gzip"), ..t.variant.clone() };
        let (r, o, theirs, ours) = (t.clone(), other.clone(), own.clone(), gzip.clone());
        world
            .write(move |tx| {
                db::blobs::insert_missing(tx, &o.scope, &[Blob::of(b"theirs")], START)?;
                apply(tx, &o.scope, &o.bundle.id, std::slice::from_ref(&theirs), START)?;
                db::blobs::insert_missing(tx, &r.scope, &[Blob::of(b"gzip")], START)?;
                apply(tx, &r.scope, &r.bundle.id, std::slice::from_ref(&ours), START)
            })
            .await;
        let before = forms(&world, &t).await;
        let (r, o) = (t.clone(), other.clone());
        world
            .write(move |tx| {
                // Apps with uploads under way stay where they are.
                let (from, next) = ([UploadState::Receiving], NextState::Cancelled);
                db::uploads::set_state(tx, &r.scope, &r.upload.id, &from, &next, START)?;
                let offer = Offer {
                    app: r.app.id.clone(),
                    target: o.organization.id.clone(),
                    offered_by: "somebody".into(),
                    created_at: START,
                    expires_at: after(9),
                };
                db::app_offers::put(tx, &r.scope, &offer)?;
                let (slug, name, owner) = (r.app.slug.clone(), r.app.name.clone(), r.organization.id.clone());
                let offered = Offered { offer, slug, name, owner, owner_name: r.organization.name.clone() };
                db::app_offers::accept(tx, &o.scope, &offered, &"moved".parse().unwrap(), after(1)).map(drop)
            })
            .await;
        assert_eq!(forms(&world, &other).await, [own.clone(), gzip.clone()], "its own form stays, what it lacked came");
        assert_eq!(forms(&world, &t).await, before, "content is not taken from who had it");
        let (scope, key) = (other.scope.clone(), ChannelKey { app: t.app.id.clone(), channel: t.channel.name.clone() });
        let (blobs, snapshot) = world
            .read(move |conn| {
                let blobs = db::blobs::find_many(conn, &scope, &[Sha256::of(b"gzip")])?;
                Ok((blobs, db::snapshots::load(conn, &key)?))
            })
            .await;
        assert_eq!(blobs, [Blob::of(b"gzip")]);
        let bundles = snapshot.unwrap().bundles;
        let offered = bundles.values().flat_map(|bundle| &bundle.variants).map(|form| (form.coding, form.blob.sha256));
        let offered: Vec<_> = offered.collect();
        for form in [own, gzip] {
            assert!(offered.contains(&(form.coding, form.blob_sha256)), "{offered:?}");
        }
    }
}
