//! This file's job is to check that single devices are refused, and that what tokens are made with is renewed.

use crate::on_both_databases;
use crate::rig::{Rig, now, reason};
use domain::id::DeviceId;
use domain::snapshot::{ChannelKey, ChannelSnapshot, REVOKED_DEVICES_MAX, TOKEN_KEYS_MAX};
use proto::v1::{self, Reason};

on_both_databases!(a_revoked_device_is_in_the_snapshot_until_it_is_restored, secrets_are_renewed_and_retired,);

async fn snapshot(rig: &Rig, app: &v1::App) -> ChannelSnapshot {
    let key = ChannelKey { app: app.app_id.parse().unwrap(), channel: "production".parse().unwrap() };
    rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap()
}

fn device(number: u64) -> DeviceId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    DeviceId::from_parts(now(), random)
}

async fn a_revoked_device_is_in_the_snapshot_until_it_is_restored(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let (first, before) = (device(1), snapshot(&rig, &app).await);
    let revoke = |device: &DeviceId| {
        rig.ask(v1::RevokeDeviceRequest { parent: app.name.clone(), device_id: device.to_string() })
    };
    let made = rig.devices().revoke_device(revoke(&first)).await.unwrap().into_inner().revocation.unwrap();
    let again = rig.devices().revoke_device(revoke(&first)).await.unwrap().into_inner().revocation.unwrap();
    assert_eq!((made.device_id.as_str(), &again), (first.as_str(), &made));
    let after = snapshot(&rig, &app).await;
    assert!(after.version > before.version);
    assert_eq!(after.revoked_devices, [first.clone()].into());
    let list = v1::ListRevokedDevicesRequest { parent: app.name.clone(), ..Default::default() };
    assert_eq!(rig.devices().list_revoked_devices(rig.ask(list)).await.unwrap().into_inner().revocations, [made]);

    let restore = || rig.ask(v1::RestoreDeviceRequest { parent: app.name.clone(), device_id: first.to_string() });
    rig.devices().restore_device(restore()).await.unwrap();
    rig.devices().restore_device(restore()).await.unwrap();
    assert_eq!(snapshot(&rig, &app).await.revoked_devices, [].into());
    let wrong = v1::RevokeDeviceRequest { parent: app.name.clone(), device_id: "phone".into() };
    assert_eq!(reason(rig.devices().revoke_device(rig.ask(wrong)).await), Reason::InvalidField);

    fill(&rig, &app).await;
    assert_eq!(reason(rig.devices().revoke_device(revoke(&device(99_999))).await), Reason::CountLimit);
    assert_eq!(snapshot(&rig, &app).await.revoked_devices.len(), REVOKED_DEVICES_MAX);
}

/// Revokes as many devices as may be.
async fn fill(rig: &Rig, app: &v1::App) {
    let (scope, app) = (rig.scope.clone(), app.app_id.parse::<domain::id::AppId>().unwrap());
    let fill = move |tx: &mut db::Tx<'_>| {
        for number in 0..REVOKED_DEVICES_MAX {
            let row = db::device_revocations::Revocation {
                app: app.clone(),
                device: device(number as u64),
                created_by: "test".into(),
                created_at: now(),
            };
            db::device_revocations::insert(tx, &scope, &row)?;
        }
        Ok(())
    };
    rig.db.write(fill).await.unwrap();
}

async fn secrets_are_renewed_and_retired(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let generations =
        async || -> Vec<u32> { snapshot(&rig, &app).await.token_keys.iter().map(|key| key.generation).collect() };
    let rotate = async |retire_earlier: bool| {
        let request = v1::RotateDeviceKeyRequest { parent: app.name.clone(), retire_earlier };
        rig.devices().rotate_device_key(rig.ask(request)).await.unwrap().into_inner().generation
    };
    assert_eq!(generations().await, [1]);
    assert_eq!(rotate(false).await, 2);
    assert_eq!(generations().await, [2, 1]);
    for expected in 3..=10 {
        assert_eq!(rotate(false).await, expected);
    }
    let newest: Vec<u32> = (3..=10).rev().collect();
    assert_eq!((newest.len(), generations().await), (TOKEN_KEYS_MAX, newest), "the oldest make room");
    assert_eq!(rotate(true).await, 11);
    assert_eq!(generations().await, [11]);
}
