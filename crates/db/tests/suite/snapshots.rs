//! This file's job is to check that a snapshot shows the whole channel and nothing else.

use crate::tenant::{Tenant, content, release};
use crate::world::{START, World, after};
use db::releases::Release as StoredRelease;
use db::snapshots;
use domain::bundle::{Blob, Coding, Engine};
use domain::codepush::{CodePush, Package, PackageDiff};
use domain::decide::{Decision, UpdateCheck, decide};
use domain::release::{Content, Release, Retreat, Rollout, RolloutState};
use domain::snapshot::{ChannelKey, ChannelSnapshot, Delta, OfferedBundle, SnapshotVersion, Variant};
use domain::target::Target;
use domain::{Platform, Ppm, Sha256};
use std::collections::BTreeMap;

async fn load(world: &World, key: &ChannelKey) -> Option<ChannelSnapshot> {
    let key = key.clone();
    world.read(move |c| snapshots::load(c, &key)).await
}

fn golden(t: &Tenant) -> ChannelSnapshot {
    let (files, mut blobs) = content("new");
    blobs.sort_by_key(|blob| blob.sha256);
    let blobs = blobs.into_iter().map(Into::into).collect();
    let variant = Variant { of: Sha256::of(b"new"), coding: Coding::Brotli, blob: Blob::of(b"nw").into() };
    let offered = OfferedBundle { engine: Engine::Hermes, files, blobs, variants: vec![variant] };
    let release = Release {
        id: t.release.id.clone(),
        seq: 1,
        platform: Platform::Ios,
        target: Target::BinaryRange("1.x".parse().unwrap()),
        content: Content::Bundle(t.bundle.content_hash),
        mandatory: false,
        enabled: true,
        rollout: Rollout { state: RolloutState::Active, share: Ppm::ALL, salt: "salt".into(), retreat: Retreat::Stay },
        notes: "Fixes ünïcode".into(),
    };
    let delta = Delta {
        from: t.old_bundle.content_hash,
        to: t.bundle.content_hash,
        base: Sha256::of(b"old"),
        format: "dcz".into(),
        blob: Blob::of(b"patch").into(),
    };
    ChannelSnapshot {
        key: t.channel.key(),
        channel_id: t.channel.id.clone(),
        // Made, then touched by the release, the delta, the compressed form, the pin, the revocation, the deployment key, the package
        // and its diff.
        version: SnapshotVersion { epoch: 1, version: 9 },
        blocked: false,
        releases: vec![release],
        bundles: std::iter::once((t.bundle.content_hash, offered.into())).collect(),
        deltas: vec![delta],
        pins: BTreeMap::from([(t.pin.device_key.clone(), t.release.id.clone())]),
        token_keys: vec![t.token_key.clone()],
        revoked_devices: [t.revocation.device.clone()].into(),
        registration_closed: false,
        codepush: CodePush {
            keys: [(t.deployment_key.key.clone(), Platform::Ios)].into(),
            packages: [(
                t.bundle.content_hash,
                Package { hash: Sha256::of(b"package"), blob: Blob::of(b"whole").into() },
            )]
            .into(),
            diffs: vec![PackageDiff {
                from: Sha256::of(b"old package"),
                to: t.bundle.content_hash,
                blob: Blob::of(b"diffs").into(),
            }],
        },
        expo: Default::default(),
    }
}

db_test! {
    async fn a_snapshot_is_the_channel_as_published(world) {
        let (t, _twin) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        assert_eq!(load(&world, &t.channel.key()).await, Some(golden(&t)));
        let nowhere = ChannelKey { channel: "staging".parse().unwrap(), ..t.channel.key() };
        assert_eq!(load(&world, &nowhere).await, None);
    }
}

db_test! {
    async fn a_loaded_snapshot_can_be_decided_on(world) {
        let t = Tenant::create(&world, "one").await;
        let snapshot = load(&world, &t.channel.key()).await.unwrap();
        let check = UpdateCheck {
            device: "device-2".parse().unwrap(),
            platform: Platform::Ios,
            binary_version: Some("1.2.0".parse().unwrap()),
            runtime_version: None,
            current: None,
        };
        assert!(matches!(decide(&snapshot, &check), Decision::Update { release: 0, .. }));
    }
}

