//! This file's job is to check that keys stand for channels, and that edges find channels by them.

use crate::on_both_databases;
use crate::rig::{Rig, reason};
use domain::snapshot::{ChannelKey, ChannelSnapshot};
use proto::v1::{self, Reason};

on_both_databases!(keys_are_made_taken_over_listed_and_deleted, a_channel_has_only_so_many_keys,);

async fn snapshot(rig: &Rig, app: &v1::App) -> ChannelSnapshot {
    let key = ChannelKey { app: app.app_id.parse().unwrap(), channel: "production".parse().unwrap() };
    rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap()
}

fn new(parent: &str, key: &str) -> v1::CreateDeploymentKeyRequest {
    v1::CreateDeploymentKeyRequest {
        parent: parent.to_owned(),
        platform: v1::Platform::Ios.into(),
        deployment_key: key.to_owned(),
        request_id: String::new(),
    }
}

async fn keys_are_made_taken_over_listed_and_deleted(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let create = async |key: &str| {
        let answer = rig.deployment_keys().create_deployment_key(rig.ask(new(&channel.name, key))).await;
        answer.map(|answer| answer.into_inner().deployment_key.unwrap())
    };
    let before = snapshot(&rig, &app).await;
    let made = create("").await.unwrap();
    assert_eq!((made.key.len(), made.platform()), (32, v1::Platform::Ios));
    let taken_over = create("Imported-Key_1").await.unwrap();
    assert_eq!(reason(create("Imported-Key_1").await), Reason::AlreadyExists);
    for wrong in ["short", "has a blank", "has:colon:inside"] {
        assert_eq!(reason(create(wrong).await), Reason::InvalidField);
    }
    let after = snapshot(&rig, &app).await;
    assert!(after.version > before.version);
    let mut keys = vec![made.key.clone(), taken_over.key.clone()];
    keys.sort();
    assert_eq!(after.codepush.keys.keys().map(ToString::to_string).collect::<Vec<_>>(), keys);
    let list = || rig.ask(v1::ListDeploymentKeysRequest { parent: channel.name.clone() });
    let listed =
        async || rig.deployment_keys().list_deployment_keys(list()).await.unwrap().into_inner().deployment_keys;
    assert_eq!(listed().await.len(), 2);
    let delete = |key: &str| {
        let (parent, deployment_key) = (channel.name.clone(), key.to_owned());
        rig.ask(v1::DeleteDeploymentKeyRequest { parent, deployment_key })
    };
    rig.deployment_keys().delete_deployment_key(delete("Imported-Key_1")).await.unwrap();
    let again = rig.deployment_keys().delete_deployment_key(delete("Imported-Key_1")).await;
    assert_eq!(reason(again), Reason::NotFound);
    assert_eq!(listed().await, [made]);
    create("Imported-Key_1").await.unwrap();
}

async fn a_channel_has_only_so_many_keys(rig: Rig) {
    let (_, channel) = rig.app("shop").await;
    for number in 0..domain::codepush::DEPLOYMENT_KEYS_MAX {
        let request = rig.ask(new(&channel.name, &format!("deployment-key-{number}")));
        rig.deployment_keys().create_deployment_key(request).await.unwrap();
    }
    let one_more = rig.deployment_keys().create_deployment_key(rig.ask(new(&channel.name, ""))).await;
    assert_eq!(reason(one_more), Reason::CountLimit);
}
