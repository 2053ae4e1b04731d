//! This file's job is to check what is kept for Expo clients.

use crate::tenant::{Tenant, release};
use crate::world::{START, World, after};
use db::binaries::BinaryChanges;
use db::expo_updates::{self, ExpoUpdate};
use db::releases::Release;
use domain::Sha256;
use domain::expo::UpdateId;
use std::collections::BTreeMap;

/// What clients are told of a release.
pub fn told(release: &Release) -> ExpoUpdate {
    ExpoUpdate {
        release: release.id.clone(),
        app: release.app.clone(),
        committed_at_ms: START.as_ms(),
        body: format!(r#"{{"id":"{}"}}"#, UpdateId::from(&release.id)),
        signature: String::new(),
        certificate_chain: String::new(),
    }
}

async fn snapshot(world: &World, t: &Tenant) -> domain::snapshot::ChannelSnapshot {
    let key = t.channel.key();
    world.read(move |c| db::snapshots::load(c, &key)).await.unwrap()
}

db_test! {
    async fn no_two_updates_of_an_app_have_one_time_and_later_ones_are_newer(world) {
        let t = Tenant::create(&world, "one").await;
        let r = t.clone();
        let times = world
            .write(move |tx| {
                // The clock stands still, and then goes back.
                [START, START, after(60), after(1)]
                    .into_iter()
                    .map(|now| expo_updates::next_commit(tx, &r.scope, &r.app.id, now))
                    .collect::<db::Result<Vec<u64>>>()
            })
            .await;
        let start = START.as_ms();
        assert_eq!(times, [start, start + 1, start + 60_000, start + 60_001]);
        let r = t.clone();
        let other = release(&world, &t.channel, Some(&t.bundle));
        let refused = world.refused(move |tx| {
            expo_updates::insert(tx, &r.scope, &told(&r.release))?;
            let other = db::releases::insert(tx, &r.scope, &other)?;
            expo_updates::insert(tx, &r.scope, &told(&other))
        });
        assert!(matches!(refused.await, db::Error::AlreadyExists { .. }));
    }
}

db_test! {
    async fn a_signature_and_an_embedded_update_reach_the_edges(world) {
        let t = Tenant::create(&world, "one").await;
        let r = t.clone();
        world.write(move |tx| expo_updates::insert(tx, &r.scope, &told(&r.release))).await;
        let before = snapshot(&world, &t).await;
        assert_eq!(before.expo.updates[&t.release.id].signature, "");
        let (r, update) = (t.clone(), UpdateId::from(&t.release.id));
        world
            .write(move |tx| {
                let signed = ExpoUpdate { signature: "sig=\"AA==\"".into(), ..told(&r.release) };
                expo_updates::set_signature(tx, &r.scope, &signed, after(1))?;
                let changes = BinaryChanges { embedded_update: Some(Some(update)), ..BinaryChanges::default() };
                db::binaries::apply(tx, &r.scope, &r.binary.id, 1, &changes, after(1)).map(drop)
            })
            .await;
        let now = snapshot(&world, &t).await;
        assert_eq!(now.expo.updates[&t.release.id].signature, "sig=\"AA==\"");
        assert_eq!(now.expo.embedded, BTreeMap::from([(update, Sha256::of(b"embedded"))]));
        assert_eq!(now.version.version, before.version.version + 2);
        let (scope, id) = (t.scope.clone(), t.release.id.clone());
        let found = world.read(move |c| expo_updates::find(c, &scope, &id)).await.unwrap();
        assert_eq!(found.body, now.expo.updates[&t.release.id].body);
    }
}
