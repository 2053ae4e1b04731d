//! This file's job is to check that an organization keeps every blob that something needs, and no other for long.

use crate::tenant::{Tenant, content};
use crate::world::{START, World, after};
use db::Scope;
use db::bundle_contents::Contents;
use db::packages::{Diff, Package};
use db::source_maps::SourceMap;
use db::unused::{self, UNUSED_KEPT};
use diesel::prelude::*;
use diesel::sql_types::Text;
use domain::bundle::Blob;
use domain::{ErrorKind, Sha256, Timestamp};
use std::collections::BTreeSet;

fn long_after() -> Timestamp {
    START.plus(UNUSED_KEPT * 2)
}

async fn store(world: &World, scope: &Scope, text: &str, now: Timestamp) -> Sha256 {
    let (scope, blob) = (scope.clone(), Blob::of(text.as_bytes()));
    let sha256 = blob.sha256;
    world.write(move |tx| db::blobs::insert_missing(tx, &scope, std::slice::from_ref(&blob), now)).await;
    sha256
}

/// Goes through all blobs, a few at a time, and returns how many were taken.
async fn sweep(world: &World, now: Timestamp) -> usize {
    let (mut after, mut taken) = (None, 0);
    loop {
        let step = world.write(move |tx| unused::take(tx, after.as_ref(), 2, now)).await;
        taken += step.taken;
        match step.next {
            Some(next) => after = Some(next),
            None => return taken,
        }
    }
}

async fn has(world: &World, scope: &Scope, sha256: Sha256) -> bool {
    let scope = scope.clone();
    !world.read(move |c| db::blobs::find_many(c, &scope, &[sha256])).await.is_empty()
}

/// Gives the tenant's bundle a description and a source map.
async fn describe(world: &World, t: &Tenant) -> (Contents, SourceMap) {
    let inside = store(world, &t.scope, "inside", START).await;
    let map = store(world, &t.scope, "map", START).await;
    let contents = Contents {
        bundle: t.old_bundle.id.clone(),
        sha256: inside,
        size_bytes: 6,
        module_count: 7,
        function_count: Some(8),
        image_count: 9,
        created_at: START,
    };
    let bundle = t.old_bundle.id.clone();
    let map = SourceMap { bundle, path: "index.bundle.map".into(), sha256: map, size_bytes: 3, created_at: START };
    let (scope, rows) = (t.scope.clone(), (contents.clone(), map.clone()));
    world
        .write(move |tx| {
            db::bundle_contents::set(tx, &scope, &rows.0)?;
            db::source_maps::set(tx, &scope, &rows.1)
        })
        .await;
    (contents, map)
}

db_test! {
    async fn what_is_private_comes_back_is_replaced_and_goes_with_its_bundle(world) {
        let t = Tenant::create(&world, "one").await;
        let (contents, map) = describe(&world, &t).await;
        let (scope, bundle) = (t.scope.clone(), t.old_bundle.id.clone());
        let found = world.read(move |c| {
            Ok((db::bundle_contents::find(c, &scope, &bundle)?, db::source_maps::find(c, &scope, &bundle)?))
        }).await;
        assert_eq!(found, (Some(contents.clone()), Some(map.clone())));
        let (scope, again) = (t.scope.clone(), Contents { module_count: 70, created_at: after(1), ..contents });
        let expected = again.clone();
        world.write(move |tx| db::bundle_contents::set(tx, &scope, &again)).await;
        let (scope, bundle) = (t.scope.clone(), t.old_bundle.id.clone());
        assert_eq!(world.read(move |c| db::bundle_contents::find(c, &scope, &bundle)).await, Some(expected));
        let (scope, row) = (t.scope.clone(), SourceMap { sha256: Sha256::of(b"absent"), ..map });
        let refused = world.refused(move |tx| db::source_maps::set(tx, &scope, &row)).await;
        assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);
        let (other, bundle) = (Tenant::create(&world, "two").await, t.old_bundle.id.clone());
        let refused = world.refused(move |tx| db::source_maps::find(tx, &other.scope, &bundle)).await;
        assert_eq!(refused.kind(), ErrorKind::NotFound, "it is foreign");
    }
}

