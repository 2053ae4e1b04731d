//! This file's job is to check what CodePush's management clients are answered, and that it is no second way in.

use crate::on_both_databases;
use crate::rig::{Rig, Shape, put_bundle, range, with};
use db::Role;
use domain::id::{DeviceId, EdgeId, EventId};
use domain::telemetry::{Event, EventKind};
use domain::{Platform, Timestamp};
use proto::v1;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

on_both_databases!(
    apps_and_deployments_are_made_renamed_and_deleted,
    releases_are_patched_promoted_and_rolled_back,
    a_channel_that_gets_a_key_has_every_bundle_packed_once,
    metrics_count_each_device_once_where_it_is,
);

/// What is asked, with a body that fits.
const ROUTES: [(&str, &str, &str); 25] = [
    ("GET", "/apps/APP", ""),
    ("PATCH", "/apps/APP", r#"{"name":"other-ios"}"#),
    ("DELETE", "/apps/APP", ""),
    ("GET", "/apps/APP/collaborators", ""),
    ("GET", "/apps/APP/deployments/", ""),
    ("POST", "/apps/APP/deployments/", r#"{"name":"Beta"}"#),
    ("GET", "/apps/APP/deployments/Production", ""),
    ("PATCH", "/apps/APP/deployments/Production", r#"{"name":"Live"}"#),
    ("DELETE", "/apps/APP/deployments/Production", ""),
    ("POST", "/apps/APP/deployments/Production/release", ""),
    ("PATCH", "/apps/APP/deployments/Production/release", r#"{"packageInfo":{"isMandatory":true}}"#),
    ("POST", "/apps/APP/deployments/Production/promote/Staging", r#"{"packageInfo":{}}"#),
    ("POST", "/apps/APP/deployments/Production/rollback", ""),
    ("POST", "/apps/APP/deployments/Production/rollback/v1", ""),
    ("GET", "/apps/APP/deployments/Production/history", ""),
    ("GET", "/apps/APP/deployments/Production/metrics", ""),
    ("DELETE", "/apps/APP/deployments/Production/history", ""),
    ("GET", "/apps/APP/deployments/Production/packages/v1", ""),
    ("POST", "/apps/APP/collaborators/new@example.com", ""),
    ("DELETE", "/apps/APP/collaborators/new@example.com", ""),
    ("POST", "/apps/APP/transfer/org_00000000000000000000000001", ""),
    ("GET", "/accessKeys/APP", ""),
    ("PATCH", "/accessKeys/APP", r#"{"friendlyName":"other"}"#),
    ("DELETE", "/accessKeys/APP", ""),
    ("DELETE", "/apps/APP/deployments/Staging", ""),
];

/// Somebody with a key.
struct Caller<'a> {
    rig: &'a Rig,
    key: &'a str,
}

impl Caller<'_> {
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        // An error means that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}/codepush{path}", self.rig.server.address);
        let mut request = Client::new().request(method.parse::<Method>().unwrap(), url).body(body.to_owned());
        if !self.key.is_empty() {
            request = request.bearer_auth(self.key);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, "").await;
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }

    async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, &body.to_string()).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

fn owner(rig: &Rig) -> Caller<'_> {
    Caller { rig, key: &rig.key }
}

/// Publishes a bundle for iOS as `aloft release` does.
async fn publish(rig: &Rig, content: &str) {
    let get = v1::GetChannelRequest { name: "apps/shop-ios/channels/production".into() };
    let channel = rig.channels().get_channel(rig.ask(get)).await.unwrap().into_inner().channel.unwrap();
    let app = channel.name.split('/').nth(1).unwrap().to_owned();
    let ios = |row: &mut db::bundles::Bundle| row.platform = Platform::Ios;
    let bundle = crate::rig::put_bundle_with(&rig.db, &rig.scope, &app, content, ios).await;
    rig.publish(&channel, &bundle).await;
}

async fn apps_and_deployments_are_made_renamed_and_deleted(rig: Rig) {
    let owner = owner(&rig);
    assert_eq!(owner.get("/authenticated").await, json!({ "authenticated": true }));
    let account = owner.get("/account").await["account"]["email"].as_str().unwrap().to_owned();
    let made = owner.done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    assert_eq!(made["app"]["name"], "Shop-iOS");
    assert_eq!(made["app"]["deployments"], json!(["Production", "Staging"]));
    assert_eq!(made["app"]["collaborators"][&account]["permission"], "Owner");
    assert_eq!(owner.ask("POST", "/apps/", r#"{"name":"shop-ios"}"#).await.0, 409);
    assert_eq!(owner.ask("POST", "/apps/", r#"{"name":"of-nothing"}"#).await.0, 400);

    let key = "imported-key_of-CodePush";
    let beta = json!({ "name": "Beta", "key": key });
    assert_eq!(owner.done("POST", "/apps/Shop-iOS/deployments/", beta).await["deployment"]["key"], key);
    let listed = owner.get("/apps/shop-ios/deployments/").await;
    let of = |name: &str| listed["deployments"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    assert_eq!((&of("beta")["key"], &of("Staging")["package"]), (&json!(key), &Value::Null));
    assert_eq!(of("Production")["key"].as_str().unwrap().len(), 32);

    owner.done("PATCH", "/apps/Shop-iOS", json!({ "name": "Store-iOS" })).await;
    assert_eq!(owner.ask("PATCH", "/apps/Store-iOS", r#"{"name":"Store-iOS"}"#).await.0, 204);
    let changes = json!({ "name": "Trial", "key": "another-key_of-CodePush" });
    let changed = owner.done("PATCH", "/apps/Store-iOS/deployments/Beta", changes.clone()).await;
    assert_eq!((&changed["deployment"]["name"], &changed["deployment"]["key"]), (&json!("trial"), &changes["key"]));
    let trial = "/apps/Store-iOS/deployments/Trial";
    assert_eq!(owner.ask("PATCH", trial, &changes.to_string()).await.0, 204, "nothing changes");
    assert_eq!(owner.ask("PATCH", trial, &json!({ "key": key }).to_string()).await.0, 409, "it has that one, too");
    let list = v1::ListDeploymentKeysRequest { parent: "apps/store-ios/channels/trial".into() };
    let keys = rig.deployment_keys().list_deployment_keys(rig.ask(list)).await.unwrap().into_inner().deployment_keys;
    assert!(keys.iter().any(|known| known.key == key), "apps in the field go on with the old key");
    assert_eq!(owner.get("/apps/Store-iOS/deployments/trial").await["deployment"]["key"], changes["key"]);
    assert_eq!(owner.ask("DELETE", "/apps/someone@example.com:Store-iOS/deployments/Trial", "").await.0, 204);
    assert_eq!(owner.ask("DELETE", "/apps/Store-iOS", "").await.0, 204);
    assert_eq!(owner.get("/apps").await, json!({ "apps": [] }));
    assert_eq!(owner.get("/apps/").await, json!({ "apps": [] }));
}

async fn releases_are_patched_promoted_and_rolled_back(rig: Rig) {
    let owner = owner(&rig);
    owner.done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    let at = |rest: &str| format!("/apps/Shop-iOS/deployments/Production/{rest}");
    assert_eq!(owner.ask("PATCH", &at("release"), "{}").await.0, 404, "there is nothing to patch");
    for content in ["one", "two"] {
        publish(&rig, content).await;
    }
    let about =
        json!({ "packageInfo": { "label": "v1", "description": "First", "isMandatory": true, "appVersion": "2.x" } });
    let patched = owner.done("PATCH", &at("release"), about.clone()).await;
    assert_eq!((&patched["package"]["appVersion"], &patched["package"]["rollout"]), (&json!("2.x"), &json!(100)));
    assert_eq!(owner.ask("PATCH", &at("release"), &about.to_string()).await.0, 204, "nothing changes");
    for (wrong, status) in [(json!(0), 400), (json!(50), 409)] {
        let about = json!({ "packageInfo": { "rollout": wrong } });
        assert_eq!(owner.ask("PATCH", &at("release"), &about.to_string()).await.0, status, "{about}");
    }

    let promote = json!({ "packageInfo": { "label": null, "description": "", "rollout": 20 } });
    let promoted = owner.done("POST", &at("promote/Staging"), promote.clone()).await;
    assert_eq!(
        (&promoted["package"]["label"], &promoted["package"]["releaseMethod"]),
        (&json!("v1"), &json!("Promote"))
    );
    let account = owner.get("/account").await["account"]["email"].clone();
    assert_eq!(
        (&promoted["package"]["originalLabel"], &promoted["package"]["originalDeployment"]),
        (&json!("v2"), &json!("Production"))
    );
    assert_eq!(promoted["package"]["releasedBy"], account);
    let (status, text) = owner.ask("POST", &at("promote/Staging"), &promote.to_string()).await;
    assert!(status == 409 && text.as_str().unwrap().contains("identical to the contents"), "{status} {text}");
    let grow = async |percent: u32| {
        let about = json!({ "packageInfo": { "rollout": percent } }).to_string();
        owner.ask("PATCH", "/apps/Shop-iOS/deployments/Staging/release", &about).await
    };
    assert_eq!(grow(10).await.0, 409, "rollouts only grow");
    assert_eq!(grow(40).await.1["package"]["rollout"], 40);

    assert_eq!(owner.ask("POST", &at("rollback/v9"), "").await.0, 404);
    let back = owner.done("POST", &at("rollback/v1"), Value::Null).await;
    assert_eq!(back["package"]["releaseMethod"], "Rollback");
    let history = owner.get(&at("history")).await;
    let shown = |index: usize, name: &str| history["history"][index][name].clone();
    assert_eq!([shown(0, "label"), shown(1, "label"), shown(2, "label")], ["v1", "v2", "v3"]);
    assert_eq!(
        (shown(0, "description"), shown(0, "isMandatory"), shown(0, "rollout")),
        (json!("First"), json!(true), Value::Null)
    );
    assert_eq!((shown(2, "appVersion"), shown(2, "releaseMethod")), (json!("2.x"), json!("Rollback")));
    assert_eq!((shown(2, "originalLabel"), shown(2, "originalDeployment")), (json!("v1"), Value::Null));
    assert_eq!((shown(0, "originalLabel"), shown(0, "releasedBy")), (Value::Null, account));
    assert_eq!(owner.ask("GET", &at("packages/v1"), "").await.0, 404, "nobody has packed it");
    let get = v1::GetReleaseRequest { name: "apps/shop-ios/channels/production/releases/v1".into() };
    let bundle = rig.releases().get_release(rig.ask(get)).await.unwrap().into_inner().release.unwrap().bundle;
    crate::rig::put_package(&rig, &rig.scope, &bundle, b"PK package").await;
    assert_eq!(owner.ask("GET", &at("packages/v1"), "").await, (200, json!("PK package")));
    let packed = owner.get(&at("history")).await["history"][0].clone();
    assert_eq!((&packed["size"], packed["packageHash"].as_str().unwrap().len()), (&json!(10), 64));
    assert!(packed["blobUrl"].as_str().unwrap().contains("/codepush/apps/app_"), "{packed}");
    assert_eq!(owner.ask("DELETE", &at("history"), "").await.0, 204);
    assert_eq!(owner.get(&at("history")).await, json!({ "history": [] }));
}

async fn a_channel_that_gets_a_key_has_every_bundle_packed_once(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    for number in 0..15 {
        // Every third one is released again.
        let bundle = rig.bundle(&app, &format!("content {}", number - number % 3 / 2)).await;
        rig.publish(&channel, &bundle).await;
    }
    let create = async |platform: v1::Platform| {
        let before = rig.ready_jobs().await;
        let (parent, platform) = (channel.name.clone(), platform.into());
        let request = v1::CreateDeploymentKeyRequest { parent, platform, ..Default::default() };
        rig.deployment_keys().create_deployment_key(rig.ask(request)).await.unwrap();
        rig.ready_jobs().await - before
    };
    assert_eq!(create(v1::Platform::Ios).await, 0, "no release is for iOS");
    assert_eq!(create(v1::Platform::Android).await, 10);
    assert_eq!(create(v1::Platform::Android).await, 0, "they wait to be packed already");
}

async fn metrics_count_each_device_once_where_it_is(rig: Rig) {
    let owner = owner(&rig);
    owner.done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    for content in ["one", "two"] {
        publish(&rig, content).await;
    }
    let list = v1::ListReleasesRequest { parent: "apps/shop-ios/channels/production".into(), ..Default::default() };
    let mut releases = rig.releases().list_releases(rig.ask(list)).await.unwrap().into_inner().releases;
    releases.reverse();
    let mut events = Vec::new();
    let mut tell = |kind: EventKind, device: u8, release: usize| {
        let at = crate::rig::now().plus(Duration::from_secs(events.len() as u64));
        events.push(Event {
            id: EventId::from_parts(at, [events.len() as u8; 10]),
            app: releases[release].name.split('/').nth(1).unwrap().parse().unwrap(),
            channel: "production".parse().unwrap(),
            device: DeviceId::from_parts(Timestamp::from_us(1), [device; 10]),
            kind,
            platform: Platform::Ios,
            binary_version: None,
            release: Some(releases[release].release_id.parse().unwrap()),
            bundle: None,
            received_at: at,
            detail: None,
        });
    };
    for (device, release) in [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1)] {
        tell(EventKind::Downloaded, device, release);
        tell(EventKind::Launched, device, release);
    }
    tell(EventKind::RolledBack, 2, 1);
    tell(EventKind::Launched, 2, 0);
    let edge = EdgeId::from_parts(crate::rig::now(), [1; 10]);
    let batch = db::telemetry::Batch { edge, segment: "one".into(), offset: 0, events };
    rig.db.write(move |tx| db::telemetry::store_batch(tx, &batch, crate::rig::now())).await.unwrap();
    let expected = json!({ "metrics": {
        "v1": { "active": 2, "downloaded": 3, "failed": 0, "installed": 4 },
        "v2": { "active": 1, "downloaded": 2, "failed": 1, "installed": 2 },
    }});
    assert_eq!(owner.get("/apps/Shop-iOS/deployments/Production/metrics").await, expected);
    assert_eq!(owner.get("/apps/Shop-iOS/deployments/Staging/metrics").await, json!({ "metrics": {} }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_may_not_do_is_not_done_here_either() {
    let rig = Rig::new(Shape::Embedded).await;
    owner(&rig).done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    publish(&rig, "one").await;
    let theirs = rig.organization("theirs").await;
    let (foreign, _) = rig.key(&theirs, Role::Owner).await;
    let (viewer, _) = rig.key(&rig.scope, Role::Viewer).await;
    let ask = async |key: &str, (method, path, body): (&str, &str, &str), app: &str| {
        Caller { rig: &rig, key }.ask(method, &path.replace("APP", app), body).await
    };
    for route in ROUTES {
        assert_eq!(ask("", route, "Shop-iOS").await.0, 401, "{route:?}");
        assert_eq!(ask("nonsense", route, "Shop-iOS").await.0, 401, "{route:?}");
        let absent = ask(&rig.key, route, "Absent-iOS").await;
        assert_eq!((absent.0, ask(&foreign, route, "Shop-iOS").await), (404, absent), "{route:?}");
        let (status, answer) = ask(&viewer, route, "Shop-iOS").await;
        let may = route.0 == "GET" && !route.1.starts_with("/accessKeys") && !route.1.contains("packages");
        let expected: &[u16] = if may { &[200] } else { &[403, 404] };
        assert!(expected.contains(&status), "{route:?}: {status} {answer}");
    }
    for route in [("POST", "/apps/", r#"{"name":"New-iOS"}"#), ("POST", "/accessKeys/", r#"{"friendlyName":"ci"}"#)] {
        assert_eq!(ask(&viewer, route, "").await.0, 403, "{route:?}");
    }
    let listed = owner(&rig).get("/apps/Shop-iOS/deployments/Production/history").await;
    assert_eq!((&listed["history"][0]["isMandatory"], listed["history"].as_array().unwrap().len()), (&json!(false), 1));
    // A browser that is signed in must not be led to a request here.
    let person = rig.signed_in_member(&rig.scope, Role::Owner).await;
    let url = format!("http://{}/codepush/apps", rig.server.address);
    let with_cookie = Client::new().get(url).header("cookie", format!("aloft-session-local={person}")).send().await;
    assert_eq!(with_cookie.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_bounded() {
    let rig = Rig::new(Shape::Embedded).await;
    let owner = owner(&rig);
    owner.done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    for path in [
        "",
        "/",
        "/nothing",
        "/apps/Shop-iOS/transfer",
        "/sessions/machine",
        "/apps/%FF",
        "/apps/Shop-iOS/deployments/Staging/metrics",
    ] {
        assert_eq!(owner.ask("POST", path, "").await.0, 404, "{path}");
    }
    assert_eq!(owner.ask("PUT", "/apps", "").await.0, 404);
    for body in ["{", "[]", "{}", r#"{"name":7}"#] {
        let (status, answer) = owner.ask("POST", "/apps", body).await;
        assert_eq!((status, answer[0]["field"].is_string()), (400, true), "{body}: {answer}");
    }
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(70 << 10));
    assert_eq!(owner.ask("POST", "/apps", &long).await.0, 413);
    assert_eq!(owner.ask("POST", "/apps", &format!(r#"{{"name":"{}-ios"}}"#, "x".repeat(100))).await.0, 400);
}

/// The names and contents of a form's fields.
type Form<'a> = &'a [(&'a str, &'a [u8])];

/// Sends a form to the route that releases.
async fn send_form(rig: &Rig, fields: Form<'_>) -> (u16, String) {
    let mut body = Vec::new();
    for (name, bytes) in fields {
        let head = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.zip\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let url = format!("http://{}/codepush/apps/Shop-iOS/deployments/Production/release", rig.server.address);
    let request = Client::new().post(url).bearer_auth(&rig.key);
    let answer = request.header("content-type", "multipart/form-data; boundary=edge").body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_no_release_is_refused() {
    let rig = Rig::new(Shape::Embedded).await;
    owner(&rig).done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    let jobs = rig.ready_jobs().await;
    let (zip, info) = (&b"PK\x03\x04 and more"[..], &br#"{"appVersion":"1.x"}"#[..]);
    let (large, long) = (vec![0_u8; (16 << 20) + 1], vec![b' '; 65 << 10]);
    let cases: [(Form<'_>, u16); 8] = [
        (&[], 400),
        (&[("package", zip)], 400),
        (&[("packageInfo", info)], 400),
        (&[("package", zip), ("package", zip), ("packageInfo", info)], 400),
        (&[("package", b"no archive"), ("packageInfo", info)], 400),
        (&[("package", zip), ("packageInfo", b"{}")], 400),
        (&[("package", zip), ("packageInfo", &long)], 413),
        (&[("package", &large), ("packageInfo", info)], 413),
    ];
    for (index, (fields, status)) in cases.into_iter().enumerate() {
        let answer = send_form(&rig, fields).await;
        assert_eq!(answer.0, status, "case {index}: {answer:?}");
    }
    assert_eq!(rig.ready_jobs().await, jobs, "nothing was taken in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_keys_are_api_keys() {
    let rig = Rig::new(Shape::Embedded).await;
    let owner = owner(&rig);
    let made =
        owner.done("POST", "/accessKeys/", json!({ "createdBy": "ci", "friendlyName": "ci", "ttl": 60_000 })).await;
    let secret = made["accessKey"]["name"].as_str().unwrap();
    let lifetime = made["accessKey"]["expires"].as_i64().unwrap() - made["accessKey"]["createdTime"].as_i64().unwrap();
    assert!((1..=60_000).contains(&lifetime), "{lifetime}");
    let ci = Caller { rig: &rig, key: secret };
    assert_eq!(ci.get("/authenticated").await["authenticated"], true);
    assert_eq!(owner.ask("POST", "/accessKeys/", r#"{"friendlyName":"ci"}"#).await.0, 409);
    assert_eq!(owner.get("/accessKeys/ci").await["accessKey"]["name"], "(hidden)");
    assert!(!owner.get("/accessKeys").await.to_string().contains(secret));
    let changes = json!({ "friendlyName": "builds", "ttl": 120_000 });
    let changed = owner.done("PATCH", "/accessKeys/ci", changes.clone()).await;
    assert_eq!(
        (&changed["accessKey"]["friendlyName"], &changed["accessKey"]["name"]),
        (&json!("builds"), &json!("(hidden)"))
    );
    assert!(changed["accessKey"]["expires"].as_i64() > made["accessKey"]["expires"].as_i64());
    assert_eq!(ci.get("/authenticated").await["authenticated"], true);
    assert_eq!(owner.ask("PATCH", "/accessKeys/ci", "{}").await.0, 404);
    assert_eq!(owner.ask("PATCH", "/accessKeys/builds", r#"{"friendlyName":"builds"}"#).await.0, 204);
    owner.done("POST", "/accessKeys/", json!({ "friendlyName": "second" })).await;
    assert_eq!(owner.ask("PATCH", "/accessKeys/second", r#"{"friendlyName":"builds"}"#).await.0, 409);
    assert_eq!(owner.ask("PATCH", "/accessKeys/second", r#"{"friendlyName":""}"#).await.0, 400);
    assert_eq!(owner.ask("DELETE", "/accessKeys/builds", "").await.0, 204);
    testkit::wait_until_async(crate::rig::PATIENCE, async || ci.ask("GET", "/authenticated", "").await.0 == 401).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_may_take_a_number_that_was_not_given_out() {
    let rig = Rig::new(Shape::Embedded).await;
    let (app, channel) = rig.app("shop").await;
    let bundle = put_bundle(&rig.db, &rig.scope, &app.app_id, "one").await;
    let publish = async |seq: u64| {
        let (parent, bundle, target) = (channel.name.clone(), bundle.clone(), Some(range("1.x")));
        let request = v1::CreateReleaseRequest { parent, bundle, target, seq, ..Default::default() };
        let made = rig.releases().create_release(with(&rig.key, request)).await;
        made.map(|made| made.into_inner().release.unwrap().label)
    };
    assert_eq!(publish(7).await.unwrap(), "v7");
    assert_eq!(publish(0).await.unwrap(), "v8");
    for taken in [8, 7, 1] {
        assert_eq!(crate::rig::reason(publish(taken).await), v1::Reason::AlreadyExists, "{taken}");
    }
    assert_eq!(crate::rig::reason(publish(u64::MAX).await), v1::Reason::InvalidField);
    assert_eq!(publish(9).await.unwrap(), "v9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_invite_and_remove_collaborators_and_keys_do_not() {
    let rig = Rig::new(Shape::Embedded).await;
    owner(&rig).done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    let token = rig.signed_in_member(&rig.scope, Role::Owner).await;
    let person = Caller { rig: &rig, key: &token };
    let account = person.get("/account").await["account"]["email"].as_str().unwrap().to_owned();
    let at = |email: &str| format!("/apps/Shop-iOS/collaborators/{email}");
    let listed = async || person.get("/apps/Shop-iOS/collaborators").await["collaborators"].clone();
    assert_eq!(listed().await[&account], json!({ "permission": "Owner", "isCurrentAccount": true }));

    let (status, text) = owner(&rig).ask("POST", &at("new@example.com"), "").await;
    assert!(status == 403 && text.as_str().unwrap().contains("dashboard"), "{status} {text}");
    assert_eq!(owner(&rig).ask("DELETE", &at(&account), "").await.0, 403);
    assert_eq!(person.ask("POST", &at("new@example.com"), "").await.0, 201);
    assert_eq!(listed().await["new@example.com"], Value::Null, "who has not accepted is none yet");
    assert_eq!(person.ask("POST", &at(&account), "").await.0, 409);
    assert_eq!(person.ask("POST", &at("nobody"), "").await.0, 400);
    assert_eq!(person.ask("DELETE", &at("new@example.com"), "").await.0, 204, "the invitation ends");
    assert_eq!(person.ask("DELETE", &at("new@example.com"), "").await.0, 404);

    let other = rig.signed_in_member(&rig.scope, Role::Developer).await;
    let other = Caller { rig: &rig, key: &other };
    let theirs = other.get("/account").await["account"]["email"].as_str().unwrap().to_owned();
    assert_eq!(listed().await[&theirs]["permission"], "Collaborator");
    assert_eq!(other.ask("DELETE", &at(&account), "").await.0, 403);
    assert_eq!(other.ask("DELETE", &at(&theirs), "").await.0, 204, "everybody may leave");
    assert_eq!(person.ask("DELETE", &at(&theirs), "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_shown_beside_keys_and_end_by_machine() {
    let rig = Rig::new(Shape::Embedded).await;
    let token = rig.signed_in_member(&rig.scope, Role::Owner).await;
    let person = Caller { rig: &rig, key: &token };
    let keys = person.get("/accessKeys").await["accessKeys"].as_array().unwrap().clone();
    let session = keys.iter().find(|key| key["isSession"] == true).expect("the person's own");
    assert_eq!(session["name"], "(hidden)");
    assert!(!owner(&rig).get("/accessKeys").await.to_string().contains("isSession"), "a key has none");
    let machine = session["createdBy"].as_str().unwrap();
    let path =
        format!("/sessions/{}", percent_encoding::utf8_percent_encode(machine, percent_encoding::NON_ALPHANUMERIC));
    assert_eq!(owner(&rig).ask("DELETE", &path, "").await.0, 404, "nor ends one");
    assert_eq!(person.ask("DELETE", "/sessions/another-machine", "").await.0, 404);
    assert_eq!(person.get("/authenticated").await["authenticated"], true);
    assert_eq!(person.ask("DELETE", &path, "").await.0, 204);
    assert_eq!(person.ask("GET", "/authenticated", "").await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_offered_to_an_organization_and_to_nobody_else() {
    let rig = Rig::new(Shape::Embedded).await;
    let owner = owner(&rig);
    owner.done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    let (status, text) = owner.ask("POST", "/apps/Shop-iOS/transfer/somebody@example.com", "").await;
    assert!(status == 400 && text.as_str().unwrap().contains("org_"), "{status} {text}");
    let theirs = rig.organization("theirs").await;
    let (foreign, _) = rig.key(&theirs, Role::Owner).await;
    let to = format!("/apps/Shop-iOS/transfer/{}", theirs.organization());
    assert_eq!(owner.ask("POST", &to, "").await.0, 201);
    let offered = rig.transfers().list_offered_apps(with(&foreign, v1::ListOfferedAppsRequest {})).await.unwrap();
    assert_eq!(offered.into_inner().offers[0].slug, "shop-ios");
    assert_eq!(owner.get("/apps/Shop-iOS").await["app"]["name"], "Shop-iOS", "until it is accepted, it stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_that_trickles_is_given_up_and_makes_room() {
    let rig = Rig::new(Shape::Embedded).await;
    owner(&rig).done("POST", "/apps/", json!({ "name": "Shop-iOS" })).await;
    let config = control_plane::Config { package_max_s: 1, ..crate::rig::config() };
    let clock = runtime::clock::Clock::system();
    let (server, _control_plane) = crate::rig::serve_with(&rig.db, &rig.store, clock, config).await;
    let head = format!(
        "POST /codepush/apps/Shop-iOS/deployments/Production/release HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=edge\r\ncontent-length: 1000000\r\n\r\n--edge\r\n\
         Content-Disposition: form-data; name=\"package\"; filename=\"x.zip\"\r\n\r\nPK\x03\x04",
        rig.key
    );
    // As many as there is room for at once, and then as many again.
    for _ in 0..2 {
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            clients.spawn(trickle(server.address, head.clone()));
        }
        assert_eq!(clients.join_all().await, ["408"; 8]);
    }
}

/// Sends a byte at a time behind the beginning of a request, and returns the status that comes back.
async fn trickle(address: std::net::SocketAddr, begin: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let (mut line, mut ticks) = ([0; 12], tokio::time::interval(Duration::from_millis(50)));
    {
        let mut answered = std::pin::pin!(reading.read_exact(&mut line));
        loop {
            tokio::select! {
                read = &mut answered => break assert_eq!(read.unwrap(), 12),
                // Nobody may be there any more to take it.
                _ = ticks.tick() => drop(writing.write_all(b"x").await),
            }
        }
    }
    String::from_utf8_lossy(&line[9..]).into_owned()
}
