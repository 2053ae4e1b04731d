//! This file's job is to show that an app moves here from a CodePush server whole, also when the move is cut off.

use domain::Sha256;
use domain::codepush::folder_hash;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::{wait_until, wait_until_async};
use tests::cli::Cli;
use tests::stack::Stack;

/// Packing takes moments; a loaded machine takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the app has in the field.
const KEY: &str = "a-key_of-Trailhead-Android";
/// What a history shows of a release that must be the same after a move.
const KEPT: [&str; 7] = ["label", "appVersion", "description", "isDisabled", "isMandatory", "rollout", "packageHash"];

/// Runs a command about a channel of the app.
fn channel(cli: &Cli, channel: &str, arguments: &[&str]) -> Value {
    cli.json(&[arguments, &["--app", "trailhead-android", "--channel", channel]].concat())
}

/// Makes an app with a history, which is one in which numbers are missing.
fn furnish(cli: &Cli) {
    let _ = cli.json(&["app", "create", "trailhead-android", "--display-name", "Trailhead-Android"]);
    for name in ["production", "staging"] {
        let _ = cli.json(&["channel", "create", name, "--app", "trailhead-android"]);
    }
    let _ = channel(cli, "production", &["deployment-key", "create", "--platform", "android", "--import", KEY]);
    let _ = channel(cli, "staging", &["deployment-key", "create", "--platform", "android"]);
    let release = |version: &str, options: &[&str]| {
        let folder = tests::corpus(version, "android/hermes").display().to_string();
        let fixed = ["release", &folder, "--platform", "android", "--binary-range"];
        channel(cli, "production", &[&fixed, options].concat())
    };
    let _ = release("v1", &["1.x", "--notes", "The first one.", "--mandatory"]);
    let _ = release("v2", &["1.x"]);
    let _ = release("v2", &[">=1.2 <2"]);
    let _ = release("v3", &["*", "--rollout", "25%"]);
    let _ = channel(cli, "production", &["releases", "update", "v2", "--disable"]);
    let _ = channel(cli, "production", &["releases", "delete", "v2"]);
    let _ = channel(cli, "production", &["releases", "update", "v4", "--disable"]);
    let _ = channel(cli, "production", &["promote", "--release", "v1", "--to", "staging"]);
}

/// Reads the history of a deployment, once all its releases are packed.
async fn history(stack: &Stack, deployment: &str) -> Vec<Vec<Value>> {
    let url = format!("{}/codepush/apps/Trailhead-Android/deployments/{deployment}/history", stack.server_url());
    let read = async || {
        let answer = reqwest::Client::new().get(&url).bearer_auth(stack.cli.api_key()).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["history"].as_array().unwrap().clone()
    };
    wait_until_async(PATIENCE, async || read().await.iter().all(|release| release["packageHash"] != "")).await;
    read().await.iter().map(|release| KEPT.iter().map(|name| release[name].clone()).collect()).collect()
}

/// Returns how often each state stands in a report.
fn count(report: &Value, state: &str) -> usize {
    let deployments = report["apps"].as_array().unwrap().iter().flat_map(|app| app["deployments"].as_array().unwrap());
    deployments.flat_map(|one| one["releases"].as_array().unwrap()).filter(|release| release["state"] == state).count()
}

#[tokio::test]
async fn an_app_moves_from_another_server_and_a_killed_move_goes_on() {
    let (old, new) = (Stack::in_one_process(), Stack::in_one_process());
    furnish(&old.cli);
    let before = [history(&old, "Production").await, history(&old, "Staging").await];
    assert_eq!(before.each_ref().map(Vec::len), [3, 1]);
    let from = format!("{}/codepush", old.server_url());
    let migrate = ["migrate", "codepush", "--from", &from, "--access-key", old.cli.api_key()];
    let apply = [&migrate[..], &["--apply"]].concat();

    let plan = new.cli.json(&migrate);
    assert_eq!((count(&plan, "to-do"), &plan["apps"][0]["state"]), (4, &json!("to-do")), "{plan}");
    assert_eq!(new.cli.json(&["app", "list"])["apps"], json!([]), "a plan changes nothing");

    let mut killed = new.cli.command(&apply).stdout(std::process::Stdio::null()).spawn().unwrap();
    let is_begun = || {
        let listed = new.cli.run(&["releases", "list", "--app", "trailhead-android", "--channel", "production"]);
        listed.json["releases"].as_array().is_some_and(|releases| !releases.is_empty())
    };
    wait_until(PATIENCE, is_begun);
    killed.kill().unwrap();
    killed.wait().unwrap();

    let rest = new.cli.json(&apply);
    assert!(count(&rest, "there") >= 1 && count(&rest, "failed") == 0, "{rest}");
    let again = new.cli.json(&apply);
    assert_eq!(
        (count(&again, "there"), &again["apps"][0]["deployments"][0]["key_state"]),
        (4, &json!("there")),
        "{again}"
    );
    assert_eq!([history(&new, "Production").await, history(&new, "Staging").await], before);

    let check = format!(
        "{}/v0.1/public/codepush/update_check?deployment_key={KEY}&app_version=1.4.0&label=v1&client_unique_id=phone",
        new.edge_url()
    );
    let info = async || {
        let answer = reqwest::get(&check).await.unwrap();
        answer.json::<Value>().await.map_or(Value::Null, |answer| answer["update_info"].clone())
    };
    wait_until_async(PATIENCE, async || info().await["is_available"] == true).await;
    let update = info().await;
    assert_eq!((&update["label"], &update["package_hash"]), (&json!("v3"), &before[0][1][6]), "{update}");
}

