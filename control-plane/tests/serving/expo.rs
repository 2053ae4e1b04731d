//! This file's job is to check what is frozen for Expo clients, and who may sign it.

use crate::on_both_databases;
use crate::rig::{Rig, range, reason};
use domain::expo::UpdateId;
use domain::id::ReleaseId;
use proto::v1::roll_back_channel_request::To;
use proto::v1::{self, Platform, Reason};
use serde_json::Value;

on_both_databases!(
    a_manifest_is_frozen_with_its_release,
    a_signature_offers_the_release,
    headers_for_clients_are_checked_and_reach_the_snapshot,
    content_that_comes_back_gets_a_new_id_and_a_later_time,
    what_makes_no_manifest_is_refused,
);

const KEY: &str = "0123456789abcdef0123456789abcdef";

pub fn publication() -> v1::ExpoPublication {
    v1::ExpoPublication {
        base_url: "https://updates.example.com/".into(),
        launch_key: KEY.into(),
        assets: vec![],
        config_json: r#"{"name":"Shop","extra":{"eas":{"projectId":"p"}}}"#.into(),
    }
}

pub fn runtime(version: &str) -> Option<v1::Target> {
    Some(v1::Target { rule: Some(v1::target::Rule::RuntimeVersion(version.into())) })
}

pub async fn request(rig: &Rig, app: &v1::App, channel: &v1::Channel) -> v1::CreateReleaseRequest {
    v1::CreateReleaseRequest {
        parent: channel.name.clone(),
        bundle: rig.bundle(app, "one").await,
        target: runtime("1"),
        expo: Some(publication()),
        ..Default::default()
    }
}

pub async fn publish(rig: &Rig, request: v1::CreateReleaseRequest) -> v1::Release {
    rig.releases().create_release(rig.ask(request)).await.unwrap().into_inner().release.unwrap()
}

pub async fn told(rig: &Rig, release: &v1::Release) -> (v1::GetExpoUpdateResponse, Value) {
    let get = v1::GetExpoUpdateRequest { name: release.name.clone() };
    let update = rig.releases().get_expo_update(rig.ask(get)).await.unwrap().into_inner();
    let body = serde_json::from_str(&update.body).unwrap();
    (update, body)
}

async fn a_manifest_is_frozen_with_its_release(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = publish(&rig, request(&rig, &app, &channel).await).await;
    let (update, body) = told(&rig, &release).await;
    let id: ReleaseId = release.release_id.parse().unwrap();
    assert_eq!(update.update_id, UpdateId::from(&id).to_string());
    let sha256 = domain::Sha256::of(b"one");
    let expected = serde_json::json!({
        "id": update.update_id,
        "createdAt": domain::expo::date_text(update.committed_at_ms),
        "runtimeVersion": "1",
        "launchAsset": {
            // printf one | openssl dgst -sha256 -binary | basenc --base64url
            "hash": "dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z_0Me0",
            "key": KEY,
            "contentType": "application/javascript",
            "fileExtension": ".bundle",
            "url": format!("https://updates.example.com/v1/expo/{}/{}/{sha256}.bundle", app.app_id, channel.channel_name),
        },
        "assets": [],
        "metadata": {"branchName": channel.channel_name},
        "extra": {"eas": {"projectId": "p"}, "expoClient": {"name": "Shop", "extra": {"eas": {"projectId": "p"}}}},
    });
    assert_eq!(body, expected);
    assert_eq!(update.signature, "");
}

