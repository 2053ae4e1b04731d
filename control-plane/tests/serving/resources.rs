//! This file's job is to check apps, channels and binaries, and the rules that all resources share.

use crate::on_both_databases;
use crate::rig::{Rig, reason, sha256};
use proto::v1::{self, Reason};
use tonic::Code;

on_both_databases!(
    apps_are_made_changed_and_deleted,
    channels_are_made_changed_and_deleted,
    binaries_are_made_changed_and_deleted,
    the_same_request_id_gets_the_same_answer,
    lists_have_pages_and_tokens_are_bound,
);

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

async fn apps_are_made_changed_and_deleted(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let get = |name: &str| rig.ask(v1::GetAppRequest { name: name.into() });
    assert_eq!(rig.apps().get_app(get("apps/shop")).await.unwrap().into_inner().app, Some(app.clone()));
    let again = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    assert_eq!(reason(rig.apps().create_app(rig.ask(again)).await), Reason::AlreadyExists);
    let bad = v1::CreateAppRequest { slug: "Not A Slug".into(), ..Default::default() };
    let status = rig.apps().create_app(rig.ask(bad)).await.unwrap_err();
    assert_eq!((status.code(), proto::error::reason_of(&status)), (Code::InvalidArgument, Some(Reason::InvalidField)));

    let update = |etag: &str, paths: &[&str]| {
        let wanted = v1::App { name: app.name.clone(), display_name: "The shop".into(), ..Default::default() };
        rig.ask(v1::UpdateAppRequest { app: Some(wanted), update_mask: mask(paths), etag: etag.into() })
    };
    assert_eq!(reason(rig.apps().update_app(update("r99", &["display_name"])).await), Reason::EtagMismatch);
    assert_eq!(reason(rig.apps().update_app(update("", &["created_at_us"])).await), Reason::InvalidField);
    let changed = rig.apps().update_app(update(&app.etag, &["display_name"])).await.unwrap().into_inner().app.unwrap();
    assert_eq!((changed.display_name.as_str(), changed.slug.as_str()), ("The shop", "shop"));
    assert_ne!(changed.etag, app.etag);
    assert_eq!(reason(rig.apps().update_app(update(&app.etag, &["display_name"])).await), Reason::EtagMismatch);

    let delete = || rig.ask(v1::DeleteAppRequest { name: app.name.clone(), etag: String::new() });
    assert_eq!(reason(rig.apps().delete_app(delete()).await), Reason::InUse);
    let gone = v1::DeleteChannelRequest { name: channel.name, etag: String::new() };
    rig.channels().delete_channel(rig.ask(gone)).await.unwrap();
    rig.apps().delete_app(delete()).await.unwrap();
    assert_eq!(reason(rig.apps().get_app(get("apps/shop")).await), Reason::NotFound);
}

async fn channels_are_made_changed_and_deleted(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let get = |name: String| rig.ask(v1::GetChannelRequest { name });
    let by_name = rig.channels().get_channel(get("apps/shop/channels/production".into())).await.unwrap();
    assert_eq!(by_name.into_inner().channel, Some(channel.clone()));
    let wanted = v1::Channel { name: channel.name.clone(), blocked: true, ..Default::default() };
    let update =
        v1::UpdateChannelRequest { channel: Some(wanted), update_mask: mask(&["blocked"]), etag: channel.etag.clone() };
    let changed = rig.channels().update_channel(rig.ask(update.clone())).await.unwrap().into_inner().channel.unwrap();
    assert!(changed.blocked && changed.channel_name == "production");
    assert!(changed.snapshot_version > channel.snapshot_version);
    assert_eq!(reason(rig.channels().update_channel(rig.ask(update)).await), Reason::EtagMismatch);
    let (other, _) = rig.app("other").await;
    let id = channel.name.rsplit('/').next().unwrap();
    let elsewhere = format!("{}/channels/{id}", other.name);
    assert_eq!(reason(rig.channels().get_channel(get(elsewhere)).await), Reason::NotFound);
    let delete = v1::DeleteChannelRequest { name: format!("{}/channels/production", app.name), etag: changed.etag };
    rig.channels().delete_channel(rig.ask(delete)).await.unwrap();
    assert_eq!(reason(rig.channels().get_channel(get(channel.name)).await), Reason::NotFound);
}

