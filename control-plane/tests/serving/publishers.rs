//! This file's job is to check the exchange of workflows' identities for keys, with an issuer that runs here and signs for real.

use crate::issuer::{Algorithm, Issuer};
use crate::on_both_databases;
use crate::rig::{Rig, config, now, range, reason, serve_with, with};
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use serde_json::{Value, json};
use std::time::Duration;
use tonic::Status;

on_both_databases!(
    a_workflow_publishes_to_its_channel_for_fifteen_minutes,
    a_token_is_used_once,
    only_tokens_that_are_signed_meant_for_us_and_in_time_are_believed,
    the_ids_of_repository_and_owner_count_and_not_their_names,
    unreviewed_code_gets_no_key,
    keys_that_the_issuer_changes_are_found_and_unknown_ones_do_not_make_it_busy,
    an_issuer_that_is_away_is_told_as_such,
    a_publisher_is_gone_for_tokens_to_come,
    old_keys_of_workflows_are_swept,
);

/// An app whose channel trusts a workflow of an issuer that runs here.
struct World {
    rig: Rig,
    clock: Clock,
    issuer: Issuer,
    audience: String,
    app: v1::App,
    channel: v1::Channel,
    publisher: v1::TrustedPublisher,
}

fn request(app: &v1::App, channel: &v1::Channel, issuer: &Issuer) -> v1::CreateTrustedPublisherRequest {
    v1::CreateTrustedPublisherRequest {
        parent: app.name.clone(),
        channel: channel.name.clone(),
        issuer: issuer.url.clone(),
        repository: "acme/shop".into(),
        repository_id: "74".into(),
        owner_id: "65".into(),
        workflow: ".github/workflows/release.yml".into(),
        ..Default::default()
    }
}

impl World {
    async fn new(rig: Rig) -> Self {
        let clock = Clock::manual(now());
        let issuer = Issuer::start().await;
        let config = control_plane::Config { github_issuers: vec![issuer.url.clone()], ..config() };
        let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config).await;
        let rig = rig.served_by(server);
        let (app, channel) = rig.app("shop").await;
        let request = request(&app, &channel, &issuer);
        let made = rig.publishers().create_trusted_publisher(rig.ask(request)).await.unwrap();
        let publisher = made.into_inner().trusted_publisher.unwrap();
        let audience = format!("http://{}", rig.server.address);
        Self { rig, clock, issuer, audience, app, channel, publisher }
    }

    /// What GitHub says of a run, changed.
    fn claims(&self, changes: Value) -> Value {
        let seconds = self.clock.now().as_us() / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer.url, "aud": self.audience, "iat": seconds, "nbf": seconds, "exp": seconds + 300,
            "jti": hex::encode(runtime::random::bytes::<8>()), "repository": "acme/shop", "repository_id": "74",
            "repository_owner_id": "65", "event_name": "push", "ref": "refs/heads/main", "run_id": "9", "sha": "abc",
            "workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main",
        });
        let changes = changes.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(changes);
        claims
    }

    async fn exchange(&self, token: &str) -> Result<v1::ExchangeTokenResponse, Status> {
        let request = v1::ExchangeTokenRequest { id_token: token.into(), channel: String::new() };
        self.rig.publishers().exchange_token(request).await.map(tonic::Response::into_inner)
    }

    async fn exchange_claims(&self, changes: Value) -> Result<v1::ExchangeTokenResponse, Status> {
        self.exchange(&self.issuer.sign(Algorithm::RS256, &self.claims(changes))).await
    }
}

