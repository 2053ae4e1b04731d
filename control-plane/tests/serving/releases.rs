//! This file's job is to check publishing and everything that steers releases.

use crate::on_both_databases;
use crate::rig::{Rig, range, reason};
use domain::Sha256;
use domain::bundle::Blob;
use proto::v1::roll_back_channel_request::To;
use proto::v1::{self, Outcome, Platform, Reason, RolloutState};
use tokio::task::JoinSet;

on_both_databases!(
    a_release_is_published_steered_and_deleted,
    a_rollback_goes_back_step_by_step,
    a_promotion_takes_over_what_is_not_said,
    a_validated_release_is_not_made,
    pins_and_explanations_agree_with_the_edge,
    bundles_in_use_stay,
    changes_without_an_etag_all_happen_and_one_with_an_etag_wins,
    a_build_is_remembered_and_files_are_read_in_pieces,
);

async fn a_release_is_published_steered_and_deleted(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (one, two) = (rig.bundle(&app, "one").await, rig.bundle(&app, "two").await);
    let first = rig.publish(&channel, &one).await;
    assert_eq!((first.label.as_str(), first.seq, first.enabled), ("v1", 1, true));
    let before = rig.ready_jobs().await;
    let second = rig.publish(&channel, &two).await;
    assert_eq!(second.label, "v2");
    assert_eq!(rig.ready_jobs().await - before, 1, "a delta from v1 to v2 is asked for");

    let set = |share_ppm, state: RolloutState, etag: &str| {
        let (name, state) = (second.name.clone(), state.into());
        rig.ask(v1::SetRolloutRequest { name, share_ppm, state, etag: etag.into(), ..Default::default() })
    };
    let salt = second.rollout.clone().unwrap().salt;
    let narrow = rig.releases().set_rollout(set(Some(10_000), RolloutState::Unspecified, &second.etag)).await.unwrap();
    let narrow = narrow.into_inner().release.unwrap();
    assert_eq!(
        reason(rig.releases().set_rollout(set(Some(1), RolloutState::Active, &second.etag)).await),
        Reason::EtagMismatch
    );
    let wide = rig.releases().set_rollout(set(Some(500_000), RolloutState::Paused, &narrow.etag)).await.unwrap();
    let rollout = wide.into_inner().release.unwrap().rollout.unwrap();
    assert_eq!((&rollout.salt, rollout.share_ppm, rollout.state()), (&salt, 500_000, RolloutState::Paused));
    assert_eq!(
        reason(rig.releases().set_rollout(set(Some(1_000_001), RolloutState::Active, "")).await),
        Reason::InvalidField
    );
    assert_eq!(
        reason(rig.releases().set_rollout(set(None, RolloutState::Unspecified, "")).await),
        Reason::InvalidField
    );

    let delete = || rig.ask(v1::DeleteReleaseRequest { name: first.name.clone(), etag: String::new() });
    assert_eq!(reason(rig.releases().delete_release(delete()).await), Reason::InUse);
    let wanted = v1::Release { name: first.name.clone(), notes: "broken".into(), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["enabled".into(), "notes".into()] });
    let update = v1::UpdateReleaseRequest { release: Some(wanted), update_mask, etag: first.etag.clone() };
    let disabled = rig.releases().update_release(rig.ask(update)).await.unwrap().into_inner().release.unwrap();
    assert_eq!((disabled.enabled, disabled.notes.as_str()), (false, "broken"));
    rig.releases().delete_release(delete()).await.unwrap();
    let get = v1::GetReleaseRequest { name: format!("{}/releases/v2", channel.name) };
    assert_eq!(rig.releases().get_release(rig.ask(get)).await.unwrap().into_inner().release.unwrap().name, second.name);
    let list = v1::ListReleasesRequest { parent: channel.name.clone(), ..Default::default() };
    let listed = rig.releases().list_releases(rig.ask(list)).await.unwrap().into_inner().releases;
    assert_eq!(listed.iter().map(|release| release.label.as_str()).collect::<Vec<_>>(), ["v2"]);
    assert_eq!(rig.publish(&channel, &one).await.label, "v3", "a label is not used again");
}

/// As many as the server tries to get through.
const RIVALS: usize = 8;

async fn changes_without_an_etag_all_happen_and_one_with_an_etag_wins(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let rivals = async |etag: &str| {
        let updates = (0..RIVALS).map(|number| {
            let wanted = v1::Release { name: release.name.clone(), notes: format!("{number}"), ..Default::default() };
            let update_mask = Some(prost_types::FieldMask { paths: vec!["notes".into()] });
            let request = rig.ask(v1::UpdateReleaseRequest { release: Some(wanted), update_mask, etag: etag.into() });
            let mut client = rig.releases();
            async move { client.update_release(request).await }
        });
        updates.collect::<JoinSet<_>>().join_all().await
    };
    for ended in rivals("").await {
        ended.unwrap();
    }
    let get = v1::GetReleaseRequest { name: release.name.clone() };
    let read = rig.releases().get_release(rig.ask(get)).await.unwrap().into_inner().release.unwrap();
    let (won, lost): (Vec<_>, Vec<_>) = rivals(&read.etag).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, RIVALS - 1));
    for ended in lost {
        assert_eq!(reason(ended), Reason::EtagMismatch);
    }
}

