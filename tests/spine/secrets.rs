//! This file's job is to show that logs, metrics and status pages hold no secret and name no device, however much they say.

use crate::world::World;
use proto::v1;
use proto::v1::credential_service_client::CredentialServiceClient;
use proto::v1::person_service_client::PersonServiceClient;
use proto::v1::sign_in_service_client::SignInServiceClient;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::wait_until;
use tests::process::{Process, free_port};
use tests::stack::{EDGE_SECRET, SECRET, Stack};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Far longer than a channel needs to come to an edge on a busy machine, or a mail to its file.
const DEADLINE: Duration = Duration::from_secs(60);
/// As much as can be said.
const LOUD: [(&str, &str); 2] = [("ALOFT_LOG__FILTER", "trace"), ("ALOFT_LOG__FORMAT", "json")];
/// Made on the first start, by default.
const OWNER: &str = "owner@localhost";
const CLIENT: &str = "2f8a4f0e-7f65-4e0d-9a53-0c6d35f1a9b7";
const REPORTER: &str = "a-client-of-codepush-0917";

/// A scene, and every secret that was used in it.
struct Scene {
    world: World,
    http: Client,
    admin_url: String,
    /// Where programs reach both control planes through the edge.
    api: String,
    secrets: Vec<(&'static str, String)>,
}

impl Scene {
    fn new() -> Self {
        let mut stack = Stack::in_separate_processes();
        let admin = free_port();
        for process in [&mut stack.control_plane, &mut stack.worker, &mut stack.edge] {
            let process = process.as_mut().unwrap();
            process.kill();
            for (key, value) in LOUD {
                process.set(key, value);
            }
        }
        let set = |process: &mut Option<Process>, key: &str, value: &str| process.as_mut().unwrap().set(key, value);
        set(&mut stack.edge, "ALOFT_EDGE__ACCESS_LOG_EVERY", "1");
        set(&mut stack.edge, "ALOFT_EDGE__ADMIN_LISTEN", &format!("127.0.0.1:{admin}"));
        set(&mut stack.control_plane, "ALOFT_CONTROL_PLANE__WEBHOOKS_TO_PRIVATE_NETWORKS", "true");
        set(&mut stack.worker, "ALOFT_WORKER__WEBHOOKS_TO_PRIVATE_NETWORKS", "true");
        set(&mut stack.worker, "ALOFT_WORKER__PEPPER", SECRET);
        stack.restart_control_plane();
        stack.worker.as_mut().unwrap().start();
        let api = stack.put_api_port_before_control_planes();
        let secrets = [("pepper", SECRET), ("edge's token", EDGE_SECRET), ("store's key", Stack::STORE_SECRET)];
        let secrets = secrets.map(|(what, secret)| (what, secret.to_owned())).into();
        let admin_url = format!("http://127.0.0.1:{admin}");
        Self { world: World::new(stack), http: Client::new(), admin_url, api, secrets }
    }

    fn keep(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        self.secrets.push((what, secret.clone()));
        secret
    }

    fn channel_to(url: &str) -> Channel {
        Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy()
    }

