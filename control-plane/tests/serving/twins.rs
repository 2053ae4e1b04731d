//! This file's job is to check that another organization's things answer exactly like things that do not exist.

use crate::on_both_databases;
use crate::rig::{Rig, put_bundle, range, sha256, with};
use db::Role;
use proto::policy::Policies;
use proto::v1::{self, Platform, Principal};
use std::collections::BTreeSet;
use tonic::Status;

on_both_databases!(a_foreign_name_answers_like_an_absent_one_in_every_rpc);

/// The names of one organization's things.
#[derive(Clone)]
struct Names {
    app: String,
    channel: String,
    release: String,
    bundle: String,
    upload: String,
    binary: String,
}

/// Makes one of each thing.
async fn furnish(rig: &Rig) -> Names {
    let (app, channel) = rig.app("shop").await;
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await.name;
    let upload = v1::CreateUploadRequest {
        parent: app.name.clone(),
        platform: Platform::Ios.into(),
        archive_format: 1,
        archive_size_bytes: 5,
        archive_sha256: sha256(b"bytes"),
        ..Default::default()
    };
    let upload = rig.uploads().create_upload(rig.ask(upload)).await.unwrap().into_inner().upload.unwrap().name;
    let binary = v1::Binary { platform: 1, version: "1.0".into(), ..Default::default() };
    let binary = v1::CreateBinaryRequest { parent: app.name.clone(), binary: Some(binary), ..Default::default() };
    let binary = rig.binaries().create_binary(rig.ask(binary)).await.unwrap().into_inner().binary.unwrap().name;
    Names { app: app.name, channel: channel.name, release, bundle, upload, binary }
}

/// Changes the last digit of every id, so that the names have the right shape and name nothing.
fn absent(names: &Names) -> Names {
    let change = |name: &String| -> String {
        let digits: Vec<String> = name
            .split('/')
            .map(|part| match part.contains('_') {
                true => format!("{}{}", &part[..part.len() - 1], if part.ends_with('0') { '1' } else { '0' }),
                false => part.to_owned(),
            })
            .collect();
        digits.join("/")
    };
    Names {
        app: change(&names.app),
        channel: change(&names.channel),
        release: change(&names.release),
        bundle: change(&names.bundle),
        upload: change(&names.upload),
        binary: change(&names.binary),
    }
}

fn mask(path: &str) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: vec![path.to_owned()] })
}

/// The rest of a message.
fn d<T: Default>() -> T {
    T::default()
}

/// Calls every RPC that names something, as the key's owner; returns each one's name and refusal.
async fn all_refusals(rig: &Rig, key: &str, names: &Names) -> Vec<(&'static str, Status)> {
    let mut refusals = Vec::new();
    macro_rules! refuse {
        ($($rpc:literal => $client:ident . $method:ident ( $request:expr )),+ $(,)?) => {$(
            let answer = rig.$client().$method(with(key, $request)).await;
            refusals.push(($rpc, answer.map(drop).expect_err($rpc)));
        )+};
    }
    let names = names.clone();
    let Names { app, channel, release, bundle, upload, binary } = names;
    refuse! {
        "GetApp" => apps.get_app(v1::GetAppRequest { name: app.clone() }),
        "UpdateApp" => apps.update_app(v1::UpdateAppRequest {
            app: Some(v1::App { name: app.clone(), display_name: "x".into(), ..d() }), update_mask: mask("display_name"), ..d() }),
        "DeleteApp" => apps.delete_app(v1::DeleteAppRequest { name: app.clone(), ..d() }),
        "CreateChannel" => channels.create_channel(v1::CreateChannelRequest { parent: app.clone(), channel_name: "x".into(), ..d() }),
        "GetChannel" => channels.get_channel(v1::GetChannelRequest { name: channel.clone() }),
        "ListChannels" => channels.list_channels(v1::ListChannelsRequest { parent: app.clone(), ..d() }),
        "UpdateChannel" => channels.update_channel(v1::UpdateChannelRequest {
            channel: Some(v1::Channel { name: channel.clone(), ..d() }), update_mask: mask("blocked"), ..d() }),
        "DeleteChannel" => channels.delete_channel(v1::DeleteChannelRequest { name: channel.clone(), ..d() }),
        "PinDevice" => channels.pin_device(v1::PinDeviceRequest { parent: channel.clone(), device: "x".into(), release: "v1".into() }),
        "UnpinDevice" => channels.unpin_device(v1::UnpinDeviceRequest { parent: channel.clone(), device: "x".into() }),
        "ListDevicePins" => channels.list_device_pins(v1::ListDevicePinsRequest { parent: channel.clone(), ..d() }),
        "Explain" => channels.explain(v1::ExplainRequest { channel: channel.clone(), device: "x".into(), platform: 1, ..d() }),
        "CreateBinary" => binaries.create_binary(v1::CreateBinaryRequest {
            parent: app.clone(), binary: Some(v1::Binary { platform: 1, version: "1.0".into(), ..d() }), ..d() }),
        "GetBinary" => binaries.get_binary(v1::GetBinaryRequest { name: binary.clone() }),
        "ListBinaries" => binaries.list_binaries(v1::ListBinariesRequest { parent: app.clone(), ..d() }),
        "UpdateBinary" => binaries.update_binary(v1::UpdateBinaryRequest {
            binary: Some(v1::Binary { name: binary.clone(), ..d() }), update_mask: mask("runtime_version"), ..d() }),
        "DeleteBinary" => binaries.delete_binary(v1::DeleteBinaryRequest { name: binary.clone(), ..d() }),
        "GetBundle" => bundles.get_bundle(v1::GetBundleRequest { name: bundle.clone() }),
        "ListBundles" => bundles.list_bundles(v1::ListBundlesRequest { parent: app.clone(), ..d() }),
        "DeleteBundle" => bundles.delete_bundle(v1::DeleteBundleRequest { name: bundle.clone() }),
        "FindMissingBlobs" => uploads.find_missing_blobs(v1::FindMissingBlobsRequest { parent: app.clone(), sha256: vec![] }),
        "CreateUpload" => uploads.create_upload(v1::CreateUploadRequest {
            parent: app.clone(), platform: 2, archive_format: 1, archive_size_bytes: 5, archive_sha256: sha256(b"bytes"), ..d() }),
        "UploadChunk" => uploads.upload_chunk(v1::UploadChunkRequest { name: upload.clone(), offset: 0, data: "x".into() }),
        "UploadChunks" => uploads.upload_chunks(tokio_stream::once(v1::UploadChunksRequest { name: upload.clone(), ..d() })),
        "GetUpload" => uploads.get_upload(v1::GetUploadRequest { name: upload.clone() }),
        "ListUploads" => uploads.list_uploads(v1::ListUploadsRequest { parent: app.clone(), ..d() }),
        "CancelUpload" => uploads.cancel_upload(v1::CancelUploadRequest { name: upload.clone() }),
        "CreateRelease" => releases.create_release(v1::CreateReleaseRequest {
            parent: channel.clone(), bundle: bundle.clone(), target: Some(range("1.x")), ..d() }),
        "GetRelease" => releases.get_release(v1::GetReleaseRequest { name: release.clone() }),
        "ListReleases" => releases.list_releases(v1::ListReleasesRequest { parent: channel.clone(), ..d() }),
        "UpdateRelease" => releases.update_release(v1::UpdateReleaseRequest {
            release: Some(v1::Release { name: release.clone(), ..d() }), update_mask: mask("notes"), ..d() }),
        "DeleteRelease" => releases.delete_release(v1::DeleteReleaseRequest { name: release.clone(), ..d() }),
        "PromoteRelease" => releases.promote_release(v1::PromoteReleaseRequest {
            name: release.clone(), to_channel: channel.clone(), ..d() }),
        "SetRollout" => releases.set_rollout(v1::SetRolloutRequest { name: release.clone(), share_ppm: Some(1), ..d() }),
        "RollBackChannel" => releases.roll_back_channel(v1::RollBackChannelRequest { name: channel.clone(), platform: 1, ..d() }),
    }
    refusals
}