async fn binaries_are_made_changed_and_deleted(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let binary = v1::Binary {
        platform: v1::Platform::Ios.into(),
        version: "1.4".into(),
        runtime_version: "exposdk:52".into(),
        ..Default::default()
    };
    let create =
        v1::CreateBinaryRequest { parent: app.name.clone(), binary: Some(binary.clone()), ..Default::default() };
    let made = rig.binaries().create_binary(rig.ask(create.clone())).await.unwrap().into_inner().binary.unwrap();
    assert_eq!(reason(rig.binaries().create_binary(rig.ask(create)).await), Reason::AlreadyExists);
    let bad = v1::Binary { version: "one".into(), ..binary };
    let bad = v1::CreateBinaryRequest { parent: app.name.clone(), binary: Some(bad), ..Default::default() };
    assert_eq!(reason(rig.binaries().create_binary(rig.ask(bad)).await), Reason::InvalidField);
    let wanted = v1::Binary { embedded_bundle: sha256(b"embedded"), ..made.clone() };
    let update = v1::UpdateBinaryRequest {
        binary: Some(wanted),
        update_mask: mask(&["embedded_bundle"]),
        etag: made.etag.clone(),
    };
    let changed = rig.binaries().update_binary(rig.ask(update)).await.unwrap().into_inner().binary.unwrap();
    assert_eq!((changed.embedded_bundle, changed.runtime_version.as_str()), (sha256(b"embedded"), "exposdk:52"));
    let delete = |etag: &str| rig.ask(v1::DeleteBinaryRequest { name: made.name.clone(), etag: etag.into() });
    assert_eq!(reason(rig.binaries().delete_binary(delete(&made.etag)).await), Reason::EtagMismatch);
    rig.binaries().delete_binary(delete(&changed.etag)).await.unwrap();
    let list = v1::ListBinariesRequest { parent: app.name, ..Default::default() };
    assert!(rig.binaries().list_binaries(rig.ask(list)).await.unwrap().into_inner().binaries.is_empty());
}

async fn the_same_request_id_gets_the_same_answer(rig: Rig) {
    let request = |slug: &str, id: &str| {
        rig.ask(v1::CreateAppRequest { slug: slug.into(), request_id: id.into(), ..Default::default() })
    };
    let (mut one, mut two, mut three) = (rig.apps(), rig.apps(), rig.apps());
    let (one, two, three) = tokio::join!(
        one.create_app(request("shop", "run-1")),
        two.create_app(request("shop", "run-1")),
        three.create_app(request("shop", "run-1")),
    );
    let first = one.unwrap().into_inner();
    assert_eq!((two.unwrap().into_inner(), three.unwrap().into_inner()), (first.clone(), first));
    assert_eq!(reason(rig.apps().create_app(request("other", "run-1")).await), Reason::RequestIdReused);
    assert_eq!(reason(rig.apps().create_app(request("x", &"i".repeat(65))).await), Reason::InvalidField);
    // Without an id the second call is a new one.
    assert_eq!(reason(rig.apps().create_app(request("shop", "")).await), Reason::AlreadyExists);
}

async fn lists_have_pages_and_tokens_are_bound(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    for name in ["b", "c", "d", "e"] {
        rig.channel_of(&app, name).await;
    }
    let list = |parent: &str, token: &str| {
        let (parent, page_token) = (parent.to_owned(), token.to_owned());
        rig.ask(v1::ListChannelsRequest { parent, page_size: 2, page_token })
    };
    let (mut names, mut token, mut first_token) = (Vec::new(), String::new(), None);
    loop {
        let page = rig.channels().list_channels(list(&app.name, &token)).await.unwrap().into_inner();
        assert!(page.channels.len() <= 2);
        names.extend(page.channels.into_iter().map(|channel| channel.channel_name));
        token = page.next_page_token;
        first_token.get_or_insert_with(|| token.clone());
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["production", "b", "c", "d", "e"]);
    let token = first_token.unwrap();
    let refused = Reason::PageTokenInvalid;
    assert_eq!(reason(rig.channels().list_channels(list("apps/shop", &token)).await), refused, "another parent");
    assert_eq!(reason(rig.channels().list_channels(list(&app.name, &token[2..])).await), refused, "changed");
    let other_list = v1::ListUploadsRequest { parent: app.name.clone(), page_size: 2, page_token: token.clone() };
    assert_eq!(reason(rig.uploads().list_uploads(rig.ask(other_list)).await), refused, "another list");
    let foreign = rig.organization("foreign").await;
    let (key, _) = rig.key(&foreign, db::Role::Owner).await;
    let replayed = crate::rig::with(&key, list(&app.name, &token).into_inner());
    assert_eq!(reason(rig.channels().list_channels(replayed).await), refused, "another caller");
}