/// A server of recorded answers. Notes which requests had a credential.
struct Recorded {
    address: String,
    with_credential: Arc<Mutex<Vec<String>>>,
}

impl Recorded {
    /// Serves bodies by path; answers 404 to the rest.
    fn serve(listener: TcpListener, bodies: Vec<(String, Vec<u8>)>) -> Self {
        let address = format!("http://{}", listener.local_addr().unwrap());
        let with_credential = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&with_credential);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &bodies, &noted);
            }
        });
        Self { address, with_credential }
    }
}

fn answer(mut stream: TcpStream, bodies: &[(String, Vec<u8>)], noted: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    if head.iter().any(|line| line.to_ascii_lowercase().starts_with("authorization:")) {
        noted.lock().unwrap().push(path.clone());
    }
    let found = bodies.iter().find(|(known, _)| *known == path);
    let (status, body) = found.map_or(("404 Not Found", &b"Not Found"[..]), |(_, body)| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that went away is no failure of this server.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

#[test]
fn a_history_as_microsofts_server_writes_it_is_carried_over_as_far_as_it_is_whole() {
    let files = Recorded::serve(
        TcpListener::bind("127.0.0.1:0").unwrap(),
        vec![("/single".into(), b"var a=1;".to_vec()), ("/damaged".into(), vec![0; 8192])],
    );
    let single = Sha256::of(b"var a=1;").to_hex();
    let lost = folder_hash([("CodePush/main.jsbundle".to_owned(), Sha256::of(b"x"))]).to_hex();
    let history = json!({ "history": [
        { "label": "v37", "appVersion": "1.x", "description": null, "isDisabled": false, "isMandatory": true, "rollout": null,
          "packageHash": single, "blobUrl": format!("{}/single", files.address), "size": 8, "diffPackageMap": null,
          "manifestBlobUrl": "x", "releaseMethod": "Upload", "uploadTime": 1_795_460_445_126_u64, "releasedBy": "a@b.c" },
        { "label": "v38", "appVersion": "1.0.0", "packageHash": lost, "blobUrl": format!("{}/damaged", files.address) },
        { "label": "v39", "appVersion": "latest", "packageHash": single, "blobUrl": "" },
        { "label": "v40", "appVersion": "1.0.0", "packageHash": single.to_uppercase(), "blobUrl": format!("{}/gone", files.address) },
        { "label": "v41", "appVersion": "*", "packageHash": single, "blobUrl": "", "rollout": 10, "isDisabled": true },
    ]});
    let apps = json!({ "apps": [{ "name": "Acme/Trail", "deployments": ["Production"], "collaborators": {
        "me@example.com": { "permission": "Collaborator", "isCurrentAccount": true },
        "owner@example.com": { "permission": "Owner" } } }] });
    let deployments = json!({ "deployments": [{ "name": "Production", "key": "recorded-deployment-key", "id": "x", "package": null }] });
    let at = |rest: &str| format!("/base/apps/owner@example.com:Acme~~Trail/{rest}");
    let manager = Recorded::serve(
        TcpListener::bind("127.0.0.1:0").unwrap(),
        vec![
            ("/base/apps".into(), apps.to_string().into_bytes()),
            (at("deployments"), deployments.to_string().into_bytes()),
            (at("deployments/Production/history"), history.to_string().into_bytes()),
        ],
    );
    let stack = Stack::in_one_process();
    let from = format!("{}/base/", manager.address);
    let migrate = ["migrate", "codepush", "--from", &from, "--access-key", "secret", "--apply"];
    assert_eq!(stack.cli.run(&migrate).code, 2, "nothing says what the app runs on");

    let with_platform = [&migrate[..], &["--platform", "ios"]].concat();
    for _ in ["first", "again"] {
        let ended = stack.cli.run(&with_platform);
        let message = ended.json["error"]["message"].as_str().unwrap();
        assert_eq!(ended.code, 8, "{message}");
        assert!(message.starts_with("3 releases cannot be carried over"), "{message}");
    }
    let listed = stack.cli.json(&["releases", "list", "--app", "acme-trail", "--channel", "production"]);
    let labels: Vec<&Value> = listed["releases"].as_array().unwrap().iter().map(|release| &release["label"]).collect();
    assert_eq!(labels, ["v41", "v37"]);
    let newest = &listed["releases"][0];
    assert_eq!((&newest["enabled"], &newest["share_ppm"]), (&json!(false), &json!(100_000)), "{newest}");
    assert!(!manager.with_credential.lock().unwrap().is_empty(), "the server asked for the key");
    assert!(files.with_credential.lock().unwrap().is_empty(), "where files lie is not told the key");
}
