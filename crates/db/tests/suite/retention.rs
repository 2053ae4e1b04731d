//! This file's job is to check that what nobody needs goes in the end, and that no device gets anything else because of it.

use crate::random::Random;
use crate::tenant::{Tenant, bundle, content, release};
use crate::world::{START, World};
use db::releases::Release;
use db::retention::{self, NEWEST_KEPT};
use db::snapshots;
use db::telemetry::Batch;
use domain::decide::{Decision, UpdateCheck, decide};
use domain::id::{BundleId, DeviceId, EdgeId, EventId, ReleaseId};
use domain::plan::PlanName;
use domain::snapshot::ChannelSnapshot;
use domain::telemetry::{Event, EventKind};
use domain::{Platform, Ppm, Sha256, Timestamp};

/// Everything of the start is old then.
const BEFORE: Timestamp = Timestamp::from_us(START.as_us() + 1);
const NOW: Timestamp = Timestamp::from_us(START.as_us() + 1_000_000_000);
const PLENTY: u32 = 100;

async fn add(world: &World, t: &Tenant, rows: Vec<Release>) -> Vec<Release> {
    let scope = t.scope.clone();
    world.write(move |tx| rows.iter().map(|row| db::releases::insert(tx, &scope, row)).collect()).await
}

async fn take(world: &World, t: &Tenant, limit: usize) -> Vec<u64> {
    let channel = t.channel.id.clone();
    let taken = world.write(move |tx| retention::take_releases(tx, &channel, BEFORE, limit, NOW)).await;
    taken.into_iter().map(|row| row.seq).collect()
}

async fn take_bundles(world: &World, plan: PlanName) -> Vec<BundleId> {
    let taken = world.write(move |tx| retention::take_bundles(tx, plan, BEFORE, PLENTY, NOW)).await;
    taken.into_iter().map(|row| row.id).collect()
}

async fn snapshot(world: &World, t: &Tenant) -> ChannelSnapshot {
    let key = t.channel.key();
    world.read(move |c| snapshots::load(c, &key)).await.unwrap()
}

async fn report(world: &World, t: &Tenant, of: &Release) {
    let event = Event {
        id: EventId::from_parts(START, world.draw()),
        app: t.app.id.clone(),
        channel: t.channel.name.clone(),
        device: DeviceId::from_parts(START, world.draw()),
        kind: EventKind::Launched,
        platform: of.platform,
        binary_version: None,
        release: Some(of.id.clone()),
        bundle: None,
        detail: None,
        received_at: START,
    };
    let edge = EdgeId::from_parts(START, world.draw());
    let batch = Batch { edge, segment: "1".into(), offset: 0, events: vec![event] };
    world.write(move |tx| db::telemetry::store_batch(tx, &batch, NOW)).await;
}

/// Adds a bundle of its own to the tenant's app.
async fn add_bundle(world: &World, t: &Tenant, text: &str) -> db::bundles::Bundle {
    let (files, blobs) = content(text);
    let row = bundle(world, &t.app.id, &files);
    let (scope, added) = (t.scope.clone(), row.clone());
    world
        .write(move |tx| {
            db::blobs::insert_missing(tx, &scope, &blobs, START)?;
            db::bundles::insert_with_files(tx, &scope, &added, &files)
        })
        .await;
    row
}

db_test! {
    async fn only_releases_that_are_of_no_use_go_the_oldest_first(world) {
        let t = Tenant::create(&world, "one").await;
        let old = |bundle| release(&world, &t.channel, Some(bundle));
        // The tenant's own one is v1, to which a device is pinned.
        let (mut disabled, mut young) = (old(&t.bundle), old(&t.bundle));
        (disabled.enabled, young.updated_at) = (false, NOW);
        let mut rows = vec![old(&t.bundle), old(&t.bundle), young, disabled];
        rows.extend((0..NEWEST_KEPT).map(|_| old(&t.bundle)));
        let added = add(&world, &t, rows).await;
        report(&world, &t, &added[1]).await;
        let version = snapshot(&world, &t).await.version.version;
        assert_eq!(take(&world, &t, 1).await, [2], "v1 is pinned");
        assert_eq!(take(&world, &t, 100).await, [5], "v3 was reported, v4 is young, the others are the newest");
        assert_eq!(take(&world, &t, 100).await, [0_u64; 0]);
        assert_eq!(snapshot(&world, &t).await.version.version, version + 2, "edges learn of what went");
    }
}

db_test! {
    async fn a_release_that_somebody_can_be_offered_stays_however_many_are_newer(world) {
        let t = Tenant::create(&world, "one").await;
        let for_others = |target: &str| Release { target_value: target.into(), ..release(&world, &t.channel, Some(&t.bundle)) };
        let mut rows = vec![for_others("2.x"), for_others("2.x"), for_others("2.x")];
        rows.extend((0..NEWEST_KEPT + 5).map(|_| for_others("3.x")));
        add(&world, &t, rows).await;
        // v2 to v4 are for binaries 2.x: the newest is theirs and the one before is what a rollback brings back.
        assert_eq!(take(&world, &t, 3).await, [2, 5, 6]);
    }
}