fn back(channel: &v1::Channel, to: Option<To>) -> v1::RollBackChannelRequest {
    let (name, platform) = (channel.name.clone(), Platform::Android.into());
    v1::RollBackChannelRequest { name, platform, to, ..Default::default() }
}

async fn a_rollback_goes_back_step_by_step(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let refused = rig.releases().roll_back_channel(rig.ask(back(&channel, None))).await;
    assert_eq!(reason(refused), Reason::NoEarlierRelease, "nothing was published");
    let mut bundles = Vec::new();
    for content in ["one", "two", "three"] {
        bundles.push(rig.bundle(&app, content).await);
        rig.publish(&channel, bundles.last().unwrap()).await;
    }
    let roll = |to| async { rig.releases().roll_back_channel(rig.ask(back(&channel, to))).await };
    let fourth = roll(None).await.unwrap().into_inner().release.unwrap();
    assert_eq!((fourth.label.as_str(), fourth.bundle.as_str()), ("v4", bundles[1].as_str()));
    assert_eq!(fourth.origin(), v1::ReleaseOrigin::Rollback);
    let fifth = roll(None).await.unwrap().into_inner().release.unwrap();
    assert_eq!(fifth.bundle, bundles[0], "two steps back, not to and fro");
    assert_eq!(reason(roll(None).await), Reason::NoEarlierRelease);
    let sixth = roll(Some(To::Release("v3".into()))).await.unwrap().into_inner().release.unwrap();
    assert_eq!(sixth.bundle, bundles[2]);
    assert_eq!(reason(roll(Some(To::Release("v9".into()))).await), Reason::NotFound);
    let seventh = roll(Some(To::Embedded(true))).await.unwrap().into_inner().release.unwrap();
    assert_eq!((seventh.bundle.as_str(), seventh.bundle_sha256.len()), ("", 0));
}

async fn a_promotion_takes_over_what_is_not_said(rig: Rig) {
    let (app, staging) = rig.app("shop").await;
    let production = rig.channel_of(&app, "live").await;
    let bundle = rig.bundle(&app, "one").await;
    let create = v1::CreateReleaseRequest {
        parent: staging.name.clone(),
        bundle: bundle.clone(),
        target: Some(range(">=1.2 <2")),
        notes: "Faster".into(),
        mandatory: true,
        ..Default::default()
    };
    let source = rig.releases().create_release(rig.ask(create)).await.unwrap().into_inner().release.unwrap();
    let promote = |to: &v1::Channel, name: String| {
        let to_channel = to.name.clone();
        rig.ask(v1::PromoteReleaseRequest { name, to_channel, share_ppm: Some(5), ..Default::default() })
    };
    let promoted = rig.releases().promote_release(promote(&production, source.name.clone())).await.unwrap();
    let promoted = promoted.into_inner().release.unwrap();
    assert_eq!((&promoted.bundle, &promoted.target, promoted.mandatory), (&bundle, &source.target, true));
    assert_eq!((promoted.notes.as_str(), promoted.rollout.unwrap().share_ppm), ("Faster", 5));
    assert_eq!(promoted.origin_release, source.release_id);
    assert_eq!(reason(rig.releases().promote_release(promote(&staging, source.name)).await), Reason::InvalidField);
}

async fn a_validated_release_is_not_made(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let bundle = rig.bundle(&app, "one").await;
    let request = |target| v1::CreateReleaseRequest {
        parent: channel.name.clone(),
        bundle: bundle.clone(),
        target,
        validate_only: true,
        request_id: "ci-1".into(),
        ..Default::default()
    };
    let shown = rig.releases().create_release(rig.ask(request(Some(range("1.x"))))).await.unwrap().into_inner();
    let shown = shown.release.unwrap();
    assert_eq!((shown.name.as_str(), shown.bundle == bundle, shown.label.as_str()), ("", true, "v1"));
    assert_eq!(
        reason(rig.releases().create_release(rig.ask(request(Some(range("nonsense"))))).await),
        Reason::InvalidField
    );
    assert_eq!(reason(rig.releases().create_release(rig.ask(request(None))).await), Reason::InvalidField);
    let list = v1::ListReleasesRequest { parent: channel.name.clone(), ..Default::default() };
    assert!(rig.releases().list_releases(rig.ask(list)).await.unwrap().into_inner().releases.is_empty());
    assert_eq!(rig.publish(&channel, &bundle).await.label, "v1");
}

