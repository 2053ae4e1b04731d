//! This file's job is to check what is told of the inside of bundles: differences, source maps, warnings.

use crate::on_both_databases;
use crate::rig::{Rig, put_bundle_with, put_contents, put_source_map, range, reason, with};
use bundle::{Contents, Module};
use db::Role;
use domain::Sha256;
use domain::bundle::Engine;
use domain::warning::{Warning, WarningKind};
use proto::v1::{self, BundlePolicy, ChangeKind, ChangeSubject, Platform, Reason};
use tonic_types::StatusExt as _;

on_both_databases!(
    two_releases_differ_by_their_modules,
    what_cannot_be_compared_is_refused,
    a_source_map_is_for_those_who_may_publish,
    a_channel_warns_or_refuses_as_it_says,
    bytecode_that_a_binary_cannot_run_is_told,
);

fn modules(texts: &[(&str, &str)]) -> Contents {
    let module = |(path, text): &(&str, &str)| Module {
        id: None,
        path: Some((*path).to_owned()),
        offset: None,
        size_bytes: text.len() as u64,
        content: Some(Sha256::of(text.as_bytes())),
        dependencies: Vec::new(),
    };
    Contents { modules: texts.iter().map(module).collect(), ..Contents::default() }
}

async fn diff(rig: &Rig, new: &v1::Release, old: &str, page: (i32, &str)) -> v1::DiffReleasesResponse {
    let request = v1::DiffReleasesRequest {
        name: new.name.clone(),
        old_release: old.into(),
        page_size: page.0,
        page_token: page.1.into(),
    };
    rig.releases().diff_releases(rig.ask(request)).await.unwrap().into_inner()
}

async fn two_releases_differ_by_their_modules(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (one, two) = (rig.bundle(&app, "one").await, rig.bundle(&app, "two, larger").await);
    put_contents(&rig, &one, &modules(&[("a.js", "1"), ("b.js", "2"), ("gone.js", "333")])).await;
    put_contents(&rig, &two, &modules(&[("a.js", "1"), ("b.js", "22"), ("new.js", "4444")])).await;
    rig.publish(&channel, &one).await;
    let new = rig.publish(&channel, &two).await;
    let found = diff(&rig, &new, "v1", (0, "")).await;
    assert_eq!((&found.old_bundle, &found.new_bundle, found.has_modules), (&one, &two, true));
    assert_eq!((found.before_bytes, found.after_bytes), (3, 11));
    let changes: Vec<_> = found
        .changes
        .iter()
        .map(|change| (change.subject(), change.kind(), change.name.as_str(), change.before_bytes, change.after_bytes))
        .collect();
    let module = ChangeSubject::Module;
    let expected = [
        (ChangeSubject::Launch, ChangeKind::Changed, "index.bundle", 3, 11),
        (module, ChangeKind::Changed, "b.js", 1, 2),
        (module, ChangeKind::Removed, "gone.js", 3, 0),
        (module, ChangeKind::Added, "new.js", 0, 4),
    ];
    assert_eq!(changes, expected);
    let totals: Vec<_> = found.totals.iter().map(|total| (total.subject(), total.kind(), total.count)).collect();
    assert_eq!(totals.len(), 4);
    assert!(totals.contains(&(module, ChangeKind::Added, 1)), "{totals:?}");
    // Page by page the same.
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = diff(&rig, &new, "v1", (3, &token)).await;
        assert_eq!(page.totals, found.totals);
        paged.extend(page.changes);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, found.changes);
    assert!(diff(&rig, &new, "v2", (0, "")).await.changes.is_empty(), "a release does not differ from itself");
}

async fn what_cannot_be_compared_is_refused(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (other_app, other_channel) = rig.app("other").await;
    let old = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let new = rig.publish(&channel, &rig.bundle(&app, "two").await).await;
    let foreign = rig.publish(&other_channel, &rig.bundle(&other_app, "one").await).await;
    let ask = |name: &str, old: &str| {
        let request = v1::DiffReleasesRequest { name: name.into(), old_release: old.into(), ..Default::default() };
        let (mut client, request) = (rig.releases(), rig.ask(request));
        async move { client.diff_releases(request).await }
    };
    let plain = ask(&new.name, &old.name).await.unwrap().into_inner();
    assert!(!plain.has_modules, "nothing is known of the inside");
    assert_eq!(plain.changes.len(), 1, "but of the files");
    assert_eq!(reason(ask(&new.name, "v9").await), Reason::NotFound);
    assert_eq!(reason(ask(&new.name, &foreign.name).await), Reason::InvalidField);
    let back = v1::RollBackChannelRequest {
        name: channel.name.clone(),
        platform: Platform::Android.into(),
        to: Some(v1::roll_back_channel_request::To::Embedded(true)),
        ..Default::default()
    };
    let embedded = rig.releases().roll_back_channel(rig.ask(back)).await.unwrap().into_inner().release.unwrap();
    assert_eq!(reason(ask(&embedded.name, "v1").await), Reason::InvalidField, "it brings no bundle");
    let elsewhere = rig.channel_of(&app, "staging").await;
    let same = rig.publish(&elsewhere, &new.bundle).await;
    assert!(ask(&same.name, &new.name).await.unwrap().into_inner().changes.is_empty(), "channels may differ");
}

