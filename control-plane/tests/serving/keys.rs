//! This file's job is to check the life of API keys: made, limited, rolled, ended.

use crate::on_both_databases;
use crate::rig::{PATIENCE, Rig, config, now, reason, serve, serve_with, with};
use db::Role;
use domain::Environment;
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use std::time::{Duration, Instant};
use tonic::Code;

on_both_databases!(
    a_new_key_works_and_is_shown_once,
    nobody_gives_a_key_more_than_they_have,
    a_limited_key_reaches_its_apps_and_actions_only,
    live_and_test_keys_never_see_each_others_channels,
    a_test_key_deletes_no_app_that_has_live_channels,
    a_rolled_key_lives_on_for_as_long_as_was_asked,
    a_key_gets_another_name_and_end_and_nothing_else,
    a_revoked_key_is_dead_on_every_replica,
    a_clock_that_jumps_brings_no_key_back_that_was_revoked,
    the_last_use_of_a_key_is_written_down,
    ten_thousand_keys_are_enough,
);

fn create(name: &str, role: &str) -> v1::CreateApiKeyRequest {
    v1::CreateApiKeyRequest {
        display_name: name.into(),
        role: role.into(),
        environment: v1::Environment::Live.into(),
        ..Default::default()
    }
}

async fn make(rig: &Rig, by: &str, request: v1::CreateApiKeyRequest) -> (v1::ApiKey, String) {
    let made = rig.keys().create_api_key(with(by, request)).await.unwrap().into_inner();
    (made.api_key.unwrap(), made.secret)
}

async fn works(rig: &Rig, key: &str) -> bool {
    rig.accounts().get_caller(with(key, v1::GetCallerRequest {})).await.is_ok()
}

async fn a_new_key_works_and_is_shown_once(rig: Rig) {
    let (key, secret) = make(&rig, &rig.key, create("ci", "developer")).await;
    let caller = rig.accounts().get_caller(with(&secret, v1::GetCallerRequest {})).await.unwrap().into_inner();
    assert_eq!((caller.role.as_str(), &caller.credential), ("developer", &key.public_id));
    let listed = rig.keys().list_api_keys(rig.ask(v1::ListApiKeysRequest::default())).await.unwrap().into_inner();
    assert!(listed.api_keys.contains(&key));
    assert!(!format!("{listed:?}").contains(&secret[17..]), "no list shows a secret");
    for (name, role, expires_at_us) in [("", "viewer", 0), ("x", "boss", 0), ("x", "viewer", 1), ("x", "viewer", -1)] {
        let request = v1::CreateApiKeyRequest { expires_at_us, ..create(name, role) };
        assert_eq!(reason(rig.keys().create_api_key(rig.ask(request)).await), Reason::InvalidField);
    }
    let unknown = v1::CreateApiKeyRequest { actions: vec!["release.destroy".into()], ..create("x", "viewer") };
    assert_eq!(reason(rig.keys().create_api_key(rig.ask(unknown)).await), Reason::InvalidField);
}

async fn nobody_gives_a_key_more_than_they_have(rig: Rig) {
    let (admin, _) = rig.key(&rig.scope, Role::Admin).await;
    assert_eq!(reason(rig.keys().create_api_key(with(&admin, create("x", "owner"))).await), Reason::RoleInsufficient);
    make(&rig, &admin, create("x", "admin")).await;
    let limit =
        |row: &mut db::api_keys::ApiKey| row.scopes = vec!["action:api_key.admin".into(), "action:*.read".into()];
    let (narrow, _) = rig.issue(&rig.scope, Environment::Live, &limit).await;
    assert_eq!(reason(rig.keys().create_api_key(with(&narrow, create("x", "viewer"))).await), Reason::RoleInsufficient);
    let readable = v1::CreateApiKeyRequest { actions: vec!["release.read".into()], ..create("x", "viewer") };
    make(&rig, &narrow, readable).await;
    let (trial, _) = rig.issue(&rig.scope, Environment::Test, &|_| ()).await;
    assert_eq!(reason(rig.keys().create_api_key(with(&trial, create("x", "viewer"))).await), Reason::RoleInsufficient);
    // Rolling is no way round it.
    let (_, owners) = rig.key(&rig.scope, Role::Owner).await;
    let roll = v1::RollApiKeyRequest { name: format!("keys/{owners}"), keep_seconds: 0 };
    assert_eq!(reason(rig.keys().roll_api_key(with(&admin, roll)).await), Reason::RoleInsufficient);
}