    /// Programs: keys that are good, bad and rolled, a webhook that nobody answers, a credential.
    async fn programs(&mut self) {
        let made = self.world.cli().json(&["key", "create", "ci", "--role", "owner"]);
        let key = self.keep("API key", made["secret"].as_str().unwrap());
        let forged = self.keep("forged API key", format!("{}x", &key[..key.len() - 1]));
        for (key, expected) in [(&key, StatusCode::OK), (&forged, StatusCode::UNAUTHORIZED)] {
            for url in [self.world.stack.server_url(), self.api.clone()] {
                let answer = self.http.get(format!("{url}/codepush/account")).bearer_auth(key).send().await.unwrap();
                assert_eq!(answer.status(), expected);
            }
        }
        let cookie = self.keep("cookie that nobody gave", "as_a-session-that-never-was-0917");
        let page = self.http.get(format!("{}/nowhere", self.api)).header("cookie", format!("aloft-session={cookie}"));
        assert_eq!(page.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let hook = self.keep("webhook's address", "a-token-in-the-address-of-a-webhook");
        let made = self.world.cli().json(&["webhook", "create", &format!("http://127.0.0.1:1/hook?token={hook}")]);
        let secret = made["secret"].as_str().unwrap();
        self.keep("webhook's secret", secret);
        let id = |made: &Value| made["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let webhook = id(&made);
        let delivery = id(&self.world.cli().json(&["webhook", "test", &webhook]));
        let shown = || self.world.cli().json(&["webhook", "delivery", &webhook, &delivery]);
        wait_until(DEADLINE, || shown()["tries"][0].is_object());
        let secret = self.keep("credential", "a-token-of-a-store-that-is-sealed");
        let mut request = Request::new(v1::CreateCredentialRequest {
            parent: format!("apps/{}", self.world.app),
            kind: "store-token".into(),
            display_name: "store".into(),
            secret: secret.into(),
        });
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        CredentialServiceClient::new(Self::channel_to(&self.api)).create_credential(request).await.unwrap();
    }

    /// A person: the mail with a link, a password that is right and one that is wrong, a session that ends.
    async fn person(&mut self) {
        let mails = self.world.stack.folder().join("mail");
        let mut found = None;
        wait_until(DEADLINE, || {
            let files = std::fs::read_dir(&mails).into_iter().flatten().filter_map(Result::ok);
            found = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).find_map(|mail| token_in(&mail));
            found.is_some()
        });
        let token = self.keep("link in a mail", found.unwrap());
        let password = self.keep("password", "correct horse battery staple");
        let wrong = self.keep("wrong password", "incorrect horse battery staple");
        let server = self.world.stack.server_url();
        let mut people = SignInServiceClient::new(Self::channel_to(&server));
        let reset = v1::ResetPasswordRequest { token, password: password.clone() };
        people.reset_password(reset.clone()).await.unwrap();
        people.reset_password(reset).await.unwrap_err();
        let sign_in = |password: String| v1::SignInRequest { email: OWNER.into(), password };
        people.sign_in(sign_in(wrong)).await.unwrap_err();
        let answer = people.sign_in(sign_in(password)).await.unwrap();
        let cookie = answer.metadata().get("set-cookie").unwrap().to_str().unwrap();
        let cookie = cookie.split([';']).next().unwrap().to_owned();
        self.keep("cookie", cookie.split('=').nth(1).unwrap());
        for origin in [server.as_str(), "https://evil.example"] {
            let mut request = Request::new(v1::GetPersonRequest {});
            request.metadata_mut().insert("cookie", cookie.parse().unwrap());
            request.metadata_mut().insert("origin", origin.parse().unwrap());
            let answer = PersonServiceClient::new(Self::channel_to(&server)).get_person(request).await;
            assert_eq!(answer.is_ok(), !origin.contains("evil"));
        }
    }

    /// Devices of our own protocol: one that registers, checks, reports and downloads, and one that makes its token up.
    async fn devices(&mut self) {
        let url = self.world.stack.edge_url();
        let nonce = self.keep("nonce", "a-nonce-that-nobody-may-see");
        let registration = json!({
            "app": self.world.app, "channel": "production", "platform": "android", "nonce": nonce,
        });
        let request = self.http.post(format!("{url}/v1/devices/register")).body(registration.to_string());
        let answer = until(request, StatusCode::CREATED).await;
        let registered: Value = serde_json::from_str(&answer).unwrap();
        let device = self.keep("device", registered["device_id"].as_str().unwrap());
        let token = self.keep("token", registered["token"].as_str().unwrap());
        let forged = format!("{token}x");
        let check = format!("{url}/v1/updates?app={}&channel=production&platform=android&binary=1.4.0", self.world.app);
        for (token, expected) in [(&token, StatusCode::OK), (&forged, StatusCode::UNAUTHORIZED)] {
            assert_eq!(self.http.get(&check).bearer_auth(token).send().await.unwrap().status(), expected);
            let event = domain::id::EventId::from_parts(domain::Timestamp::from_us(1_790_000_000_000_000), [7; 10]);
            let event = json!({"id": event, "kind": "launched", "detail": device});
            let events = json!({
                "channel": "production", "platform": "android", "binary": "1.4.0", "events": [event, {"id": device}],
            });
            let report = self.http.post(format!("{url}/v1/events")).bearer_auth(token).body(events.to_string());
            assert!(report.send().await.unwrap().status().as_u16() < 500);
        }
        let lost = format!("{url}/v1/nowhere/{token}?token={token}");
        assert_eq!(self.http.get(lost).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }

    /// Devices of other clients, which are known by a key in the address and by ids that they chose.
    async fn other_clients(&mut self) {
        let made = self.world.channel(&["deployment-key", "create", "--platform", "android"]);
        let key = self.keep("deployment key", made["key"].as_str().unwrap());
        let absent = self.keep("absent deployment key", "a-deployment-key-that-nobody-made");
        self.keep("CodePush client", REPORTER);
        self.keep("Expo client", CLIENT);
        let url = self.world.stack.edge_url();
        let path = format!("{url}/v0.1/public/codepush/update_check?app_version=1.4.0&client_unique_id={REPORTER}");
        until(self.http.get(format!("{path}&deployment_key={key}")), StatusCode::OK).await;
        let _ = self.http.get(format!("{path}&deployment_key={absent}")).send().await.unwrap();
        let report = json!({
            "deployment_key": key, "app_version": "1.4.0", "client_unique_id": REPORTER, "status": "DeploymentFailed",
            "label": "v1",
        });
        let path = format!("{url}/v0.1/public/codepush/report_status/deploy");
        let _ = self.http.post(path).body(report.to_string()).send().await.unwrap();
        let asked =
            self.http.get(format!("{url}/v1/expo/{}/production", self.world.app)).header("eas-client-id", CLIENT);
        let asked = asked.header("expo-platform", "android").header("expo-protocol-version", "1");
        let _ = asked.header("expo-runtime-version", "1").send().await.unwrap();
    }

    /// Returns all that the platform says of itself. Whoever stops writes the last lines of its log first.
    async fn said(&mut self) -> Vec<(&'static str, String)> {
        let page = async |url: String| self.http.get(url).send().await.unwrap().text().await.unwrap();
        let mut said = vec![
            ("edge's metrics", page(format!("{}/metrics", self.admin_url)).await),
            ("edge's status", page(format!("{}/statusz", self.admin_url)).await),
            ("control plane's health", page(format!("{}/healthz", self.world.stack.server_url())).await),
        ];
        let stack = &mut self.world.stack;
        for (what, process) in [
            ("edge's log", &mut stack.edge),
            ("worker's log", &mut stack.worker),
            ("control plane's log", &mut stack.control_plane),
        ] {
            let process = process.as_mut().unwrap();
            process.stop();
            said.push((what, process.log()));
        }
        said
    }

    /// Returns where which secrets stand, whole or with their last half.
    fn found(&self, said: &[(&'static str, String)]) -> Vec<(&'static str, &'static str)> {
        let standing = |(place, text): &(&'static str, String)| {
            let secrets = self.secrets.iter().filter(|(_, secret)| text.contains(&secret[secret.len() / 2..]));
            secrets.map(|(what, _)| (*place, *what)).collect::<Vec<_>>()
        };
        said.iter().flat_map(standing).collect()
    }
}

/// Returns the token of the link in a mail.
fn token_in(mail: &str) -> Option<String> {
    // A long line is broken with "=" at its end, and "=" itself is written as "=3D".
    let text = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("#token=")?;
    Some(rest.split_whitespace().next()?.to_owned())
}

/// Sends the request until it is answered as expected: an edge may not have heard of the channel yet.
async fn until(request: reqwest::RequestBuilder, expected: StatusCode) -> String {
    let began = Instant::now();
    loop {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        if answer.status() == expected {
            return answer.text().await.unwrap();
        }
        assert!(began.elapsed() < DEADLINE, "{}", answer.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_device_stands_in_what_the_platform_says_of_itself() {
    let mut scene = Scene::new();
    scene.world.release("v1", &[]);
    scene.programs().await;
    scene.person().await;
    scene.devices().await;
    scene.other_clients().await;
    let _ = scene.world.cli().at(&scene.api).json(&["app", "list"]);
    let said = scene.said().await;
    assert_eq!(scene.found(&said), []);

    // It does say what happens, in detail.
    let text = |wanted| &said.iter().find(|(place, _)| *place == wanted).unwrap().1;
    for (place, part) in [
        ("edge's log", r#""target":"access""#),
        ("edge's log", r#""route":"codepush-check""#),
        ("edge's log", r#""call":"/aloft.v1.CredentialService/CreateCredential""#),
        ("worker's log", r#""msg":"working""#),
        ("control plane's log", r#""msg":"the control plane listens""#),
        ("edge's metrics", "aloft_edge_requests_total"),
        ("edge's status", "production"),
    ] {
        assert!(text(place).contains(part), "{place}: {part}:\n{}", text(place));
    }
    // And what does stand in it is found: the first key is shown on the first start, once.
    let first_key = scene.world.cli().api_key().to_owned();
    scene.keep("first key", &first_key);
    assert_eq!(scene.found(&said), [("control plane's log", "first key")]);
    assert_eq!(text("control plane's log").matches(&first_key).count(), 1);
}
