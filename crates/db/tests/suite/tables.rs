//! This file's job is to check what the verbs of each table promise.

use crate::tenant::{Tenant, content, release, upload};
use crate::world::{START, World, after};
use db::apps::{App, AppChanges};
use db::channels::ChannelChanges;
use db::edge_channels::{self, Standing, Word};
use db::idempotency::Answer;
use db::releases::ReleaseChanges;
use db::telemetry::{Batch, Stored};
use db::uploads::{NextState, Progress};
use db::{UploadState, outbox, telemetry};
use domain::id::{AppId, DeviceId, EdgeId, EventId};
use domain::release::RolloutState;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use domain::telemetry::{Event, EventKind};
use domain::{ErrorKind, Platform, Ppm, Sha256};

db_test! {
    async fn every_row_comes_back_as_it_was_stored(world) {
        let t = Tenant::create(&world, "one").await;
        let expected = t.clone();
        let (app, key, binary, upload, bundle, files, release, pins, (keys, package), audit) = world
            .read(move |c| {
                let s = &t.scope;
                Ok((
                    db::apps::get(c, s, &t.app.id)?,
                    db::api_keys::find_by_public_id(c, &t.api_key.public_id)?,
                    db::binaries::get(c, s, &t.binary.id)?,
                    db::uploads::get(c, s, &t.upload.id)?,
                    db::bundles::get(c, s, &t.bundle.id)?,
                    db::bundles::files(c, s, &t.bundle.id)?,
                    db::releases::get(c, s, &t.release.id)?,
                    db::device_pins::list(c, s, &t.channel.id, None, 10)?,
                    (db::deployment_keys::list(c, s, &t.channel.id)?, db::packages::find(c, s, &t.bundle.id)?),
                    db::audit::list(c, s, None, 10)?,
                ))
            })
            .await;
        assert_eq!(app, expected.app);
        assert_eq!(key, Some(expected.api_key));
        assert_eq!(binary, expected.binary);
        assert_eq!(upload, expected.upload);
        assert_eq!(bundle, expected.bundle);
        assert_eq!(files, expected.files);
        assert_eq!(release, expected.release);
        assert_eq!(release.seq, 1);
        assert_eq!(pins, [expected.pin]);
        assert_eq!((keys, package), (vec![expected.deployment_key], Some(expected.package)));
        assert_eq!((audit.len(), audit[0].seq, &audit[0].id), (1, 1, &expected.audit.id));
    }
}

db_test! {
    async fn pages_show_every_row_once(world) {
        let t = Tenant::create(&world, "one").await;
        let more: Vec<App> = (0..7)
            .map(|i| App { id: AppId::from_parts(after(i), world.draw()), slug: format!("app-{i}").parse().unwrap(), ..t.app.clone() })
            .collect();
        let (scope, rows) = (t.scope.clone(), more.clone());
        world.write(move |tx| rows.iter().try_for_each(|row| db::apps::insert(tx, &scope, row))).await;
        let mut seen: Vec<AppId> = Vec::new();
        loop {
            let (scope, last) = (t.scope.clone(), seen.last().cloned());
            let page = world.read(move |c| db::apps::list(c, &scope, last.as_ref().map(AppId::as_str), 3)).await;
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|app| app.id));
        }
        let mut expected: Vec<AppId> = more.into_iter().map(|app| app.id).chain([t.app.id]).collect();
        expected.sort();
        assert_eq!(seen, expected);
    }
}

db_test! {
    async fn taken_names_are_refused(world) {
        let t = Tenant::create(&world, "one").await;
        let twin = App { id: AppId::from_parts(START, world.draw()), ..t.app.clone() };
        let scope = t.scope.clone();
        let error = world.refused(move |tx| db::apps::insert(tx, &scope, &twin)).await;
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::AlreadyExists, "app exists already"));
        let row = t.organization.clone();
        let error = world.refused(move |tx| db::organizations::insert(tx, &row)).await;
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}

