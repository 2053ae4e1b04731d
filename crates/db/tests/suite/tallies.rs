//! This file's job is to check that what edges count is added once, and outlives events.

use crate::tenant::Tenant;
use crate::world::{START, World, after};
use db::tallies::{self, TallyBatch};
use db::telemetry::{self, Batch};
use domain::id::{AppId, DeviceId, EdgeId, EventId, ReleaseId};
use domain::tally::{Amount, CheckResult, Measure, Product, TallyKey};
use domain::telemetry::{Event, EventKind};
use domain::{Platform, Sha256};
use std::collections::BTreeMap;

const OFFERED: Measure = Measure::Check(CheckResult::Offered);

fn edge(number: u8) -> EdgeId {
    EdgeId::from_parts(START, [number; 10])
}

fn of_release(app: &AppId, release: &ReleaseId, measure: Measure) -> TallyKey {
    let channel = Some("production".parse().unwrap());
    TallyKey { app: app.clone(), channel, release: Some(release.clone()), bundle: None, measure }
}

fn batch(edge: EdgeId, ledger: u64, sequence: u64, tallies: impl IntoIterator<Item = (TallyKey, u64)>) -> TallyBatch {
    let amount = |(key, times)| (key, Amount { times, bytes: 10 * times });
    TallyBatch { edge, ledger, sequence, tallies: tallies.into_iter().map(amount).collect(), other_times: 1 }
}

async fn add(world: &World, batch: &TallyBatch) -> bool {
    let batch = batch.clone();
    world.write(move |tx| tallies::add(tx, &batch)).await
}

async fn times(world: &World, app: &AppId, release: &ReleaseId) -> BTreeMap<Measure, u64> {
    let (app, releases) = (app.clone(), [release.clone()]);
    let counted = world.read(move |c| tallies::of_releases(c, &app, &releases)).await;
    counted.into_values().flatten().map(|(measure, amount)| (measure, amount.times)).collect()
}

db_test! {
    async fn a_batch_of_numbers_is_added_once(world) {
        let t = Tenant::create(&world, "one").await;
        let (app, release) = (t.app.id.clone(), t.release.id.clone());
        let nowhere = AppId::from_parts(START, [255; 10]);
        let rows = [(of_release(&app, &release, OFFERED), 3), (of_release(&nowhere, &release, OFFERED), 9)];
        let first = batch(edge(1), 7, 1, rows.clone());
        assert!(add(&world, &first).await);
        assert!(!add(&world, &first).await, "the same batch");
        assert!(add(&world, &batch(edge(1), 7, 2, rows.clone())).await, "the next one");
        assert!(!add(&world, &first).await, "an old one");
        assert!(add(&world, &batch(edge(1), 8, 1, rows.clone())).await, "of another ledger");
        assert!(add(&world, &batch(edge(2), 7, 1, rows)).await, "of another edge");
        assert_eq!(times(&world, &app, &release).await, [(OFFERED, 12)].into());
        assert_eq!(world.read(|c| tallies::other_times(c, &edge(1))).await, 3);
        let releases = [release];
        let unknown = world.read(move |c| tallies::of_releases(c, &nowhere, &releases)).await;
        assert!(unknown.is_empty());
    }
}

db_test! {
    async fn many_numbers_fit_into_statements_and_bundles_have_their_own(world) {
        let t = Tenant::create(&world, "one").await;
        let app = t.app.id.clone();
        let served = |number: u64| TallyKey {
            app: app.clone(), channel: None, release: None, bundle: Some(Sha256::of(&number.to_be_bytes())),
            measure: Measure::Served(Product::Patch("dcz".into())),
        };
        let whole = batch(edge(1), 1, 1, (0..5_000).map(|number| (served(number), number)));
        assert!(add(&world, &whole).await);
        assert!(add(&world, &TallyBatch { sequence: 2, ..whole }).await);
        let bundles = [4_999, 7, 5_000].map(|number: u64| Sha256::of(&number.to_be_bytes()));
        let found = world.read(move |c| tallies::of_bundles(c, &app, &bundles)).await;
        let expected = |number: u64| {
            let amount = Amount { times: 2 * number, bytes: 20 * number };
            [(Measure::Served(Product::Patch("dcz".into())), amount)].into()
        };
        assert_eq!(found, [(bundles[0], expected(4_999)), (bundles[1], expected(7))].into(), "and nothing of the third");
    }
}

db_test! {
    async fn of_the_same_batch_from_two_sides_one_is_added(world) {
        let t = Tenant::create(&world, "one").await;
        let (app, release) = (t.app.id.clone(), t.release.id.clone());
        for sequence in 1..=10 {
            let same = batch(edge(1), 1, sequence, [(of_release(&app, &release, OFFERED), 1)]);
            let (one, two) = tokio::join!(add(&world, &same), add(&world, &same));
            assert!(one ^ two, "{one} {two}");
        }
        assert_eq!(times(&world, &app, &release).await, [(OFFERED, 10)].into());
    }
}

db_test! {
    async fn events_count_once_and_stay_counted_when_they_are_forgotten(world) {
        let t = Tenant::create(&world, "one").await;
        let (app, release) = (t.app.id.clone(), t.release.id.clone());
        let event = |kind| Event {
            id: EventId::from_parts(START, world.draw()),
            app: app.clone(),
            channel: "production".parse().unwrap(),
            device: DeviceId::from_parts(START, [9; 10]),
            kind,
            platform: Platform::Android,
            binary_version: None,
            release: Some(release.clone()),
            bundle: None,
            received_at: START,
            detail: None,
        };
        let events: Vec<Event> = [EventKind::Launched, EventKind::Launched, EventKind::Crashed].map(event).into();
        let raw = Batch { edge: edge(1), segment: "1".into(), offset: 0, events };
        let elsewhere = Batch { offset: 9, ..raw.clone() };
        for batch in [raw.clone(), raw, elsewhere] {
            world.write(move |tx| telemetry::store_batch(tx, &batch, START)).await;
        }
        let launched = Measure::Event(EventKind::Launched);
        assert!(add(&world, &batch(edge(1), 1, 1, [(of_release(&app, &release, launched.clone()), 5)])).await);
        let expected: BTreeMap<Measure, u64> = [(launched, 7), (Measure::Event(EventKind::Crashed), 1)].into();
        assert_eq!(times(&world, &app, &release).await, expected);
        let plans = world.read(db::plans::list).await;
        for plan in plans {
            world.write(move |tx| telemetry::trim_events(tx, plan.name, after(1))).await;
        }
        assert_eq!(times(&world, &app, &release).await, expected);
    }
}