/// RPCs for API keys that name nothing that exists.
const NAMELESS: [&str; 3] = ["CreateApp", "GetCaller", "ListApps"];

async fn a_foreign_name_answers_like_an_absent_one_in_every_rpc(rig: Rig) {
    let ours = furnish(&rig).await;
    let foreign = rig.organization("foreign").await;
    let (key, _) = rig.key(&foreign, Role::Owner).await;
    let foreign_refusals = all_refusals(&rig, &key, &ours).await;
    let absent_refusals = all_refusals(&rig, &key, &absent(&ours)).await;
    for ((rpc, foreign), (_, absent)) in foreign_refusals.iter().zip(&absent_refusals) {
        assert_eq!(foreign.code(), tonic::Code::NotFound, "{rpc}: {foreign:?}");
        assert_eq!(foreign.message(), absent.message(), "{rpc}");
        assert_eq!(foreign.details(), absent.details(), "{rpc}");
        assert!(!format!("{foreign:?}").contains(&ours.app[5..]), "{rpc} tells the name");
    }
    let policies = Policies::read(proto::FILE_DESCRIPTOR_SET).unwrap();
    let wanted: BTreeSet<&str> = policies
        .iter()
        .filter(|(path, policy)| {
            path.starts_with("/aloft.") && policy.is_some_and(|policy| policy.admits(Principal::ApiKey))
        })
        .map(|(path, _)| path.rsplit('/').next().unwrap())
        .collect();
    let looked_at: BTreeSet<&str> = foreign_refusals.iter().map(|(rpc, _)| *rpc).chain(NAMELESS).collect();
    assert_eq!(looked_at, wanted, "every RPC is looked at");

    // A foreign thing under one's own app, and lists that hold nothing of others.
    let app = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    let own = rig.apps().create_app(with(&key, app)).await.unwrap().into_inner().app.unwrap();
    put_bundle(&rig.db, &foreign, &own.app_id, "one").await;
    for name in [&ours.bundle, &absent(&ours).bundle] {
        let name = format!("{}/bundles/{}", own.name, name.rsplit('/').next().unwrap());
        let status = rig.bundles().get_bundle(with(&key, v1::GetBundleRequest { name })).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::NotFound, "there is no such bundle"));
    }
    let listed = rig.apps().list_apps(with(&key, v1::ListAppsRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.apps, [own]);
    // Nothing of ours was changed by all those calls.
    let listed = rig.apps().list_apps(rig.ask(v1::ListAppsRequest::default())).await.unwrap().into_inner();
    assert_eq!((listed.apps.len(), listed.apps[0].etag.as_str()), (1, "r1"));
}
