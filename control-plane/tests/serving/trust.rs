//! This file's job is to check sealed credentials, their master keys, and operators who are people.

use crate::browser::{Browser, PASSWORD};
use crate::on_both_databases;
use crate::rig::{OPERATOR_TOKEN, Rig, config, now, reason, serve_with, with};
use db::Role;
use db::members::Member;
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use runtime::secret::Secret;

on_both_databases!(
    a_secret_goes_in_and_never_comes_out,
    a_new_master_key_takes_over_and_the_old_one_can_go,
    operators_are_people_with_a_verified_address_of_the_domain,
);

const SECRET: &str = "a-very-secret-store-token";

async fn create(rig: &Rig, app: &v1::App, name: &str) -> v1::Credential {
    let request = v1::CreateCredentialRequest {
        parent: app.name.clone(),
        kind: "store-token".into(),
        display_name: name.into(),
        secret: SECRET.into(),
    };
    rig.credentials().create_credential(rig.ask(request)).await.unwrap().into_inner().credential.unwrap()
}

async fn stored(rig: &Rig, app: &v1::App) -> Vec<db::credentials::Credential> {
    let (scope, app) = (rig.scope.clone(), app.app_id.parse().unwrap());
    rig.db.read(move |conn| db::credentials::list(conn, &scope, &app)).await.unwrap()
}

async fn a_secret_goes_in_and_never_comes_out(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let made = create(&rig, &app, "play").await;
    let taken = v1::CreateCredentialRequest {
        parent: app.name.clone(),
        kind: "store-token".into(),
        display_name: "play".into(),
        secret: "x".into(),
    };
    assert_eq!(reason(rig.credentials().create_credential(rig.ask(taken.clone())).await), Reason::AlreadyExists);
    for (kind, secret) in [("password", "x"), ("store-token", ""), ("store-token", &*"x".repeat(12_289))] {
        let display_name = "other".into();
        let bad = v1::CreateCredentialRequest {
            kind: kind.into(),
            secret: secret.to_owned().into(),
            display_name,
            ..taken.clone()
        };
        assert_eq!(reason(rig.credentials().create_credential(rig.ask(bad)).await), Reason::InvalidField, "{kind}");
    }
    let list = v1::ListCredentialsRequest { parent: app.name.clone() };
    let listed = rig.credentials().list_credentials(rig.ask(list)).await.unwrap().into_inner();
    assert_eq!(listed.credentials, std::slice::from_ref(&made));
    let rows = stored(&rig, &app).await;
    let replace = v1::ReplaceCredentialRequest { name: made.name.clone(), secret: "another".into() };
    let replaced = rig.credentials().replace_credential(rig.ask(replace)).await.unwrap().into_inner();
    assert_ne!(stored(&rig, &app).await[0].sealed_secret, rows[0].sealed_secret);
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 10)).await.unwrap();
    assert_eq!((audit[0].action.as_str(), audit[1].action.as_str()), ("ReplaceCredential", "CreateCredential"));
    for text in
        [format!("{made:?}"), format!("{listed:?}"), format!("{replaced:?}"), format!("{audit:?}"), format!("{rows:?}")]
    {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(!rows[0].sealed_secret.windows(6).any(|bytes| bytes == &SECRET.as_bytes()[..6]));
    let delete = v1::DeleteCredentialRequest { name: made.name };
    rig.credentials().delete_credential(rig.ask(delete)).await.unwrap();
    assert!(stored(&rig, &app).await.is_empty());
}

fn keys(ids: &[&str]) -> control_plane::Config {
    let master_keys = ids.iter().map(|id| Secret::from(format!("{id}:{}", id.repeat(64)))).collect();
    control_plane::Config { master_keys, ..config() }
}