db_test! {
    async fn a_source_map_is_in_no_snapshot(world) {
        let t = Tenant::create(&world, "one").await;
        let map = store(&world, &t.scope, "map", START).await;
        let row = SourceMap { bundle: t.bundle.id.clone(), path: "m".into(), sha256: map, size_bytes: 3, created_at: START };
        let scope = t.scope.clone();
        world.write(move |tx| db::source_maps::set(tx, &scope, &row)).await;
        let key = t.channel.key();
        let snapshot = world.read(move |c| db::snapshots::load(c, &key)).await.unwrap();
        let offered: Vec<_> = snapshot.bundles.values().flat_map(|bundle| &bundle.blobs).map(|blob| blob.sha256).collect();
        assert!(!offered.is_empty() && !offered.contains(&map), "{offered:?}");
        assert!(!format!("{snapshot:?}").contains(&map.to_hex()));
    }
}

db_test! {
    async fn only_what_nothing_refers_to_is_taken_and_only_after_a_while(world) {
        let t = Tenant::create(&world, "one").await;
        let other = Tenant::create(&world, "two").await;
        let (contents, map) = describe(&world, &t).await;
        let orphan = store(&world, &t.scope, "orphan", START).await;
        let just_before = Timestamp::from_us(START.plus(UNUSED_KEPT).as_us());
        assert_eq!(sweep(&world, just_before).await, 0);
        assert_eq!(sweep(&world, long_after()).await, 1);
        assert!(!has(&world, &t.scope, orphan).await);
        for kept in [contents.sha256, map.sha256, Sha256::of(b"patch"), Sha256::of(b"old"), Sha256::of(b"new")] {
            assert!(has(&world, &t.scope, kept).await, "{kept}");
        }
        // The old bundle goes: with it the patch from it, its own file, and what is private. What it shared with the new one stays.
        let (scope, bundle) = (t.scope.clone(), t.old_bundle.id.clone());
        world.write(move |tx| db::bundles::delete(tx, &scope, &bundle)).await;
        assert_eq!(sweep(&world, long_after()).await, 4);
        for gone in [contents.sha256, map.sha256, Sha256::of(b"patch"), Sha256::of(b"old")] {
            assert!(!has(&world, &t.scope, gone).await, "{gone}");
        }
        for kept in [Sha256::of(b"logo"), Sha256::of(b"new"), Sha256::of(b"nw")] {
            assert!(has(&world, &t.scope, kept).await, "{kept}");
        }
        assert!(has(&world, &other.scope, Sha256::of(b"old")).await, "another organization's is its own");
    }
}

db_test! {
    async fn packages_for_other_clients_stay_as_long_as_their_bundle(world) {
        let t = Tenant::create(&world, "one").await;
        let (whole, diff) = (store(&world, &t.scope, "zip", START).await, store(&world, &t.scope, "diff", START).await);
        let (scope, to) = (t.scope.clone(), t.old_bundle.id.clone());
        world.write(move |tx| {
            let hash = Sha256::of(b"package");
            let package = Package { bundle: to.clone(), package_hash: hash, blob_sha256: whole, created_at: START };
            db::packages::insert(tx, &scope, &package)?;
            let diff = Diff { to_bundle: to.clone(), from_package_hash: hash, blob_sha256: diff, created_at: START };
            db::packages::insert_diff(tx, &scope, &diff)
        }).await;
        sweep(&world, long_after()).await;
        assert!(has(&world, &t.scope, whole).await && has(&world, &t.scope, diff).await);
        let (scope, bundle) = (t.scope.clone(), t.old_bundle.id.clone());
        world.write(move |tx| db::bundles::delete(tx, &scope, &bundle)).await;
        sweep(&world, long_after()).await;
        assert!(!has(&world, &t.scope, whole).await && !has(&world, &t.scope, diff).await);
    }
}

db_test! {
    async fn a_compressed_form_goes_after_its_blob(world) {
        let t = Tenant::create(&world, "one").await;
        let scope = t.scope.clone();
        let (release, bundle) = (t.release.id.clone(), t.bundle.id.clone());
        world.write(move |tx| {
            db::releases::delete(tx, &scope, &release, None, after(1))?;
            db::bundles::delete(tx, &scope, &bundle)
        }).await;
        sweep(&world, long_after()).await;
        assert!(!has(&world, &t.scope, Sha256::of(b"new")).await);
        sweep(&world, long_after()).await;
        assert!(!has(&world, &t.scope, Sha256::of(b"nw")).await);
    }
}