async fn a_source_map_is_for_those_who_may_publish(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let (bundle, bare) = (rig.bundle(&app, "one").await, rig.bundle(&app, "two").await);
    let map: Vec<u8> = (0..2_500_000_u32).map(|index| (index % 251) as u8).collect();
    put_source_map(&rig, &rig.scope, &bundle, &map).await;
    let get = v1::GetBundleRequest { name: bundle.clone() };
    let shown = rig.bundles().get_bundle(rig.ask(get)).await.unwrap().into_inner().bundle.unwrap();
    let listed = shown.source_map.unwrap();
    assert_eq!((listed.path.as_str(), listed.size_bytes), ("index.bundle.map", 2_500_000));
    assert_eq!(shown.files.len(), 1, "it is no file of the bundle");

    let ask = |key: &str, name: &str| with(key, v1::DownloadSourceMapRequest { name: name.into() });
    let (developer, _) = rig.key(&rig.scope, Role::Developer).await;
    let mut stream = rig.bundles().download_source_map(ask(&developer, &bundle)).await.unwrap().into_inner();
    let (mut bytes, mut pieces) = (Vec::new(), 0);
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.data.len() <= 1 << 20);
        assert_eq!(piece.source_map.is_some(), pieces == 0);
        bytes.extend_from_slice(&piece.data);
        pieces += 1;
    }
    assert!(bytes == map && pieces == 3, "{} bytes in {pieces} pieces", bytes.len());

    let (viewer, _) = rig.key(&rig.scope, Role::Viewer).await;
    let refused = rig.bundles().download_source_map(ask(&viewer, &bundle)).await;
    assert_eq!(reason(refused.map(|_| ())), Reason::RoleInsufficient);
    let (stranger, _) = rig.key(&rig.organization("other").await, Role::Owner).await;
    let refused = rig.bundles().download_source_map(ask(&stranger, &bundle)).await;
    assert_eq!(reason(refused.map(|_| ())), Reason::NotFound);
    let refused = rig.bundles().download_source_map(ask(&developer, &bare)).await;
    assert_eq!(reason(refused.map(|_| ())), Reason::NotFound, "none came with it");
    let scope = rig.scope.clone();
    let log = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 50)).await.unwrap();
    let noted: Vec<_> = log.iter().filter(|entry| entry.action == "DownloadSourceMap").collect();
    assert_eq!(noted.iter().filter(|entry| entry.resource == bundle).count(), 1);
}

async fn set_policy(rig: &Rig, channel: &v1::Channel, policy: BundlePolicy) -> v1::Channel {
    let channel = v1::Channel { name: channel.name.clone(), bundle_policy: policy.into(), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["bundle_policy".into()] });
    let request = v1::UpdateChannelRequest { channel: Some(channel), update_mask, etag: String::new() };
    rig.channels().update_channel(rig.ask(request)).await.unwrap().into_inner().channel.unwrap()
}

