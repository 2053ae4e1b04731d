//! This file's job is the suite `protocols`: what clients of other protocols cost, beside our own, a constant answer of Node, and npm's update server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::field::{Field, free_port, listens, text, wait_until};
use super::load::{CONNECTIONS, LOAD_CORE, Load, Request, SECONDS, SERVER_CORE, Script};
use super::process_cost::cpu_time;
use super::report::{Better, Figure, Report};
use super::update_server::{self, Runs, UpdateServer};
use super::{Bench, Suite};
use crate::supervisor::Running;

/// Different devices ask, so that nothing is cached by device.
const DEVICES: usize = 500;
const UNIT: &str = "µs CPU per request";

/// One kind of question, in each protocol.
struct Question {
    /// What our own client asks.
    native: Vec<Request>,
    /// The others: the case, the case beside Node, and what is asked.
    others: Vec<(&'static str, &'static str, Vec<Request>)>,
    /// The case that sets the first of the others beside npm's update server, and what the devices run that ask that.
    elsewhere: (&'static str, Runs),
}

/// `./x bench protocols`.
pub struct Protocols;

impl Suite for Protocols {
    fn name(&self) -> &'static str {
        "protocols"
    }

    fn about(&self) -> &'static str {
        "what checks of CodePush's and Expo's clients cost, beside our own client's"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let mut field = Field::set_up(bench)?;
        let tokens = (0..DEVICES).map(|number| field.register_device(number)).collect::<Result<Vec<_>>>()?;
        let key = codepush_key(&field)?;
        let expo = expo_release(&field)?;
        let questions = [up_to_date(&field, &tokens, &key, &expo)?, with_update(&field, &tokens, &key, &expo)];
        let edge = field.edge_alone(SERVER_CORE)?;
        let update_server = UpdateServer::start(bench)?;
        let cost = |script: &Script| Ok(load(field.edge_port, script).cost(|| cpu_time(edge.id()))?.0);
        for question in &questions {
            for (beside_native, beside_node, requests) in &question.others {
                let ours = asked(&field, requests)?;
                let native = asked(&field, &question.native)?;
                let compare = (|| cost(&ours), || cost(&native));
                report.compare(figure(beside_native), "our own client", bench.rounds, compare.0, compare.1);
                let node = Node::start(bench, &field, &requests[0])?;
                let peer = || Ok(load(node.port, &ours).cost(|| cpu_time(node.server.id()))?.0);
                report.compare(figure(beside_node), "node:http, same body", bench.rounds, || cost(&ours), peer);
            }
            let (case, runs) = question.elsewhere;
            let (_, _, requests) = question.others.first().context("CodePush's clients ask")?;
            let ours = asked(&field, requests)?;
            let peer = || update_server.cost(field.path(), runs, DEVICES);
            report.compare(figure(case), update_server::NAME, bench.rounds, || cost(&ours), peer);
        }
        Ok(())
    }
}

fn figure(case: &str) -> Figure<'_> {
    Figure { case, unit: UNIT, better: Better::Lower }
}

fn load(port: u16, script: &Script) -> Load<'_> {
    let (connections, seconds, core) = (CONNECTIONS, SECONDS, LOAD_CORE);
    Load { port, path: "/", script: Some(&script.path), connections, seconds, core }
}

/// Writes the script, after one of its requests was answered with success.
fn asked(field: &Field<'_>, requests: &[Request]) -> Result<Script> {
    field.ask(requests.first().context("somebody asks")?)?;
    Script::write(field.path(), requests)
}

/// The devices run what they would get.
fn up_to_date(field: &Field<'_>, tokens: &[String], key: &str, expo: &ExpoUpdate) -> Result<Question> {
    let (_, offer) = field.check(&field.check_path(), &tokens[0])?;
    let bundle = text(&serde_json::from_slice::<Value>(&offer)?["update"]["bundle"], "sha256")?;
    let (_, offer) = field.ask(&codepush(key, 0, ""))?;
    let offer: Value = serde_json::from_slice(&offer)?;
    let (hash, label) = (text(&offer["update_info"], "package_hash")?, text(&offer["update_info"], "label")?);
    let native = format!("{}&current={bundle}", field.check_path());
    let running = format!("&package_hash={hash}&label={label}");
    let others = vec![
        ("codepush check cpu", "codepush check cpu, node", each(|device| codepush(key, device, &running))),
        ("expo check cpu", "expo check cpu, node", each(|device| expo.request(device, Some(&expo.id)))),
    ];
    let native = tokens.iter().map(|token| Request::by_device(&native, token)).collect();
    Ok(Question { native, others, elsewhere: ("codepush check cpu, hot-updater", Runs::Release) })
}

/// The devices run what came with their binary.
fn with_update(field: &Field<'_>, tokens: &[String], key: &str, expo: &ExpoUpdate) -> Question {
    let native = tokens.iter().map(|token| Request::by_device(&field.check_path(), token)).collect();
    let others = vec![
        ("codepush offer cpu", "codepush offer cpu, node", each(|device| codepush(key, device, ""))),
        ("expo manifest cpu", "expo manifest cpu, node", each(|device| expo.request(device, None))),
    ];
    Question { native, others, elsewhere: ("codepush offer cpu, hot-updater", Runs::Embedded) }
}

fn each(request: impl Fn(usize) -> Request) -> Vec<Request> {
    (0..DEVICES).map(request).collect()
}