async fn pins_and_explanations_agree_with_the_edge(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let first = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let second = rig.publish(&channel, &rig.bundle(&app, "two").await).await;
    let question = || {
        rig.ask(v1::ExplainRequest {
            channel: channel.name.clone(),
            device: "device-1".into(),
            platform: Platform::Android.into(),
            binary_version: "1.4".into(),
            ..Default::default()
        })
    };
    let answer = rig.channels().explain(question()).await.unwrap().into_inner();
    assert_eq!((answer.outcome(), &answer.release, answer.label.as_str()), (Outcome::Update, &second.name, "v2"));
    let (parent, device) = (channel.name.clone(), "device-1".to_owned());
    let pin = v1::PinDeviceRequest { parent: parent.clone(), device: device.clone(), release: "v1".into() };
    let pinned = rig.channels().pin_device(rig.ask(pin.clone())).await.unwrap().into_inner().pin.unwrap();
    assert_eq!(pinned.release, first.name);
    let answer = rig.channels().explain(question()).await.unwrap().into_inner();
    assert_eq!((answer.label.as_str(), answer.steps[0].verdict.as_str()), ("v1", "pinned"));
    let list = v1::ListDevicePinsRequest { parent: parent.clone(), ..Default::default() };
    assert_eq!(rig.channels().list_device_pins(rig.ask(list)).await.unwrap().into_inner().pins, [pinned]);
    let other = rig.channel_of(&app, "other").await;
    let elsewhere = v1::PinDeviceRequest { parent: other.name, release: first.name.clone(), ..pin };
    assert_eq!(reason(rig.channels().pin_device(rig.ask(elsewhere)).await), Reason::NotFound);
    let unpin = v1::UnpinDeviceRequest { parent, device };
    rig.channels().unpin_device(rig.ask(unpin.clone())).await.unwrap();
    assert_eq!(reason(rig.channels().unpin_device(rig.ask(unpin)).await), Reason::NotFound);
}

async fn bundles_in_use_stay(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (used, unused) = (rig.bundle(&app, "used").await, rig.bundle(&app, "unused").await);
    rig.publish(&channel, &used).await;
    let delete = |name: &str| rig.ask(v1::DeleteBundleRequest { name: name.into() });
    assert_eq!(reason(rig.bundles().delete_bundle(delete(&used)).await), Reason::InUse);
    rig.bundles().delete_bundle(delete(&unused)).await.unwrap();
    let list = v1::ListBundlesRequest { parent: app.name, ..Default::default() };
    let listed = rig.bundles().list_bundles(rig.ask(list)).await.unwrap().into_inner().bundles;
    assert_eq!(listed.iter().map(|bundle| &bundle.name).collect::<Vec<_>>(), [&used]);
    let get = v1::GetBundleRequest { name: used };
    let bundle = rig.bundles().get_bundle(rig.ask(get)).await.unwrap().into_inner().bundle.unwrap();
    assert_eq!((bundle.files.len(), bundle.files[0].path.as_str()), (1, "index.bundle"));
}

async fn a_build_is_remembered_and_files_are_read_in_pieces(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let content = "some text ".repeat(150_000);
    rig.store.put(&Blob::of(content.as_bytes()), content.as_bytes()).await.unwrap();
    let bundle = rig.bundle(&app, &content).await;
    let build = v1::BundleBuild {
        compiler: "hermesc 1.0.0".into(),
        flags: vec!["-O".into()],
        base_sha256: proto::convert::sha256_to_wire(&Sha256::of(b"base")),
    };
    let create = |build: v1::BundleBuild| {
        let (parent, bundle, target, build) = (channel.name.clone(), bundle.clone(), Some(range("1.x")), Some(build));
        rig.ask(v1::CreateReleaseRequest { parent, bundle, target, build, ..Default::default() })
    };
    for wrong in [
        v1::BundleBuild { compiler: String::new(), ..build.clone() },
        v1::BundleBuild { flags: vec!["-x".into(); 51], ..build.clone() },
        v1::BundleBuild { base_sha256: "short".into(), ..build.clone() },
    ] {
        assert_eq!(reason(rig.releases().create_release(create(wrong)).await), Reason::InvalidField);
    }
    let release = rig.releases().create_release(create(build.clone())).await.unwrap().into_inner().release.unwrap();
    let get = v1::GetReleaseRequest { name: release.name };
    assert_eq!(rig.releases().get_release(rig.ask(get)).await.unwrap().into_inner().build, Some(build.clone()));
    let get = v1::GetBundleRequest { name: bundle.clone() };
    let found = rig.bundles().get_bundle(rig.ask(get)).await.unwrap().into_inner();
    assert_eq!(found.build, Some(build));

    let path = found.bundle.unwrap().files[0].path.clone();
    let read = async |path: &str, offset_bytes: u64| {
        let request = v1::ReadBundleFileRequest { name: bundle.clone(), path: path.to_owned(), offset_bytes };
        rig.bundles().read_bundle_file(rig.ask(request)).await
    };
    let mut bytes = Vec::new();
    loop {
        let piece = read(&path, bytes.len() as u64).await.unwrap().into_inner().data;
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    assert!(bytes == content.as_bytes());
    assert!(read(&path, u64::MAX).await.unwrap().into_inner().data.is_empty());
    assert_eq!(reason(read("other", 0).await), Reason::InvalidField);
}