db_test! {
    async fn of_two_changes_from_one_revision_one_wins(world) {
        let t = Tenant::create(&world, "one").await;
        let race = |name: &str| {
            let (db, t, changes) = (world.db.clone(), t.clone(), AppChanges { name: Some(name.into()), ..Default::default() });
            async move { db.write(move |tx| db::apps::apply(tx, &t.scope, &t.app.id, 1, &changes, after(1))).await }
        };
        let results = tokio::join!(race("a"), race("b"), race("c"), race("d"));
        let results = [results.0, results.1, results.2, results.3];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|error| error.kind() == ErrorKind::Conflict));
        let scope = t.scope.clone();
        assert_eq!(world.read(move |c| db::apps::get(c, &scope, &t.app.id)).await.revision, 2);
    }
}

db_test! {
    async fn concurrent_releases_get_consecutive_numbers(world) {
        let t = Tenant::create(&world, "one").await;
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (db, scope, row) = (world.db.clone(), t.scope.clone(), release(&world, &t.channel, Some(&t.bundle)));
                tokio::spawn(async move { db.write(move |tx| db::releases::insert(tx, &scope, &row)).await })
            })
            .collect();
        let mut seqs = Vec::new();
        for task in tasks {
            seqs.push(task.await.unwrap().unwrap().seq);
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (2..=13).collect::<Vec<u64>>());
    }
}