db_test! {
    async fn apps_of_one_organization_share_blobs_until_the_last_bundle_goes(world) {
        let t = Tenant::create(&world, "one").await;
        let second = db::apps::App { id: domain::id::AppId::from_parts(START, world.draw()), slug: "second".parse().unwrap(), ..t.app.clone() };
        let (files, _) = content("old");
        let twin = crate::tenant::bundle(&world, &second.id, &files);
        let (scope, row, app) = (t.scope.clone(), twin.clone(), second.clone());
        world.write(move |tx| {
            db::apps::insert(tx, &scope, &app)?;
            db::bundles::insert_with_files(tx, &scope, &row, &files)
        }).await;
        let (scope, bundle) = (t.scope.clone(), t.old_bundle.id.clone());
        world.write(move |tx| db::bundles::delete(tx, &scope, &bundle)).await;
        sweep(&world, long_after()).await;
        assert!(has(&world, &t.scope, Sha256::of(b"old")).await, "the other app has it");
        let scope = t.scope.clone();
        world.write(move |tx| db::bundles::delete(tx, &scope, &twin.id)).await;
        sweep(&world, long_after()).await;
        assert!(!has(&world, &t.scope, Sha256::of(b"old")).await);
    }
}

db_test! {
    async fn a_touched_blob_stays_and_a_taken_one_is_not_referred_to(world) {
        let t = Tenant::create(&world, "one").await;
        let (touched, taken) = (store(&world, &t.scope, "touched", START).await, store(&world, &t.scope, "taken", START).await);
        let scope = t.scope.clone();
        assert_eq!(world.write(move |tx| db::blobs::touch(tx, &scope, &[touched, touched], long_after())).await, 1);
        assert_eq!(sweep(&world, long_after()).await, 1);
        assert!(has(&world, &t.scope, touched).await);
        let (scope, bundle) = (t.scope.clone(), t.bundle.id.clone());
        let row = SourceMap { bundle, path: "m".into(), sha256: taken, size_bytes: 5, created_at: long_after() };
        let refused = world.refused(move |tx| db::source_maps::set(tx, &scope, &row)).await;
        assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);
    }
}

db_test! {
    async fn no_order_of_a_sweeper_and_a_reference_loses_a_blob(world) {
        let t = std::sync::Arc::new(Tenant::create(&world, "one").await);
        let world = std::sync::Arc::new(world);
        for round in 0..20 {
            let wanted = store(&world, &t.scope, &format!("round {round}"), START).await;
            let sweeper = tokio::spawn({
                let world = world.clone();
                async move { sweep(&world, long_after()).await }
            });
            let writer = tokio::spawn({
                let (world, t) = (world.clone(), t.clone());
                async move {
                    let (scope, bundle) = (t.scope.clone(), t.bundle.id.clone());
                    let row = SourceMap { bundle, path: "m".into(), sha256: wanted, size_bytes: 7, created_at: long_after() };
                    world.db.write(move |tx| db::source_maps::set(tx, &scope, &row)).await.is_ok()
                }
            });
            sweeper.await.unwrap();
            let is_referred = writer.await.unwrap();
            assert_eq!(has(&world, &t.scope, wanted).await, is_referred, "round {round}");
        }
    }
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
}

/// A new column with a blob's name must be asked by `unused::take` (and be copied by `app_offers::accept`), then be listed here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_that_names_a_blob_is_known() {
    let world = World::sqlite().await;
    let mut conn = SqliteConnection::establish(world.url.strip_prefix("sqlite:").unwrap()).unwrap();
    let sql = "SELECT m.name || '.' || c.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
        WHERE m.type = 'table' AND c.name LIKE '%sha256%'";
    let found: BTreeSet<String> =
        diesel::sql_query(sql).load::<Column>(&mut conn).unwrap().into_iter().map(|column| column.name).collect();
    let asked = [
        "bundle_contents.sha256",
        "bundle_file.sha256",
        "bundle_source_map.sha256",
        "delta.blob_sha256",
        "package.blob_sha256",
        "package_diff.blob_sha256",
        "variant.blob_sha256",
    ];
    // The blobs themselves, those without an owner, what goes with its blob, what is said of other files, and archives, which are no blobs.
    let others = [
        "blob.sha256",
        "blob_condemned.sha256",
        "variant.sha256",
        "delta.base_sha256",
        "bundle_build.base_sha256",
        "upload.archive_sha256",
    ];
    assert_eq!(found, asked.into_iter().chain(others).map(str::to_owned).collect());
}