/// A check as npm's `code-push` 3 and 4 make it.
fn codepush(key: &str, device: usize, running: &str) -> Request {
    let path = format!(
        "/v0.1/public/codepush/update_check?deployment_key={key}&app_version=1.4.0{running}&is_companion=&client_unique_id=device-{device}"
    );
    let headers = [("X-CodePush-Plugin-Name", "react-native-code-push"), ("X-CodePush-SDK-Version", "^4.1.0")];
    Request { path, headers: headers.map(|(name, value)| (name, value.to_owned())).into() }
}

/// Makes a deployment key for the channel, and waits until what was released before can be had by CodePush's clients.
fn codepush_key(field: &Field<'_>) -> Result<String> {
    let made = field.aloft(&[
        "deployment-key",
        "create",
        "--platform",
        "android",
        "--app",
        "trailhead",
        "--channel",
        "production",
    ])?;
    let key = text(&made, "key")?;
    wait_until("the package", || {
        let (_, answer) = field.ask(&codepush(&key, 0, ""))?;
        Ok(serde_json::from_slice::<Value>(&answer)?["update_info"]["is_available"] == true)
    })?;
    Ok(key)
}

/// What Expo's clients can get.
struct ExpoUpdate {
    path: String,
    /// Its id.
    id: String,
}

impl ExpoUpdate {
    /// A check as `expo-updates` makes it.
    fn request(&self, device: usize, current: Option<&str>) -> Request {
        let mut headers = vec![
            ("Accept", "multipart/mixed,application/expo+json,application/json".to_owned()),
            ("Expo-Protocol-Version", "1".to_owned()),
            ("Expo-Platform", "android".to_owned()),
            ("Expo-Runtime-Version", "1".to_owned()),
            ("Expo-API-Version", "1".to_owned()),
            ("Expo-Updates-Environment", "BARE".to_owned()),
            ("EAS-Client-ID", format!("00000000-0000-4000-8000-{device:012x}")),
        ];
        headers.extend(current.map(|id| ("Expo-Current-Update-ID", id.to_owned())));
        Request { path: self.path.clone(), headers }
    }
}

/// Publishes the example app in a channel of its own, as `expo export` lays it out.
fn expo_release(field: &Field<'_>) -> Result<ExpoUpdate> {
    field.aloft(&["channel", "create", "expo", "--app", "trailhead"])?;
    let exported = export(field)?.display().to_string();
    let edge = format!("http://127.0.0.1:{}", field.edge_port);
    field.aloft(&[
        "release",
        "--expo",
        &exported,
        "--app",
        "trailhead",
        "--channel",
        "expo",
        "--runtime-version",
        "1",
        "--edge-url",
        &edge,
    ])?;
    let mut update = ExpoUpdate { path: format!("/v1/expo/{}/expo", field.app), id: String::new() };
    wait_until("the manifest", || {
        let (_, answer) = field.ask(&update.request(0, None))?;
        update.id = manifest_id(&answer).unwrap_or_default();
        Ok(!update.id.is_empty())
    })?;
    Ok(update)
}

/// The manifest is the first JSON document with an id, between other parts.
fn manifest_id(answer: &[u8]) -> Option<String> {
    let answer = String::from_utf8_lossy(answer);
    let (_, rest) = answer.split_once("\"id\":\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Lays the example app out as `expo export` does.
fn export(field: &Field<'_>) -> Result<PathBuf> {
    let (source, folder) = (field.bundle("v1"), field.path().join("dist"));
    fs::create_dir_all(folder.join("assets"))?;
    fs::copy(source.join("index.android.bundle"), folder.join("index.hbc"))?;
    let mut assets = Vec::new();
    for image in images(&source)? {
        let path = format!("assets/{:032x}", assets.len());
        fs::copy(image, folder.join(&path))?;
        assets.push(json!({ "path": path, "ext": "png" }));
    }
    ensure!(!assets.is_empty(), "the example app has images");
    let metadata = json!({
        "version": 0, "bundler": "metro", "fileMetadata": { "android": { "bundle": "index.hbc", "assets": assets } },
    });
    fs::write(folder.join("metadata.json"), metadata.to_string())?;
    let config = json!({ "name": "Trailhead", "slug": "trailhead", "runtimeVersion": "1" });
    fs::write(folder.join("expoConfig.json"), config.to_string())?;
    Ok(folder)
}

fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(images(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "png") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A server in Node that answers everything as the edge answered one request.
struct Node {
    server: Running,
    port: u16,
}

impl Node {
    fn start(bench: &Bench<'_>, field: &Field<'_>, request: &Request) -> Result<Self> {
        let (head, body) = field.ask(request)?;
        let content_type = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-type:").map(|value| value.trim().to_owned())
            })
            .unwrap_or_else(|| "application/json".to_owned());
        let (port, file) = (free_port()?, field.path().join("constant"));
        fs::write(&file, body)?;
        let mut command = Command::new("taskset");
        command.arg("-c").arg(SERVER_CORE.to_string()).arg("node");
        command.arg(bench.places.root().join("xtask/peers/constant/server.mjs"));
        command.arg(port.to_string()).arg(file).arg(content_type);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = bench.supervisor.spawn(&mut command, Signal::TERM)?;
        wait_until("the server in Node", || Ok(listens(port)))?;
        Ok(Self { server, port })
    }
}