db_test! {
    async fn a_channel_is_found_by_its_keys_and_shows_packages_only_while_it_has_some(world) {
        let (t, twin) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let (mine, foreign) = (t.deployment_key.key.clone(), twin.deployment_key.clone());
        let asked = mine.clone();
        let found = world.read(move |c| db::deployment_keys::find_channel(c, &asked)).await;
        assert_eq!(found, Some(t.channel.key()));
        let (scope, taken) = (t.scope.clone(), db::deployment_keys::Key { channel: t.channel.id.clone(), ..foreign });
        let error = world.refused(move |tx| db::deployment_keys::insert(tx, &scope, &taken)).await;
        assert_eq!(error.to_string(), "deployment key exists already");
        let (r, key) = (t.clone(), mine.clone());
        world.write(move |tx| db::deployment_keys::delete(tx, &r.scope, &r.channel.id, &key, after(1))).await;
        assert_eq!(world.read(move |c| db::deployment_keys::find_channel(c, &mine)).await, None);
        assert_eq!(load(&world, &t.channel.key()).await.unwrap().codepush, CodePush::default());
    }
}

db_test! {
    async fn only_bundles_that_can_be_offered_are_shown(world) {
        let t = Tenant::create(&world, "one").await;
        let rows: Vec<StoredRelease> = [Some(&t.old_bundle), Some(&t.bundle), None]
            .into_iter()
            .enumerate()
            .map(|(i, bundle)| StoredRelease { enabled: i != 0, ..release(&world, &t.channel, bundle) })
            .collect();
        let scope = t.scope.clone();
        world.write(move |tx| rows.iter().try_for_each(|row| db::releases::insert(tx, &scope, row).map(drop))).await;
        let snapshot = load(&world, &t.channel.key()).await.unwrap();
        assert_eq!(snapshot.releases.iter().map(|release| release.seq).collect::<Vec<_>>(), [4, 3, 2, 1]);
        assert_eq!(snapshot.releases[0].content, Content::Embedded);
        assert_eq!(snapshot.bundles.keys().collect::<Vec<_>>(), [&t.bundle.content_hash]);
    }
}

db_test! {
    async fn versions_tell_pollers_what_to_load(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let absent = ChannelKey { channel: "staging".parse().unwrap(), ..one.channel.key() };
        let keys = [one.channel.key(), two.channel.key(), absent];
        let asked = keys.clone();
        let before = world.read(move |c| snapshots::versions(c, &asked)).await;
        assert_eq!(before.len(), 2);
        let id = one.channel.id.clone();
        world.write(move |tx| db::channels::touch(tx, &id, after(1))).await;
        let asked = keys.clone();
        let now = world.read(move |c| snapshots::versions(c, &asked)).await;
        assert!(now[&keys[0]] > before[&keys[0]]);
        assert_eq!(now[&keys[1]], before[&keys[1]]);
        let (page, last) = world.read(|c| snapshots::list(c, None, 1)).await;
        let (rest, end) = world.read(move |c| snapshots::list(c, last.as_ref(), 10)).await;
        assert_eq!(page.into_iter().chain(rest).collect::<BTreeMap<_, _>>(), now);
        assert!(end.is_some());
        let (none, end) = world.read(move |c| snapshots::list(c, end.as_ref(), 10)).await;
        assert!(none.is_empty() && end.is_none());
        let app = one.app.id.clone();
        assert_eq!(world.read(move |c| snapshots::keys(c, &app)).await, [one.channel.key()]);
    }
}

db_test! {
    async fn a_renamed_channel_leaves_its_old_name(world) {
        let t = Tenant::create(&world, "one").await;
        let changes = db::channels::ChannelChanges { name: Some("stable".parse().unwrap()), ..Default::default() };
        let r = t.clone();
        let renamed = world.write(move |tx| db::channels::apply(tx, &r.scope, &r.channel.id, 1, &changes, after(1))).await;
        assert_eq!(load(&world, &t.channel.key()).await, None);
        assert_eq!(load(&world, &renamed.key()).await.unwrap().channel_id, t.channel.id);
        let hints = world.read(|c| db::outbox::list_after(c, 0, 100)).await;
        let gone = hints.iter().find(|hint| hint.kind == db::ChangeKind::Deleted).unwrap();
        assert_eq!((&gone.channel, gone.at), (&t.channel.name, after(1)));
        assert!(gone.at > START);
    }
}