type Step = Box<dyn Fn(&mut db::Tx<'_>, &Tenant) -> db::Result<()> + Send + Sync>;

async fn version(world: &World, t: &Tenant) -> u64 {
    let t = t.clone();
    world.read(move |c| db::channels::get(c, &t.scope, &t.channel.id)).await.snapshot_version
}

db_test! {
    async fn everything_that_a_snapshot_shows_moves_its_version(world) {
        let t = Tenant::create(&world, "one").await;
        let mut last = version(&world, &t).await;
        let changes = ReleaseChanges {
            rollout_ppm: Some(Ppm::new(10_000).unwrap()),
            rollout_state: Some(RolloutState::Paused),
            ..Default::default()
        };
        let r = t.clone();
        let changed = world.write(move |tx| db::releases::apply(tx, &r.scope, &r.release.id, 1, &changes, after(1))).await;
        assert_eq!((changed.rollout_ppm.get(), changed.rollout_state, changed.notes), (10_000, RolloutState::Paused, t.release.notes.clone()));
        let steps: Vec<Step> = vec![
            Box::new(|tx, t| db::device_pins::remove(tx, &t.scope, &t.channel.id, &t.pin.device_key, after(2))),
            Box::new(|tx, t| {
                let blocked = ChannelChanges { blocked: Some(true), ..Default::default() };
                db::channels::apply(tx, &t.scope, &t.channel.id, 1, &blocked, after(3)).map(drop)
            }),
            Box::new(|tx, t| db::apps::delete_token_key(tx, &t.scope, &t.app.id, 1, after(4))),
            Box::new(|tx, t| {
                db::device_revocations::delete(tx, &t.scope, &t.app.id, &t.revocation.device, after(5)).map(drop)
            }),
            Box::new(|tx, t| db::device_revocations::insert(tx, &t.scope, &t.revocation).map(drop)),
            Box::new(|tx, t| {
                db::deployment_keys::delete(tx, &t.scope, &t.channel.id, &t.deployment_key.key, after(6))
            }),
            Box::new(|tx, t| db::deployment_keys::insert(tx, &t.scope, &t.deployment_key)),
            Box::new(|tx, t| {
                let from_package_hash = Sha256::of(b"another package");
                db::packages::insert_diff(tx, &t.scope, &db::packages::Diff { from_package_hash, ..t.diff.clone() })
            }),
        ];
        let now = version(&world, &t).await;
        assert!(now > last);
        last = now;
        for step in steps {
            let before = world.read(outbox::head).await;
            let tenant = t.clone();
            world.write(move |tx| step(tx, &tenant)).await;
            let now = version(&world, &t).await;
            assert!(now > last);
            assert_ne!(world.read(outbox::head).await, before);
            last = now;
        }
    }
}

db_test! {
    async fn a_rollback_finds_the_release_before(world) {
        let t = Tenant::create(&world, "one").await;
        let rows = [true, false, true].map(|enabled| db::releases::Release { enabled, ..release(&world, &t.channel, Some(&t.bundle)) });
        let scope = t.scope.clone();
        let made = world.write(move |tx| rows.iter().map(|row| db::releases::insert(tx, &scope, row)).collect::<db::Result<Vec<_>>>()).await;
        let (scope, newest) = (t.scope.clone(), made[2].clone());
        let before = world.read(move |c| db::releases::latest_before(c, &scope, &newest)).await;
        assert_eq!(before.map(|release| release.seq), Some(2), "seq 3 is disabled");
        let (scope, first) = (t.scope.clone(), t.release.clone());
        assert_eq!(world.read(move |c| db::releases::latest_before(c, &scope, &first)).await, None);
    }
}

db_test! {
    async fn an_upload_moves_only_from_where_its_sender_thinks_it_is(world) {
        let t = Tenant::create(&world, "one").await;
        let step = |expected: u64, received: u64| {
            let (t, progress) = (t.clone(), Progress {
                expected_received_bytes: expected,
                received_bytes: received,
                parts: format!("[{received}]"),
                expires_at: after(7_200),
            });
            let db = world.db.clone();
            async move { db.write(move |tx| db::uploads::append_received(tx, &t.scope, &t.upload.id, &progress, after(1))).await }
        };
        step(0, 400).await.unwrap();
        assert_eq!(step(0, 500).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(step(400, 1_001).await.unwrap_err().kind(), ErrorKind::Conflict, "more than was announced");
        step(400, 1_000).await.unwrap();
        let set = |from: UploadState, next: NextState| {
            let (db, t) = (world.db.clone(), t.clone());
            async move { db.write(move |tx| db::uploads::set_state(tx, &t.scope, &t.upload.id, &[from], &next, after(2))).await }
        };
        set(UploadState::Receiving, NextState::Queued).await.unwrap();
        assert_eq!(step(1_000, 1_000).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(set(UploadState::Receiving, NextState::Cancelled).await.unwrap_err().kind(), ErrorKind::Conflict);
        set(UploadState::Queued, NextState::Processing).await.unwrap();
        set(UploadState::Processing, NextState::Ready(t.bundle.id.clone())).await.unwrap();
        let scope = t.scope.clone();
        let done = world.read(move |c| db::uploads::get(c, &scope, &t.upload.id)).await;
        assert_eq!((done.state, done.bundle, done.received_bytes), (UploadState::Ready, Some(t.bundle.id), 1_000));
    }
}

db_test! {
    async fn only_forgotten_uploads_expire(world) {
        let t = Tenant::create(&world, "one").await;
        let queued = db::uploads::Upload { state: UploadState::Queued, ..upload(&world, &t.app.id) };
        let scope = t.scope.clone();
        world.write(move |tx| db::uploads::insert(tx, &scope, &queued)).await;
        assert_eq!(world.write(|tx| db::uploads::expire(tx, after(3_599), 10)).await, []);
        let expired = world.write(|tx| db::uploads::expire(tx, after(3_600), 10)).await;
        assert_eq!(expired.len(), 1);
        assert_eq!((&expired[0].id, &expired[0].organization), (&t.upload.id, &t.organization.id));
        assert_eq!(world.write(|tx| db::uploads::expire(tx, after(3_600), 10)).await, []);
    }
}

db_test! {
    async fn the_same_content_is_one_bundle(world) {
        let t = Tenant::create(&world, "one").await;
        let (files, _) = content("new");
        let twin = crate::tenant::bundle(&world, &t.app.id, &files);
        let (scope, row) = (t.scope.clone(), twin.clone());
        let stored = world.write(move |tx| db::bundles::insert_with_files(tx, &scope, &row, &files)).await;
        assert_eq!(stored.id, t.bundle.id);
        assert_ne!(stored.id, twin.id);
    }
}

db_test! {
    async fn a_bundle_in_use_stays(world) {
        let t = Tenant::create(&world, "one").await;
        let r = t.clone();
        let error = world.refused(move |tx| db::bundles::delete(tx, &r.scope, &r.bundle.id)).await;
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        let r = t.clone();
        world.write(move |tx| db::bundles::delete(tx, &r.scope, &r.old_bundle.id)).await;
    }
}

db_test! {
    async fn large_bundles_fit_into_statements(world) {
        let t = Tenant::create(&world, "one").await;
        let texts: Vec<String> = (0..1_700).map(|i| format!("file {i}")).collect();
        let mut files: Vec<_> = texts.iter().enumerate().map(|(i, text)| domain::bundle::BundleFile {
            path: format!("assets/{i:05}"),
            sha256: Sha256::of(text.as_bytes()),
            size_bytes: text.len() as u64,
            role: domain::bundle::FileRole::Asset,
        }).collect();
        files[0].role = domain::bundle::FileRole::Launch;
        let blobs: Vec<_> = texts.iter().map(|text| domain::bundle::Blob::of(text.as_bytes())).collect();
        let row = crate::tenant::bundle(&world, &t.app.id, &files);
        let (scope, id, expected) = (t.scope.clone(), row.id.clone(), files.clone());
        world.write(move |tx| {
            db::blobs::insert_missing(tx, &scope, &blobs, START)?;
            db::bundles::insert_with_files(tx, &scope, &row, &files)
        }).await;
        let scope = t.scope.clone();
        assert_eq!(world.read(move |c| db::bundles::files(c, &scope, &id)).await, expected);
    }
}

fn event(world: &World, app: &AppId, kind: EventKind) -> Event {
    Event {
        id: EventId::from_parts(START, world.draw()),
        app: app.clone(),
        channel: "production".parse().unwrap(),
        device: DeviceId::from_parts(START, [9; 10]),
        kind,
        platform: Platform::Android,
        binary_version: Some("1.0".into()),
        release: None,
        bundle: None,
        received_at: START,
        detail: Some("{\"model\":\"x\"}".into()),
    }
}

db_test! {
    async fn telemetry_is_stored_once(world) {
        let t = Tenant::create(&world, "one").await;
        let events = vec![
            event(&world, &t.app.id, EventKind::Registered),
            event(&world, &t.app.id, EventKind::Launched),
            event(&world, &AppId::from_parts(START, [255; 10]), EventKind::Launched),
        ];
        let batch = Batch { edge: EdgeId::from_parts(START, [1; 10]), segment: "1".into(), offset: 0, events };
        let store = |batch: Batch| {
            let db = world.db.clone();
            async move { db.write(move |tx| telemetry::store_batch(tx, &batch, START)).await.unwrap() }
        };
        assert_eq!(store(batch.clone()).await, Stored { new: 2, repeated: 0, unknown_app: 1 });
        assert_eq!(store(batch.clone()).await, Stored { new: 0, repeated: 3, unknown_app: 0 }, "the same batch");
        let elsewhere = Batch { offset: 99, ..batch };
        assert_eq!(store(elsewhere).await, Stored { new: 0, repeated: 2, unknown_app: 1 }, "the same events");
        let app = t.app.id.clone();
        let device = world.read(move |c| telemetry::find_device(c, &app, &DeviceId::from_parts(START, [9; 10]))).await.unwrap();
        assert_eq!((device.platform, device.facts.as_str()), (Platform::Android, "{\"model\":\"x\"}"));
    }
}

db_test! {
    async fn counts_of_devices_are_those_of_their_rows(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let device = |t: &Tenant, number: u8| Event {
            device: DeviceId::from_parts(START, [number; 10]),
            ..event(&world, &t.app.id, EventKind::Registered)
        };
        // Some more than once, in one batch and in several.
        let batches = [
            vec![device(&one, 1), device(&two, 1), device(&one, 2), device(&one, 1)],
            vec![device(&one, 2), device(&one, 3)],
            vec![device(&two, 1), event(&world, &two.app.id, EventKind::Launched)],
        ];
        for (offset, events) in batches.into_iter().enumerate() {
            let edge = EdgeId::from_parts(START, [1; 10]);
            let batch = Batch { edge, segment: "1".into(), offset: offset as u64, events };
            world.write(move |tx| telemetry::store_batch(tx, &batch, START)).await;
        }
        let scopes = (one.scope.clone(), two.scope.clone());
        let counts = world.read(move |c| {
            Ok((db::device_counts::count(c, &scopes.0)?, db::device_counts::count(c, &scopes.1)?))
        }).await;
        assert_eq!(counts, (3, 1));
    }
}

db_test! {
    async fn the_most_launched_bundles_come_first(world) {
        let t = Tenant::create(&world, "one").await;
        let (often, once) = (Sha256::of(b"often"), Sha256::of(b"once"));
        let launch = |bundle: Option<Sha256>| Event { bundle, ..event(&world, &t.app.id, EventKind::Launched) };
        let mut events: Vec<_> = [Some(once), Some(often), None, Some(often)].into_iter().map(launch).collect();
        events.extend([Some(once); 3].map(|bundle| Event { kind: EventKind::Crashed, ..launch(bundle) }));
        events.extend([Some(once); 3].map(|bundle| Event { platform: Platform::Ios, ..launch(bundle) }));
        let batch = Batch { edge: EdgeId::from_parts(START, [1; 10]), segment: "1".into(), offset: 0, events };
        world.write(move |tx| telemetry::store_batch(tx, &batch, START)).await;
        for (limit, expected) in [(9, vec![often, once]), (1, vec![often])] {
            let app = t.app.id.clone();
            let found = world.read(move |c| telemetry::most_launched_bundles(c, &app, Platform::Android, limit)).await;
            assert_eq!(found, expected);
        }
    }
}

db_test! {
    async fn events_are_forgotten_after_the_time_of_their_plan(world) {
        let (paid, free) = (Tenant::create(&world, "paid").await, Tenant::create(&world, "free").await);
        let (organization, plan) = (free.organization.id.clone(), domain::plan::PlanName::Free);
        let events: Vec<Event> = [&paid, &free]
            .into_iter()
            .flat_map(|t| [0, 100].map(|at| Event { received_at: after(at), ..event(&world, &t.app.id, EventKind::Launched) }))
            .collect();
        let batch = Batch { edge: EdgeId::from_parts(START, [1; 10]), segment: "1".into(), offset: 0, events };
        world.write(move |tx| {
            let free = db::plans::get(tx, plan)?;
            db::organizations::set_plan(tx, &organization, &free, START)?;
            telemetry::store_batch(tx, &batch, START)
        }).await;
        assert_eq!(world.write(move |tx| telemetry::trim_events(tx, plan, after(100))).await, 1, "not the paid one's, not the new one");
        assert_eq!(world.write(move |tx| telemetry::trim_events(tx, plan, after(100))).await, 0);
        assert_eq!(world.write(move |tx| telemetry::trim_events(tx, plan, after(101))).await, 1);
    }
}

db_test! {
    async fn single_values_are_set_once_or_moved_on(world) {
        let (first, second) = (Sha256::of(b"first").to_hex(), Sha256::of(b"second").to_hex());
        let expected = first.clone();
        assert_eq!(world.write(move |tx| db::meta::instance_id(tx, &first)).await, expected);
        assert_eq!(world.write(move |tx| db::meta::instance_id(tx, &second)).await, expected);
        assert_eq!(world.read(db::meta::epoch).await, 1);
        assert_eq!(world.write(|tx| db::meta::advance_epoch(tx, 5)).await, 5);
        assert_eq!(world.write(|tx| db::meta::advance_epoch(tx, 5)).await, 6);
    }
}

db_test! {
    async fn a_repeated_request_id_undoes_the_second_effect(world) {
        let t = Tenant::create(&world, "one").await;
        let answer = Answer {
            principal: "key".into(), request_id: "r1".into(), method: "CreateApp".into(),
            request_hash: Sha256::of(b"request"), response: vec![0, 1, 255], created_at: START,
        };
        let row = answer.clone();
        world.write(move |tx| db::idempotency::insert(tx, &row)).await;
        let (row, app, scope) = (answer.clone(), App { id: AppId::from_parts(START, world.draw()), slug: "other".parse().unwrap(), ..t.app.clone() }, t.scope.clone());
        let error = world.refused(move |tx| {
            db::apps::insert(tx, &scope, &app)?;
            db::idempotency::insert(tx, &row)
        }).await;
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(world.read(move |c| db::apps::list(c, &t.scope, None, 10)).await.len(), 1);
        assert_eq!(world.read(|c| db::idempotency::find(c, "key", "r1", "CreateApp")).await, Some(answer));
        assert_eq!(world.write(|tx| db::idempotency::trim(tx, after(1))).await, 1);
    }
}

db_test! {
    async fn a_revoked_key_stays_revoked(world) {
        let t = Tenant::create(&world, "one").await;
        let (scope, id) = (t.scope.clone(), t.api_key.id.clone());
        let head = world.read(db::credential_changes::head).await;
        let revoked = world.write(move |tx| {
            db::api_keys::touch(tx, &[(id.clone(), after(1))])?;
            db::api_keys::revoke(tx, &scope, &id, after(2))?;
            db::api_keys::revoke(tx, &scope, &id, after(3))
        }).await;
        assert_eq!((revoked.last_used_at, revoked.revoked_at), (Some(after(1)), Some(after(2))));
        assert_eq!(world.read(|c| db::credential_changes::list_newest(c, 10)).await, [t.api_key.public_id]);
        assert_eq!(world.read(db::credential_changes::head).await.since(head), 1);
    }
}

db_test! {
    async fn edges_are_known_by_id_and_token(world) {
        let edge = db::edges::Edge {
            id: EdgeId::from_parts(START, [1; 10]), name: "fra".into(), token_hash: Sha256::of(b"token"),
            created_at: START, last_seen_at: START,
        };
        let seen_again = db::edges::Edge { name: "fra1".into(), created_at: after(9), last_seen_at: after(9), ..edge.clone() };
        let (first, again) = (edge.clone(), seen_again.clone());
        world.write(move |tx| {
            db::edges::upsert_seen(tx, &first)?;
            db::edges::upsert_seen(tx, &again)
        }).await;
        let found = world.read(|c| db::edges::find_by_token(c, &Sha256::of(b"token"))).await;
        assert_eq!(found, [db::edges::Edge { created_at: START, ..seen_again }]);
    }
}

db_test! {
    async fn the_last_word_of_an_edge_stands_until_its_channel_is_gone(world) {
        let t = Tenant::create(&world, "one").await;
        let edge = |number: u8| EdgeId::from_parts(START, [number; 10]);
        let row = db::edges::Edge {
            id: edge(1), name: "fra".into(), token_hash: Sha256::of(b"token"), created_at: START, last_seen_at: START,
        };
        let version = |version| SnapshotVersion { epoch: 1, version };
        let key = ChannelKey { app: t.app.id.clone(), channel: t.channel.name.clone() };
        let word = |number, acked| Word {
            edge: edge(number), key: key.clone(), acked: Some(version(acked)), ready: None, refused: None,
        };
        let gone = Word { key: ChannelKey { channel: "gone".parse().unwrap(), ..key.clone() }, ..word(1, 1) };
        let refused = Word { ready: Some(version(2)), refused: Some((version(4), "full".into())), ..word(1, 3) };
        let words = [word(1, 1), gone, word(2, 1), word(1, 2)];
        let unknown = world.write(move |tx| {
            db::edges::upsert_seen(tx, &row)?;
            let unknown = edge_channels::put(tx, &words)?;
            edge_channels::put(tx, std::slice::from_ref(&refused))?;
            Ok(unknown)
        }).await;
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), [edge(2)]);
        let (id, none) = (t.channel.id.clone(), t.channel.id.clone());
        let found = world.read(move |c| edge_channels::list(c, &id, START)).await;
        let expected = Standing {
            edge: edge(1), last_seen_at: START, acked: version(3), ready: version(2), refused: version(4),
            refused_reason: "full".into(),
        };
        assert_eq!(found, [expected]);
        assert!(world.read(move |c| edge_channels::list(c, &none, after(1))).await.is_empty(), "it was away since");
        let (scope, id) = (t.scope.clone(), t.channel.id.clone());
        world.write(move |tx| db::channels::delete(tx, &scope, &id, None, after(2))).await;
        assert!(world.read(move |c| edge_channels::list(c, &t.channel.id, START)).await.is_empty());
    }
}

db_test! {
    async fn trimming_the_outbox_is_seen(world) {
        let t = Tenant::create(&world, "one").await;
        let before = world.read(outbox::head).await;
        assert_eq!(world.read(outbox::head).await, before);
        let changes = world.read(|c| outbox::list_after(c, 0, 100)).await;
        assert!(changes.iter().all(|change| change.app == t.app.id && change.kind == db::ChangeKind::Changed));
        assert_eq!(world.write(|tx| outbox::trim(tx, after(1))).await, changes.len());
        assert_ne!(world.read(outbox::head).await, before);
    }
}