async fn a_workflow_publishes_to_its_channel_for_fifteen_minutes(rig: Rig) {
    let world = World::new(rig).await;
    let (rig, app) = (&world.rig, &world.app);
    let other = rig.channel_of(app, "staging").await;
    let bundle = rig.bundle(app, "content").await;
    let key = world.exchange_claims(json!({})).await.unwrap();
    assert_eq!(key.channel, world.channel.name);
    assert_eq!(key.expires_at_us, world.clock.now().plus(Duration::from_secs(900)).as_us());
    let publish = async |channel: &v1::Channel| {
        let request = v1::CreateReleaseRequest {
            parent: channel.name.clone(),
            bundle: bundle.clone(),
            target: Some(range("1.x")),
            ..Default::default()
        };
        rig.releases().create_release(with(&key.secret, request)).await
    };
    assert_eq!(publish(&world.channel).await.unwrap().into_inner().release.unwrap().label, "v1");
    assert_eq!(reason(publish(&other).await), Reason::NotFound, "another channel");
    let make_key = v1::CreateApiKeyRequest {
        display_name: "x".into(),
        role: "viewer".into(),
        environment: 1,
        ..Default::default()
    };
    assert_eq!(reason(rig.keys().create_api_key(with(&key.secret, make_key)).await), Reason::RoleInsufficient);
    let upload = v1::CreateUploadRequest {
        parent: app.name.clone(),
        platform: 1,
        archive_format: 1,
        archive_size_bytes: 5,
        archive_sha256: crate::rig::sha256(b"other"),
        ..Default::default()
    };
    rig.uploads().create_upload(with(&key.secret, upload)).await.unwrap();
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(reason(publish(&world.channel).await), Reason::CredentialInvalid);
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 20)).await.unwrap();
    let entry = audit.iter().find(|entry| entry.action == "ExchangeToken").unwrap();
    assert!(entry.detail.contains("\"commit\":\"abc\"") && entry.actor_kind == "workflow", "{entry:?}");
}

async fn a_token_is_used_once(rig: Rig) {
    let world = World::new(rig).await;
    let token = world.issuer.sign(Algorithm::ES256, &world.claims(json!({})));
    let (one, two) = tokio::join!(world.exchange(&token), world.exchange(&token));
    assert!(one.is_ok() != two.is_ok(), "of two who use it at once, one gets a key");
    assert_eq!(reason(world.exchange(&token).await), Reason::TokenRefused);
    world.clock.advance(Duration::from_secs(359));
    assert_eq!(reason(world.exchange(&token).await), Reason::TokenRefused, "within the leeway");
    let sweep = world.clock.now();
    world.rig.db.write(move |tx| db::publishers::trim(tx, sweep, sweep)).await.unwrap();
    let late = world.exchange(&token).await.unwrap_err();
    assert!(late.message().contains("used"), "it is remembered while it could be believed: {late:?}");
}

async fn only_tokens_that_are_signed_meant_for_us_and_in_time_are_believed(rig: Rig) {
    let world = World::new(rig).await;
    let seconds = world.clock.now().as_us() / 1_000_000;
    let good = world.issuer.sign(Algorithm::RS256, &world.claims(json!({})));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = signed.split_once('.').unwrap();
    let stranger = Issuer::start().await;
    for (why, token) in [
        ("a changed signature", format!("{signed}.{}", signature.chars().rev().collect::<String>())),
        ("a changed body", format!("{header}.{}.{signature}", body.replacen('I', "J", 1))),
        ("no signature", format!("{signed}.")),
        ("truncated", good[..good.len() - 20].to_owned()),
        ("another issuer's key of the same id", stranger.sign(Algorithm::ES256, &world.claims(json!({})))),
        ("an unknown issuer", stranger.sign(Algorithm::RS256, &world.claims(json!({"iss": stranger.url})))),
        (
            "another audience",
            world.issuer.sign(Algorithm::RS256, &world.claims(json!({"aud": "https://other.example"}))),
        ),
        ("expired", world.issuer.sign(Algorithm::RS256, &world.claims(json!({"exp": seconds - 61})))),
        ("not yet", world.issuer.sign(Algorithm::RS256, &world.claims(json!({"nbf": seconds + 120})))),
        ("made in the future", world.issuer.sign(Algorithm::RS256, &world.claims(json!({"iat": seconds + 120})))),
        ("for ever", world.issuer.sign(Algorithm::RS256, &world.claims(json!({"exp": seconds + 200_000})))),
        ("without an id", world.issuer.sign(Algorithm::RS256, &world.claims(json!({"jti": null})))),
        ("not signed", world.issuer.unsigned(&world.claims(json!({})))),
        ("the key's kind is another", world.issuer.mislabelled(&world.claims(json!({})))),
        ("nothing", String::new()),
        ("an API key", world.rig.key.clone()),
    ] {
        let refused = world.exchange(&token).await.unwrap_err();
        assert_eq!(proto::error::reason_of(&refused), Some(Reason::TokenRefused), "{why}: {refused:?}");
        assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{why}");
    }
    assert!(world.exchange(&good).await.is_ok(), "the control");
}