async fn a_channel_warns_or_refuses_as_it_says(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    assert_eq!(channel.bundle_policy(), BundlePolicy::Warn);
    let debug = put_bundle_with(&rig.db, &rig.scope, &app.app_id, "debug", |row| {
        row.warnings = vec![Warning { kind: WarningKind::DebugBundle, message: "it is a debug bundle".into() }];
    });
    let debug = debug.await;
    let release = rig.publish(&channel, &debug).await;
    assert_eq!(release.warnings.len(), 1);
    assert_eq!(release.warnings[0].kind(), v1::WarningKind::DebugBundle);
    assert_eq!(set_policy(&rig, &channel, BundlePolicy::Refuse).await.bundle_policy(), BundlePolicy::Refuse);
    let create = v1::CreateReleaseRequest {
        parent: channel.name.clone(),
        bundle: debug.clone(),
        target: Some(range("1.x")),
        ..Default::default()
    };
    let refused = rig.releases().create_release(rig.ask(create)).await.unwrap_err();
    assert!(refused.message().contains("it is a debug bundle"), "{refused:?}");
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["warnings"], "debug-bundle");
    assert_eq!(reason(Err::<(), _>(refused)), Reason::BundleRefused);
    // A bundle without warnings is taken, and going back is never refused.
    rig.publish(&channel, &rig.bundle(&app, "fine").await).await;
    let back = v1::RollBackChannelRequest {
        name: channel.name.clone(),
        platform: Platform::Android.into(),
        ..Default::default()
    };
    let back = rig.releases().roll_back_channel(rig.ask(back)).await.unwrap().into_inner().release.unwrap();
    assert_eq!((back.bundle, back.warnings.len()), (debug, 1));
    // Neither does a promotion get around it.
    let strict = v1::CreateChannelRequest {
        parent: app.name.clone(),
        channel_name: "strict".into(),
        bundle_policy: BundlePolicy::Refuse.into(),
        ..Default::default()
    };
    let strict = rig.channels().create_channel(rig.ask(strict)).await.unwrap().into_inner().channel.unwrap();
    let promote = v1::PromoteReleaseRequest { name: release.name, to_channel: strict.name, ..Default::default() };
    assert_eq!(reason(rig.releases().promote_release(rig.ask(promote)).await), Reason::BundleRefused);
}

async fn bytecode_that_a_binary_cannot_run_is_told(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let hermes = |version: u32| {
        move |row: &mut db::bundles::Bundle| {
            row.engine = Engine::Hermes;
            row.hermes_version = Some(version);
        }
    };
    let old = put_bundle_with(&rig.db, &rig.scope, &app.app_id, "old", hermes(96)).await;
    let new = put_bundle_with(&rig.db, &rig.scope, &app.app_id, "new", hermes(98)).await;
    let get = v1::GetBundleRequest { name: old.clone() };
    let embedded = rig.bundles().get_bundle(rig.ask(get)).await.unwrap().into_inner().bundle.unwrap().content_sha256;
    let binary = |version: &str, hermes_version, embedded_bundle| {
        let binary = v1::Binary {
            platform: Platform::Android.into(),
            version: version.into(),
            hermes_version,
            embedded_bundle,
            ..Default::default()
        };
        rig.ask(v1::CreateBinaryRequest { parent: app.name.clone(), binary: Some(binary), ..Default::default() })
    };
    // The first says what it runs by its embedded bundle, the second by itself, of the third nothing is known.
    rig.binaries().create_binary(binary("1.0.0", 0, embedded)).await.unwrap();
    let second = rig.binaries().create_binary(binary("2.0.0", 98, Default::default())).await.unwrap();
    assert_eq!(second.into_inner().binary.unwrap().hermes_version, 98);
    rig.binaries().create_binary(binary("1.5.0", 0, Default::default())).await.unwrap();
    set_policy(&rig, &channel, BundlePolicy::Refuse).await;
    let publish = |bundle: &str, target: &str| {
        rig.ask(v1::CreateReleaseRequest {
            parent: channel.name.clone(),
            bundle: bundle.into(),
            target: Some(range(target)),
            ..Default::default()
        })
    };
    let release = rig.releases().create_release(publish(&old, "1.x")).await.unwrap().into_inner().release.unwrap();
    assert_eq!(release.warnings, []);
    rig.releases().create_release(publish(&new, "2.x")).await.unwrap();
    let refused = rig.releases().create_release(publish(&new, "1.x")).await.unwrap_err();
    assert!(refused.message().contains("Hermes bytecode 98; binary 1.0.0 runs 96"), "{refused:?}");
    assert_eq!(reason(Err::<(), _>(refused)), Reason::BundleRefused);
    // A wider target is another question.
    let wider = |etag: &str| {
        let release = v1::Release { name: release.name.clone(), target: Some(range("*")), ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["target".into()] });
        rig.ask(v1::UpdateReleaseRequest { release: Some(release), update_mask, etag: etag.into() })
    };
    assert_eq!(reason(rig.releases().update_release(wider("")).await), Reason::BundleRefused);
    set_policy(&rig, &channel, BundlePolicy::Warn).await;
    let warned = rig.releases().update_release(wider("")).await.unwrap().into_inner().release.unwrap();
    assert_eq!(warned.warnings[0].kind(), v1::WarningKind::HermesVersion);
}