async fn a_new_master_key_takes_over_and_the_old_one_can_go(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    for number in 0..3 {
        create(&rig, &app, &format!("before-{number}")).await;
    }
    let browser = rig.sign_up("pat@example.com").await;
    let begin = v1::BeginSecondStepRequest { password: PASSWORD.into() };
    rig.person().begin_second_step(browser.ask(begin)).await.unwrap();
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), keys(&["a"])).await;
    let rig = rig.served_by(server);
    create(&rig, &app, "after").await;
    let used = async |rig: &Rig| stored(rig, &app).await.into_iter().map(|row| row.master_key).collect::<Vec<_>>();
    assert_eq!(used(&rig).await, ["pepper", "pepper", "pepper", "a"]);
    let reseal = async |rig: &Rig| {
        let answer = rig.operator().reseal_secrets(with(OPERATOR_TOKEN, v1::ResealSecretsRequest {})).await;
        answer.map(|answer| answer.into_inner().resealed)
    };
    assert_eq!(reseal(&rig).await.unwrap(), 4, "three credentials and a second step");
    assert_eq!(used(&rig).await, ["a"; 4]);
    assert_eq!(reseal(&rig).await.unwrap(), 0);
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 1)).await.unwrap();
    assert_eq!((audit[0].action.as_str(), audit[0].actor_kind.as_str()), ("ResealSecrets", "operator"));
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), keys(&["b"])).await;
    let rig = rig.served_by(server);
    assert!(reseal(&rig).await.is_err(), "the key that sealed them is gone");
    assert_eq!(used(&rig).await, ["a"; 4], "nothing is lost");
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), keys(&["b", "a"])).await;
    let rig = rig.served_by(server);
    assert_eq!(reseal(&rig).await.unwrap(), 5);
    assert_eq!(used(&rig).await, ["b"; 4]);
}

async fn organizations(rig: &Rig, browser: &Browser) -> Result<usize, tonic::Status> {
    let request = v1::ListOrganizationsRequest::default();
    let answer = rig.operator().list_organizations(browser.ask(request)).await?;
    Ok(answer.into_inner().organizations.len())
}

async fn operators_are_people_with_a_verified_address_of_the_domain(rig: Rig) {
    let operators = control_plane::Config { operator_domains: vec!["ops.example.com".into()], ..config() };
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), operators).await;
    let rig = rig.served_by(server);
    let operator = rig.sign_up("pat@ops.example.com").await;
    assert_eq!(organizations(&rig, &operator).await.unwrap(), 1);
    for email in ["pat@example.com", "pat@xops.example.com", "pat@a.ops.example.com", "ops.example.com@example.com"] {
        let other = rig.sign_up(email).await;
        assert_eq!(reason(organizations(&rig, &other).await), Reason::RoleInsufficient, "{email}");
    }
    let name = format!("organizations/{}", rig.scope.organization());
    let request = v1::ChangePlanRequest { name, plan: "pro".into() };
    rig.operator().change_plan(operator.ask(request)).await.unwrap();
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 1)).await.unwrap();
    assert_eq!((audit[0].actor_kind.as_str(), audit[0].actor_id.as_str()), ("operator", operator.id().as_str()));
    let row = Member {
        organization: rig.scope.organization().clone(),
        account: operator.id(),
        role: Role::Viewer,
        created_at: now(),
    };
    rig.db.write(move |tx| db::members::insert(tx, &row)).await.unwrap();
    let refused =
        rig.apps().create_app(operator.ask(v1::CreateAppRequest { slug: "x".into(), ..Default::default() })).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient, "in an organization it is what it is there");
    let unverified = db::accounts::Account {
        id: domain::id::UserId::from_parts(now(), runtime::random::bytes()),
        email: "kim@ops.example.com".parse().unwrap(),
        name: "Kim".into(),
        password_hash: None,
        email_verified_at: None,
        created_at: now(),
    };
    let mut pretender = operator.clone();
    pretender.token = format!("as_{}", "k".repeat(43));
    let session = db::sessions::Session {
        id: domain::id::SessionId::from_parts(now(), runtime::random::bytes()),
        account: unverified.id.clone(),
        token_hash: domain::Sha256::of(pretender.token.as_bytes()),
        kind: db::SessionKind::Browser,
        organization: None,
        client: String::new(),
        address: String::new(),
        created_at: now(),
        refreshed_at: now(),
        expires_at: now().plus(std::time::Duration::from_secs(60)),
    };
    let made = rig.db.write(move |tx| {
        db::accounts::insert(tx, &unverified)?;
        db::sessions::insert(tx, &session)
    });
    made.await.unwrap();
    assert_eq!(
        reason(organizations(&rig, &pretender).await),
        Reason::RoleInsufficient,
        "an address that nobody proved"
    );
}