db_test! {
    async fn a_bundle_goes_after_its_last_release_and_with_it_the_patches_from_it(world) {
        let (t, other) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let scope = other.scope.clone();
        let free = world.read(move |c| db::plans::get(c, PlanName::Free)).await;
        world.write(move |tx| db::organizations::set_plan(tx, scope.organization(), &free, NOW)).await;
        let came_with = add_bundle(&world, &t, "came with a binary").await;
        let uploaded = add_bundle(&world, &t, "uploaded of late").await;
        let (scope, mut binary, mut upload) = (t.scope.clone(), t.binary.clone(), t.upload.clone());
        binary.id = domain::id::BinaryId::from_parts(START, world.draw());
        binary.version = "9.0.0".into();
        binary.embedded_bundle_hash = Some(came_with.content_hash);
        upload.id = domain::id::UploadId::from_parts(START, world.draw());
        (upload.bundle, upload.updated_at) = (Some(uploaded.id.clone()), NOW);
        world.write(move |tx| {
            db::binaries::insert(tx, &scope, &binary)?;
            db::uploads::insert(tx, &scope, &upload)
        }).await;
        let before = snapshot(&world, &t).await;
        assert_eq!(before.deltas.len(), 1);
        assert_eq!(take_bundles(&world, PlanName::Pro).await, std::slice::from_ref(&t.old_bundle.id));
        let after = snapshot(&world, &t).await;
        assert!(after.deltas.is_empty() && after.version.version > before.version.version);
        assert_eq!(take_bundles(&world, PlanName::Pro).await, []);
        assert_eq!(take_bundles(&world, PlanName::Free).await, std::slice::from_ref(&other.old_bundle.id));
    }
}

db_test! {
    async fn channels_are_found_by_plan_and_age(world) {
        let t = Tenant::create(&world, "one").await;
        let list = |plan, before| world.read(move |c| retention::list_channels(c, plan, before, None, PLENTY));
        let found = list(PlanName::Pro, BEFORE).await;
        assert_eq!(found.iter().map(|found| &found.id).collect::<Vec<_>>(), [&t.channel.id]);
        assert_eq!(found[0].organization, t.organization.id);
        assert_eq!((list(PlanName::Pro, START).await, list(PlanName::Team, BEFORE).await), (vec![], vec![]));
        let (channel, at) = (t.channel.id.clone(), Some(t.channel.id.clone()));
        let behind = world.read(move |c| retention::list_channels(c, PlanName::Pro, BEFORE, at.as_ref(), PLENTY)).await;
        assert_eq!(behind, [], "behind {channel}");
    }
}

fn random_release(world: &World, t: &Tenant, bundle: &db::bundles::Bundle, random: &mut Random) -> Release {
    let mut row = release(world, &t.channel, (random.below(10) > 0).then_some(bundle));
    row.target_value = ["1.x", "2.x", "*"][random.below(3) as usize].into();
    row.enabled = random.below(5) > 0;
    row.mandatory = random.below(5) == 0;
    row.rollout_ppm = if random.below(2) == 0 { Ppm::ALL } else { Ppm::new(random.below(1_000_000) as u32).unwrap() };
    row.rollout_salt = format!("salt {}", random.below(100));
    row.updated_at = if random.below(5) > 0 { START } else { NOW };
    row
}

/// What a device gets, named by release instead of place.
fn gets(
    snapshot: &ChannelSnapshot,
    device: usize,
    version: &str,
    current: Option<Sha256>,
) -> (String, Option<ReleaseId>) {
    let check = UpdateCheck {
        device: format!("device-{device}").parse().unwrap(),
        platform: Platform::Ios,
        binary_version: Some(version.parse().unwrap()),
        runtime_version: None,
        current,
    };
    match decide(snapshot, &check) {
        Decision::Update { release, install, .. } => {
            (install.as_str().to_owned(), Some(snapshot.releases[release].id.clone()))
        }
        Decision::Embedded { install } => (install.as_str().to_owned(), None),
        Decision::Nothing(reason) => (reason.as_str().to_owned(), None),
    }
}

db_test! {
    async fn no_device_gets_anything_else_because_releases_went(world) {
        let t = Tenant::create(&world, "one").await;
        let seed: u64 = 0x5eed;
        let mut random = Random(seed);
        let mut bundles = vec![t.bundle.clone(), t.old_bundle.clone()];
        for number in 0..10 {
            bundles.push(add_bundle(&world, &t, &format!("bundle {number}")).await);
        }
        let mut gone = 0;
        for round in 0..5 {
            let rows: Vec<_> =
                (0..25).map(|_| random_release(&world, &t, &bundles[random.below(12) as usize], &mut random)).collect();
            add(&world, &t, rows).await;
            let before = snapshot(&world, &t).await;
            gone += take(&world, &t, 10).await.len();
            let after = snapshot(&world, &t).await;
            // Devices run what came with the binary, or a bundle whose newest release is still there.
            let running = after.bundles.keys().copied().map(Some).chain([None]).filter(|current| {
                let of = |snapshot: &ChannelSnapshot| snapshot.releases.iter().find(|release| {
                    current.is_some_and(|hash| release.content == domain::release::Content::Bundle(hash))
                }).map(|release| release.id.clone());
                of(&before) == of(&after)
            });
            for current in running {
                for (device, version) in (0..20).flat_map(|device| [(device, "1.0.0"), (device, "2.0.0"), (device, "3.0.0")]) {
                    let (was, is) = (gets(&before, device, version, current), gets(&after, device, version, current));
                    assert_eq!(was, is, "seed {seed}, round {round}, device {device} with {version} and {current:?}");
                }
            }
        }
        assert!(gone > 20, "{gone} releases went");
    }
}