async fn a_limited_key_reaches_its_apps_and_actions_only(rig: Rig) {
    let (shop, _) = rig.app("shop").await;
    let (other, _) = rig.app("other").await;
    let request = v1::CreateApiKeyRequest {
        apps: vec!["shop".into()],
        actions: vec!["channel.admin".into(), "*.read".into()],
        ..create("ci", "admin")
    };
    let (key, secret) = make(&rig, &rig.key, request).await;
    assert_eq!(key.apps, [shop.app_id.as_str()]);
    let listed = rig.apps().list_apps(with(&secret, v1::ListAppsRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.apps.iter().map(|app| app.slug.as_str()).collect::<Vec<_>>(), ["shop"]);
    let foreign = rig.apps().get_app(with(&secret, v1::GetAppRequest { name: other.name.clone() })).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    let channel = |parent: &str| v1::CreateChannelRequest {
        parent: parent.into(),
        channel_name: "beta".into(),
        ..Default::default()
    };
    rig.channels().create_channel(with(&secret, channel(&shop.name))).await.unwrap();
    assert_eq!(reason(rig.channels().create_channel(with(&secret, channel(&other.name))).await), Reason::NotFound);
    let app = v1::CreateAppRequest { slug: "new".into(), ..Default::default() };
    assert_eq!(reason(rig.apps().create_app(with(&secret, app)).await), Reason::RoleInsufficient);
    assert_eq!(
        reason(rig.keys().list_api_keys(with(&secret, v1::ListApiKeysRequest::default())).await),
        Reason::RoleInsufficient
    );
}

async fn live_and_test_keys_never_see_each_others_channels(rig: Rig) {
    let (app, live) = rig.app("shop").await;
    let (trial, _) = rig.issue(&rig.scope, Environment::Test, &|_| ()).await;
    let make = |name: &str, environment: v1::Environment| v1::CreateChannelRequest {
        parent: app.name.clone(),
        channel_name: name.into(),
        environment: environment.into(),
        ..Default::default()
    };
    let made = rig.channels().create_channel(with(&trial, make("trial", v1::Environment::Unspecified))).await;
    let made = made.unwrap().into_inner().channel.unwrap();
    assert_eq!(made.environment(), v1::Environment::Test);
    let refused = rig.channels().create_channel(with(&trial, make("x", v1::Environment::Live))).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    for (key, own, other) in [(&trial, &made, &live), (&rig.key, &live, &made)] {
        let list = v1::ListChannelsRequest { parent: app.name.clone(), ..Default::default() };
        let listed = rig.channels().list_channels(with(key, list)).await.unwrap().into_inner().channels;
        assert_eq!(listed.iter().map(|channel| &channel.name).collect::<Vec<_>>(), [&own.name]);
        let get = v1::GetChannelRequest { name: other.name.clone() };
        assert_eq!(rig.channels().get_channel(with(key, get)).await.unwrap_err().code(), Code::NotFound);
        let named = v1::GetChannelRequest { name: format!("{}/channels/{}", app.name, other.channel_name) };
        assert_eq!(rig.channels().get_channel(with(key, named)).await.unwrap_err().code(), Code::NotFound);
        let releases = v1::ListReleasesRequest { parent: other.name.clone(), ..Default::default() };
        assert_eq!(rig.releases().list_releases(with(key, releases)).await.unwrap_err().code(), Code::NotFound);
    }
    // A test key manages test keys only.
    let listed = rig.keys().list_api_keys(with(&trial, v1::ListApiKeysRequest::default())).await.unwrap().into_inner();
    assert!(listed.api_keys.iter().all(|key| key.environment() == v1::Environment::Test));
}

async fn a_test_key_deletes_no_app_that_has_live_channels(rig: Rig) {
    let (app, live) = rig.app("shop").await;
    let (trial, _) = rig.issue(&rig.scope, Environment::Test, &|_| ()).await;
    let delete = || v1::DeleteAppRequest { name: app.name.clone(), ..Default::default() };
    assert_eq!(reason(rig.apps().delete_app(with(&trial, delete())).await), Reason::InUse);
    rig.channels().get_channel(rig.ask(v1::GetChannelRequest { name: live.name })).await.unwrap();
}

async fn a_rolled_key_lives_on_for_as_long_as_was_asked(rig: Rig) {
    let (old, secret) = make(&rig, &rig.key, create("ci", "viewer")).await;
    assert!(works(&rig, &secret).await);
    let roll = |name: &str, keep_seconds| v1::RollApiKeyRequest { name: name.into(), keep_seconds };
    let rolled = rig.keys().roll_api_key(rig.ask(roll(&old.name, 3_600))).await.unwrap().into_inner();
    let new = rolled.api_key.unwrap();
    assert_eq!((new.role.as_str(), new.display_name.as_str()), ("viewer", "ci"));
    assert!(works(&rig, &rolled.secret).await && works(&rig, &secret).await);
    let old = rig
        .keys()
        .get_api_key(rig.ask(v1::GetApiKeyRequest { name: old.name }))
        .await
        .unwrap()
        .into_inner()
        .api_key
        .unwrap();
    let left = old.expires_at_us - now().as_us();
    assert!((3_500_000_000..=3_600_000_000).contains(&left), "{left}");
    // Again, without grace: the memory of the key is gone as well.
    rig.keys().roll_api_key(rig.ask(roll(&old.name, 0))).await.unwrap();
    let begun = Instant::now();
    while works(&rig, &secret).await {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    assert_eq!(reason(rig.keys().roll_api_key(rig.ask(roll(&old.name, 0))).await), Reason::KeyEnded);
    assert_eq!(reason(rig.keys().roll_api_key(rig.ask(roll(&new.name, -1))).await), Reason::InvalidField);
    assert_eq!(reason(rig.keys().roll_api_key(rig.ask(roll(&new.name, 2_592_001))).await), Reason::InvalidField);
}

async fn a_key_gets_another_name_and_end_and_nothing_else(rig: Rig) {
    let (before, secret) = make(&rig, &rig.key, create("ci", "viewer")).await;
    let update = |key: v1::ApiKey, paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        v1::UpdateApiKeyRequest { api_key: Some(key), update_mask: Some(prost_types::FieldMask { paths }) }
    };
    let end_us = now().as_us() + 3_600_000_000;
    let wanted = v1::ApiKey {
        display_name: "builds".into(),
        expires_at_us: end_us,
        role: "owner".into(),
        name: before.name.clone(),
        ..Default::default()
    };
    let both = ["display_name", "expires_at_us"];
    let after = rig.keys().update_api_key(rig.ask(update(wanted.clone(), &both))).await.unwrap().into_inner();
    let expected = v1::ApiKey { display_name: "builds".into(), expires_at_us: end_us, ..before.clone() };
    assert_eq!(after.api_key, Some(expected));
    assert!(works(&rig, &secret).await);
    for (key, paths) in [
        (wanted.clone(), &["role"][..]),
        (wanted.clone(), &[]),
        (v1::ApiKey { display_name: String::new(), ..wanted.clone() }, &both),
        (v1::ApiKey { expires_at_us: 1, ..wanted.clone() }, &both),
    ] {
        let refused = rig.keys().update_api_key(rig.ask(update(key, paths))).await;
        assert_eq!(reason(refused), Reason::InvalidField, "{paths:?}");
    }
    // Nobody lets a key live longer that carries more than they do.
    let (admin, _) = rig.key(&rig.scope, Role::Admin).await;
    let (_, owners) = rig.key(&rig.scope, Role::Owner).await;
    let above = v1::ApiKey { name: format!("keys/{owners}"), ..wanted.clone() };
    let refused = rig.keys().update_api_key(with(&admin, update(above, &both))).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    rig.keys().revoke_api_key(rig.ask(v1::RevokeApiKeyRequest { name: before.name })).await.unwrap();
    assert_eq!(reason(rig.keys().update_api_key(rig.ask(update(wanted, &both))).await), Reason::KeyEnded);
}

/// That one look is enough, and how often there is one, is checked where it is: in `auth/watch.rs` and `config.rs`. How long all of that
/// takes on a loaded machine is not for a test to say.
async fn a_revoked_key_is_dead_on_every_replica(rig: Rig) {
    let (second, _control_plane) = serve(&rig.db, &rig.store).await;
    let (key, secret) = make(&rig, &rig.key, create("ci", "viewer")).await;
    let mut clients = [rig.accounts(), v1::account_service_client::AccountServiceClient::new(second.channel.clone())];
    for client in &mut clients {
        client.get_caller(with(&secret, v1::GetCallerRequest {})).await.unwrap();
    }
    rig.keys().revoke_api_key(rig.ask(v1::RevokeApiKeyRequest { name: key.name })).await.unwrap();
    let revoked = Instant::now();
    for client in &mut clients {
        while client.get_caller(with(&secret, v1::GetCallerRequest {})).await.is_ok() {
            assert!(revoked.elapsed() < PATIENCE);
            tokio::task::yield_now().await;
        }
    }
    assert!(works(&rig, &rig.key).await);
}

async fn the_last_use_of_a_key_is_written_down(rig: Rig) {
    let (key, secret) = make(&rig, &rig.key, create("ci", "viewer")).await;
    assert_eq!(key.last_used_at_us, 0);
    assert!(works(&rig, &secret).await);
    // A stopping replica writes down what it knows.
    let rig = rig.restart().await;
    let begun = Instant::now();
    loop {
        let get = v1::GetApiKeyRequest { name: key.name.clone() };
        let found = rig.keys().get_api_key(rig.ask(get)).await.unwrap().into_inner().api_key.unwrap();
        if found.last_used_at_us >= key.created_at_us {
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

async fn ten_thousand_keys_are_enough(rig: Rig) {
    let scope = rig.organization("large").await;
    let (owner, _) = rig.key(&scope, Role::Owner).await;
    let organization = scope.organization().clone();
    let fill = rig.db.write(move |tx| {
        for number in 1..10_000_u32 {
            let key = control_plane::ApiKey::generate(Environment::Live);
            let row = db::api_keys::ApiKey {
                id: domain::id::ApiKeyId::from_parts(now(), runtime::random::bytes()),
                organization: organization.clone(),
                public_id: key.public_id().to_owned(),
                secret_bcrypt: "$2b$12$x".into(),
                name: format!("key {number}"),
                role: Role::Viewer,
                scopes: Vec::new(),
                created_by: "test".into(),
                created_at: now(),
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            };
            db::api_keys::insert(tx, &row)?;
        }
        Ok(())
    });
    fill.await.unwrap();
    assert!(works(&rig, &owner).await, "one of many is found");
    assert_eq!(reason(rig.keys().create_api_key(with(&owner, create("one more", "viewer"))).await), Reason::CountLimit);
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let list = v1::ListApiKeysRequest { page_size: 1_000, page_token };
        let page = rig.keys().list_api_keys(with(&owner, list)).await.unwrap().into_inner();
        count += page.api_keys.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(count, 10_000);
}

async fn a_clock_that_jumps_brings_no_key_back_that_was_revoked(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _control_plane) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let hour = Duration::from_secs(3_600);
    let expires_at_us = clock.now().plus(hour).as_us();
    let (_, expiring) = make(&rig, &rig.key, v1::CreateApiKeyRequest { expires_at_us, ..create("a", "viewer") }).await;
    let (revoked, secret) = make(&rig, &rig.key, create("b", "viewer")).await;
    assert!(works(&rig, &expiring).await && works(&rig, &secret).await);
    clock.advance(hour);
    assert!(!works(&rig, &expiring).await);
    rig.keys().revoke_api_key(rig.ask(v1::RevokeApiKeyRequest { name: revoked.name })).await.unwrap();
    let begun = Instant::now();
    while works(&rig, &secret).await {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    clock.turn_back(hour * 48);
    assert!(!works(&rig, &secret).await, "revoked in what is the future now");
    assert!(works(&rig, &expiring).await, "its time has not come yet");
    clock.advance(hour * 49);
    assert!(!works(&rig, &expiring).await && !works(&rig, &secret).await);
    assert!(works(&rig, &rig.key).await);
}