async fn a_signature_offers_the_release(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let disabled = v1::CreateReleaseRequest { disabled: true, ..request(&rig, &app, &channel).await };
    let release = publish(&rig, disabled).await;
    let sign = |change: &dyn Fn(&mut v1::SignExpoUpdateRequest)| {
        let mut request = v1::SignExpoUpdateRequest {
            name: release.name.clone(),
            signature: vec![1, 2, 3].into(),
            ..Default::default()
        };
        change(&mut request);
        rig.ask(request)
    };
    for bad in [
        sign(&|request| request.key_id = "a\"b".into()),
        sign(&|request| request.signature = vec![].into()),
        sign(&|request| request.signature = vec![0; 513].into()),
        sign(&|request| request.certificate_chain = "x".into()),
    ] {
        assert_eq!(reason(rig.releases().sign_expo_update(bad).await), Reason::InvalidField);
    }
    let signed = rig.releases().sign_expo_update(sign(&|_| ())).await.unwrap().into_inner().release.unwrap();
    assert!(signed.enabled && !release.enabled);
    let (update, _) = told(&rig, &release).await;
    assert_eq!(update.signature, r#"sig="AQID", keyid="main", alg="rsa-v1_5-sha256""#);
    let plain = rig.publish(&channel, &rig.bundle(&app, "two").await).await;
    let other = sign(&|request| request.name = plain.name.clone());
    assert_eq!(reason(rig.releases().sign_expo_update(other).await), Reason::NotFound);
}

async fn headers_for_clients_are_checked_and_reach_the_snapshot(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let update = async |change: v1::Channel, field: &str| {
        let channel = v1::Channel { name: channel.name.clone(), ..change };
        let update_mask = Some(prost_types::FieldMask { paths: vec![field.into()] });
        let request = v1::UpdateChannelRequest { channel: Some(channel), update_mask, etag: String::new() };
        rig.channels().update_channel(rig.ask(request)).await.map(|answer| answer.into_inner().channel.unwrap())
    };
    let server_defined = async |text: &str| {
        let change = v1::Channel { expo_server_defined_headers: Some(text.into()), ..Default::default() };
        update(change, "expo_server_defined_headers").await
    };
    let of_assets = async |text: &str| {
        let change = v1::Channel { expo_asset_request_headers: text.into(), ..Default::default() };
        update(change, "expo_asset_request_headers").await
    };
    let snapshot = async || {
        let key = domain::snapshot::ChannelKey {
            app: app.app_id.parse().unwrap(),
            channel: channel.channel_name.parse().unwrap(),
        };
        rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap().expo
    };
    assert_eq!(channel.expo_server_defined_headers, None);
    assert_eq!(snapshot().await.server_defined_headers, None);
    for bad in ["x-ring=early", "expo-channel-name=\"other\"", "host=\"a\"", "x-ring=\"a\r\n\"", &"x-a, ".repeat(400)] {
        assert_eq!(reason(server_defined(bad).await), Reason::InvalidField, "{bad}");
        assert_eq!(reason(of_assets(bad).await), Reason::InvalidField, "{bad}");
    }
    assert_eq!(reason(of_assets("x-n=2").await), Reason::InvalidField);
    let changed = server_defined("x-ring=\"early\",x-n=2").await.unwrap();
    assert_eq!(changed.expo_server_defined_headers.as_deref(), Some("x-ring=\"early\", x-n=2"));
    assert!(changed.snapshot_version > channel.snapshot_version);
    let changed = of_assets("authorization=\"Bearer 1\"").await.unwrap();
    assert_eq!(changed.expo_asset_request_headers, "authorization=\"Bearer 1\"");
    let expo = snapshot().await;
    assert_eq!(expo.server_defined_headers.unwrap().as_str(), "x-ring=\"early\", x-n=2");
    assert_eq!(expo.asset_request_headers.headers()["authorization"], "Bearer 1");
    // Taking them back is another thing than never having said anything.
    server_defined("").await.unwrap();
    of_assets("").await.unwrap();
    let expo = snapshot().await;
    assert_eq!(expo.server_defined_headers, Some(Default::default()));
    assert!(expo.asset_request_headers.headers().is_empty());
}

async fn content_that_comes_back_gets_a_new_id_and_a_later_time(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let staging = rig.channel_of(&app, "staging").await;
    let first = publish(&rig, request(&rig, &app, &channel).await).await;
    let promote = v1::PromoteReleaseRequest {
        name: first.name.clone(),
        to_channel: staging.name.clone(),
        target: runtime("2"),
        disabled: true,
        ..Default::default()
    };
    let promoted = rig.releases().promote_release(rig.ask(promote)).await.unwrap().into_inner().release.unwrap();
    assert!(!promoted.enabled);
    let two = v1::CreateReleaseRequest { bundle: rig.bundle(&app, "two").await, ..request(&rig, &app, &channel).await };
    publish(&rig, two).await;
    let back = |to| v1::RollBackChannelRequest {
        name: channel.name.clone(),
        platform: Platform::Android.into(),
        to,
        ..Default::default()
    };
    let roll =
        |to| async { rig.releases().roll_back_channel(rig.ask(back(to))).await.unwrap().into_inner().release.unwrap() };
    let (again, embedded) = (roll(None).await, roll(Some(To::Embedded(true))).await);
    let (original, body) = told(&rig, &first).await;
    let (elsewhere, there) = told(&rig, &promoted).await;
    assert_eq!(
        (there["runtimeVersion"].as_str(), there["metadata"]["branchName"].as_str()),
        (Some("2"), Some("staging"))
    );
    assert!(there["launchAsset"]["url"].as_str().unwrap().contains("/staging/"));
    let (brought_back, same) = told(&rig, &again).await;
    assert_eq!((&same["launchAsset"], &same["extra"]), (&body["launchAsset"], &body["extra"]));
    assert_ne!(brought_back.update_id, original.update_id);
    let (directive, said) = told(&rig, &embedded).await;
    let date = domain::expo::date_text(directive.committed_at_ms);
    assert_eq!(said, serde_json::json!({"type": "rollBackToEmbedded", "parameters": {"commitTime": date}}));
    let times = [&original, &elsewhere, &brought_back, &directive].map(|update| update.committed_at_ms);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

async fn what_makes_no_manifest_is_refused(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let good = request(&rig, &app, &channel).await;
    let asset =
        |path: &str, extension: &str| v1::ExpoAsset { path: path.into(), key: KEY.into(), extension: extension.into() };
    for change in [
        &(|expo: &mut v1::ExpoPublication| expo.base_url = "ftp://x".into()) as &dyn Fn(&mut v1::ExpoPublication),
        &|expo| expo.base_url = "https://x/?a=b".into(),
        &|expo| expo.launch_key = KEY.to_uppercase(),
        &|expo| expo.config_json = "[]".into(),
        &|expo| expo.assets = vec![asset("assets/x", "png")],
        &|expo| expo.assets = vec![asset("assets/x", "")],
    ] {
        let mut expo = publication();
        change(&mut expo);
        let bad = v1::CreateReleaseRequest { expo: Some(expo), ..good.clone() };
        assert_eq!(reason(rig.releases().create_release(rig.ask(bad)).await), Reason::InvalidField);
    }
    let bad = v1::CreateReleaseRequest { target: Some(range("1.x")), ..good.clone() };
    assert_eq!(reason(rig.releases().create_release(rig.ask(bad)).await), Reason::InvalidField);
    // Nothing was left behind.
    assert_eq!(publish(&rig, good).await.label, "v1");
}