async fn the_ids_of_repository_and_owner_count_and_not_their_names(rig: Rig) {
    let world = World::new(rig).await;
    assert!(
        world
            .exchange_claims(json!({
                "repository": "acme/renamed",
                "workflow_ref": "acme/renamed/.github/workflows/release.yml@refs/heads/main"
            }))
            .await
            .is_ok()
    );
    for changes in [
        json!({"repository_id": "75"}),
        json!({"repository_owner_id": "66"}),
        json!({"workflow_ref": "acme/shop/.github/workflows/other.yml@refs/heads/main"}),
    ] {
        let refused = world.exchange_claims(changes.clone()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{changes}: {refused:?}");
    }
    let narrow = v1::CreateTrustedPublisherRequest {
        repository_id: "80".into(),
        environment: "production".into(),
        r#ref: "refs/heads/main".into(),
        ..request(&world.app, &world.channel, &world.issuer)
    };
    world.rig.publishers().create_trusted_publisher(world.rig.ask(narrow)).await.unwrap();
    let run = async |environment: &str, branch: &str| {
        let changes = json!({"repository_id": "80", "environment": environment, "ref": format!("refs/heads/{branch}")});
        world.exchange_claims(changes).await.is_ok()
    };
    assert!(run("production", "main").await);
    assert!(!run("staging", "main").await && !run("production", "feature").await);
}

async fn unreviewed_code_gets_no_key(rig: Rig) {
    let world = World::new(rig).await;
    for event in ["pull_request_target", "workflow_run"] {
        assert_eq!(reason(world.exchange_claims(json!({"event_name": event})).await), Reason::TokenRefused, "{event}");
    }
    world.rig.suspend(&world.rig.scope, true).await;
    assert_eq!(reason(world.exchange_claims(json!({})).await), Reason::OrganizationSuspended);
}

async fn keys_that_the_issuer_changes_are_found_and_unknown_ones_do_not_make_it_busy(rig: Rig) {
    let world = World::new(rig).await;
    assert!(world.exchange_claims(json!({})).await.is_ok());
    let before = world.issuer.asked();
    world.issuer.rotate();
    for _ in 0..10 {
        assert_eq!(reason(world.exchange_claims(json!({})).await), Reason::TokenRefused);
    }
    assert_eq!(world.issuer.asked(), before, "asked less than a minute ago");
    world.clock.advance(Duration::from_secs(61));
    let token = world.issuer.sign(Algorithm::RS256, &world.claims(json!({})));
    assert!(world.exchange(&token).await.is_ok(), "the new key is found");
    assert_eq!(world.issuer.asked(), before + 1);
}

async fn an_issuer_that_is_away_is_told_as_such(rig: Rig) {
    let world = World::new(rig).await;
    let token = world.issuer.sign(Algorithm::RS256, &world.claims(json!({})));
    world.issuer.fail(true);
    assert_eq!(reason(world.exchange(&token).await), Reason::Unavailable);
    world.issuer.fail(false);
    assert!(world.exchange(&token).await.is_ok(), "the token was not used up");
}

async fn a_publisher_is_gone_for_tokens_to_come(rig: Rig) {
    let world = World::new(rig).await;
    let list = async || {
        let request = v1::ListTrustedPublishersRequest { parent: world.app.name.clone() };
        world
            .rig
            .publishers()
            .list_trusted_publishers(world.rig.ask(request))
            .await
            .unwrap()
            .into_inner()
            .trusted_publishers
    };
    assert_eq!(list().await, std::slice::from_ref(&world.publisher));
    let request = v1::DeleteTrustedPublisherRequest { name: world.publisher.name.clone() };
    world.rig.publishers().delete_trusted_publisher(world.rig.ask(request)).await.unwrap();
    assert_eq!(list().await, []);
    assert_eq!(reason(world.exchange_claims(json!({})).await), Reason::TokenRefused);
}

async fn old_keys_of_workflows_are_swept(rig: Rig) {
    let world = World::new(rig).await;
    world.exchange_claims(json!({})).await.unwrap();
    let scope = world.rig.scope.clone();
    let count = async || {
        let scope = scope.clone();
        world.rig.db.read(move |conn| db::api_keys::list(conn, &scope, None, 10)).await.unwrap().len()
    };
    assert_eq!(count().await, 2, "the first key and the workflow's");
    let later = world.clock.now().plus(Duration::from_secs(901));
    world.rig.db.write(move |tx| db::publishers::trim(tx, later, later)).await.unwrap();
    assert_eq!(count().await, 1);
}
