//! This file's job is to check the commands against a real server: one process on SQLite and the local disk.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its processes must stop")]

use cli::connection::Connection;
use cli::progress::Progress;
use proto::v1;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a folder of its own, and the place of one user's settings.
struct World {
    server: Child,
    url: String,
    key: String,
    folder: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        // Building it here would build it with other features than a build of the workspace does.
        let program = Path::new(env!("CARGO_BIN_EXE_aloft")).with_file_name("aloft-standalone");
        assert!(
            program.is_file(),
            "{} is missing: run ./x test, or cargo build --package standalone",
            program.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(program)
            .args(["--control-plane-port", "0", "--edge-port", "0", "--data-dir"])
            .arg(folder.path().join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server says where it is").unwrap();
            if let Some(at) = line.find("http://").filter(|_| line.contains("control plane")) {
                break line[at..].split_whitespace().next().unwrap().to_owned();
            }
        };
        lines.by_ref().map_while(Result::ok).find(|line| line.contains("Ctrl-C"));
        // The pipe must stay open and empty.
        std::thread::spawn(move || lines.for_each(drop));
        let key = std::fs::read_to_string(folder.path().join("data/first-key")).unwrap().trim().to_owned();
        Self { server, url, key, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aloft"));
        command.args(arguments).arg("--json").stdin(Stdio::null());
        for name in ["ALOFT_SERVER", "ALOFT_API_KEY", "ALOFT_APP", "ALOFT_CHANNEL"] {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.command(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("aloft {arguments:?}: {error}: {text}"));
        (output.status.code().unwrap(), json)
    }

    fn must(&self, arguments: &[&str]) -> Value {
        let (code, json) = self.run(arguments);
        assert_eq!(code, 0, "aloft {arguments:?}: {json}");
        json
    }

    /// Looks for bytes of an unfinished upload for a while: the server stores them once it notices that the sender is gone.
    fn received_bytes(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = Connection::new(&self.url, Some(&self.key), Progress::new(true)).unwrap();
            for _ in 0..20 {
                let request = v1::ListUploadsRequest { parent: "apps/trailhead".into(), ..Default::default() };
                let uploads = connection.uploads().list_uploads(request).await.unwrap().into_inner().uploads;
                match uploads.iter().map(|upload| upload.received_bytes).max() {
                    Some(received @ 1..) => return received,
                    Some(0) => tokio::time::sleep(Duration::from_millis(50)).await,
                    None => return 0,
                }
            }
            0
        })
    }

    fn log_in(&self) {
        self.must(&["login", "--server", &self.url, "--api-key", &self.key]);
    }

    fn make_channel(&self) {
        self.must(&["app", "create", "trailhead"]);
        self.must(&["channel", "create", "production", "--app", "trailhead"]);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn corpus(path: &str) -> PathBuf {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS names the bundles; run ./x test");
    PathBuf::from(root).join(path)
}

const PLACE: [&str; 4] = ["--app", "trailhead", "--channel", "production"];

fn with_place<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &PLACE].concat()
}

#[test]
fn a_login_is_checked_kept_and_used() {
    let world = World::start();
    let (code, json) = world.run(&["whoami"]);
    assert_eq!((code, json["error"]["kind"].as_str()), (4, Some("authorization")));
    let (code, json) = world.run(&["login", "--server", &world.url, "--api-key", "cp_live_nonsense"]);
    assert_eq!(code, 4, "{json}");
    assert!(!world.folder.path().join("aloft/config.toml").exists(), "a wrong key was kept");
    world.log_in();
    let json = world.must(&["whoami"]);
    assert_eq!(json["role"], "owner");
    assert!(world.key.starts_with(json["credential"].as_str().unwrap()), "{json}");
}

/// The token in the link of the first owner's mail, once it was written.
fn mail_token(world: &World) -> Option<String> {
    let files = std::fs::read_dir(world.folder.path().join("data/mail")).into_iter().flatten().flatten();
    let mails = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "eml"));
    // As a reader sees it: long lines are broken and quoted on the way.
    let read = |mail: &std::fs::DirEntry| Some(std::fs::read_to_string(mail.path()).ok()?.replace("=\r\n", ""));
    let texts = mails.filter_map(|mail| Some(read(&mail)?.replace("=3D", "=")));
    let tokens = texts.filter_map(|text| Some(text.split_once("#token=")?.1.split_whitespace().next()?.to_owned()));
    // A mail that is still being written has less.
    tokens.filter(|token| token.len() == 64).last()
}

/// A person at a browser: sets the password with the first mail's link, signs in, and approves the code.
async fn approve(world: &World, code: &str) {
    let begun = Instant::now();
    while mail_token(world).is_none() {
        assert!(begun.elapsed() < PATIENCE, "the first owner got no mail");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let token = mail_token(world).unwrap();
    let connection = Connection::new(&world.url, None, Progress::new(true)).unwrap();
    let password = "correct horse battery".to_owned();
    let request = v1::ResetPasswordRequest { token, password: password.clone() };
    connection.sign_in().reset_password(request).await.unwrap();
    let request = v1::SignInRequest { email: "owner@localhost".into(), password };
    let answer = connection.sign_in().sign_in(request).await.unwrap();
    let cookie = answer.metadata().get("set-cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut request = tonic::Request::new(v1::DecideLoginRequest {
        user_code: code.into(),
        approve: true,
        organization: String::new(),
    });
    request.metadata_mut().insert("cookie", cookie.parse().unwrap());
    request.metadata_mut().insert("origin", world.url.parse().unwrap());
    connection.person().decide_login(request).await.unwrap();
}

#[test]
fn a_person_logs_in_through_a_browser_and_out_again() {
    let world = World::start();
    let mut command = world.command(&["login", "--browser", "--server", &world.url]);
    let mut login = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines().map_while(Result::ok);
    let code = lines.find_map(|line| line.split_once("?code=").map(|(_, code)| code.trim().to_owned())).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(approve(&world, &code));
    assert!(login.wait().unwrap().success());
    let whoami = world.must(&["whoami"]);
    assert!(whoami["credential"].as_str().unwrap().starts_with("ses_"), "{whoami}");
    world.make_channel();
    let json = world.must(&["logout"]);
    assert_eq!(json["session_ended"], true, "{json}");
    let (code, json) = world.run(&["whoami"]);
    assert_eq!((code, json["error"]["kind"].as_str()), (4, Some("authorization")));
}

#[test]
fn apps_and_channels_are_made_shown_changed_and_deleted() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let (code, json) = world.run(&["app", "create", "trailhead"]);
    assert_eq!((code, json["error"]["reason"].as_str()), (5, Some("ALREADY_EXISTS")), "{json}");
    let (code, json) = world.run(&["app", "get", "nonsense"]);
    assert_eq!((code, json["error"]["reason"].as_str()), (3, Some("NOT_FOUND")), "{json}");
    let (code, json) = world.run(&["app", "create", "Not A Slug"]);
    assert_eq!((code, json["error"]["reason"].as_str()), (2, Some("INVALID_FIELD")), "{json}");
    let json = world.must(&["app", "update", "trailhead", "--display-name", "Trailhead"]);
    assert_eq!(json["display_name"], "Trailhead");
    let json = world.must(&["channel", "update", "production", "--app", "trailhead", "--block"]);
    assert_eq!(json["blocked"], true);
    assert_eq!(world.must(&["channel", "list", "--app", "trailhead"])["channels"][0]["channel_name"], "production");
    let (code, json) = world.run(&["app", "delete", "trailhead"]);
    assert_eq!((code, json["error"]["reason"].as_str()), (5, Some("IN_USE")), "{json}");
    world.must(&["channel", "delete", "production", "--app", "trailhead"]);
    world.must(&["app", "delete", "trailhead"]);
    assert_eq!(world.must(&["app", "list"])["apps"], Value::Array(Vec::new()));
}

#[test]
fn a_release_is_published_ramped_pinned_explained_and_rolled_back() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let release = |version: &str| {
        let path = corpus(&format!("{version}/android/hermes/index.android.bundle")).display().to_string();
        let json = world.must(&with_place(&["release", &path, "--binary-range", "1.x", "--rollout", "5%"]));
        json["releases"][0].clone()
    };
    let first = release("v1");
    assert_eq!((first["label"].as_str(), first["share_ppm"].as_u64()), (Some("v1"), Some(50_000)), "{first}");
    assert_eq!(
        (first["upload"]["state"].as_str(), first["upload"]["engine"].as_str()),
        (Some("ready"), Some("hermes"))
    );
    let second = release("v2");
    assert!(second["upload"]["known_file_count"].as_u64().unwrap() > 0, "assets were sent again: {second}");
    let json = world.must(&with_place(&["rollout", "set", "33.3333%"]));
    assert_eq!(
        (json["releases"][0]["label"].as_str(), json["releases"][0]["share_ppm"].as_u64()),
        (Some("v2"), Some(333_333))
    );
    let json = world.must(&with_place(&["rollout", "pause", "--release", "v1"]));
    assert_eq!(json["releases"][0]["rollout_state"], "paused");
    world.must(&with_place(&["pin", "tester-1", "v2"]));
    let explain = ["explain", "tester-1", "--platform", "android", "--binary", "1.2"];
    let json = world.must(&with_place(&explain));
    assert_eq!((json["label"].as_str(), json["steps"][0]["verdict"].as_str()), (Some("v2"), Some("pinned")), "{json}");
    world.must(&with_place(&["unpin", "tester-1"]));
    assert_eq!(world.must(&with_place(&["pins"]))["pins"], Value::Array(Vec::new()));
    let json = world.must(&with_place(&["rollback", "--to", "v1"]));
    assert_eq!(json["releases"][0]["bundle_sha256"], first["bundle_sha256"]);
    world.must(&["channel", "create", "staging", "--app", "trailhead"]);
    let json = world.must(&with_place(&["promote", "--release", "v2", "--to", "staging"]));
    assert_eq!(
        (json["releases"][0]["label"].as_str(), json["releases"][0]["origin"].as_str()),
        (Some("v1"), Some("promotion"))
    );
    let json = world.must(&["status", "--app", "trailhead"]);
    assert_eq!(json["channels"][0]["releases"][0]["label"], "v3");
    let (code, json) =
        world.run(&["release", "/no/such/file", "--app", "trailhead", "--channel", "x", "--binary-range", "*"]);
    assert_eq!(code, 2, "{json}");
}

/// The `hermesc` of the tool chain that made the corpus, which lies beside it.
fn hermesc() -> String {
    let corpus = std::fs::canonicalize(corpus("")).unwrap();
    let mut caches =
        corpus.ancestors().map(|folder| folder.join("corpus-work/project/node_modules/hermes-compiler/hermesc"));
    let folder = caches.find(|folder| folder.is_dir()).unwrap();
    let platform = if cfg!(target_os = "macos") { "osx-bin" } else { "linux64-bin" };
    folder.join(platform).join("hermesc").display().to_string()
}

#[test]
fn a_script_is_compiled_against_what_is_live_and_the_build_is_remembered() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let hermesc = format!("--hermesc={}", hermesc());
    let place = world.folder.path().join("index.android.bundle");
    let path = place.display().to_string();
    let release = |version: &str| {
        std::fs::copy(corpus(&format!("{version}/android/js/index.android.bundle")), &place).unwrap();
        let mut command = world.command(&with_place(&["release", &path, "--binary-range", "1.x", &hermesc]));
        let output = command.env("XDG_CACHE_HOME", world.folder.path().join("cache")).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{json}");
        json["releases"][0].clone()
    };
    let first = release("v1");
    assert_eq!(
        (first["upload"]["engine"].as_str(), &first["build"]["base"]),
        (Some("hermes"), &Value::Null),
        "{first}"
    );
    assert!(world.folder.path().join("index.android.bundle.hbc.map").is_file());
    let second = release("v2");
    assert_eq!(
        (second["build"]["base"].as_str(), &second["build"]["warnings"]),
        (Some("v1"), &serde_json::json!([])),
        "{second}"
    );
    let kept: Vec<_> = std::fs::read_dir(world.folder.path().join("cache/aloft/bases")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1, "the base is kept for the next time");
    let shown = world.must(&with_place(&["releases", "get", "v2"]));
    assert_eq!(shown["build"]["compiler"], second["build"]["compiler"]);
    assert_eq!(shown["build"]["base_sha256"].as_str(), kept[0].file_name().to_str());
    let (code, json) = world.run(&with_place(&[
        "release",
        &corpus("v1/android/hermes").display().to_string(),
        "--binary-range",
        "1.x",
        &hermesc,
    ]));
    assert_eq!(code, 2, "{json}");
}

#[test]
fn bytecode_gets_the_numbers_of_what_is_live() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let cache = world.folder.path().join("cache");
    let release = |kind: &str, version: &str| {
        let path = corpus(&format!("{version}/android/{kind}/index.android.bundle")).display().to_string();
        let map = corpus(&format!("maps/{version}/android/hermes.map")).display().to_string();
        let how = ["release", &path, "--binary-range", "1.x", "--renumber-strings", "--source-map", &map];
        let output = world.command(&with_place(&how)).env("XDG_CACHE_HOME", &cache).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), json["releases"][0].clone())
    };
    let (_, first) = release("hermes", "v1");
    let why = first["renumbered"]["warning"].as_str().unwrap();
    assert!(first["renumbered"]["base"].is_null() && why.contains("nothing yet"), "{first}");
    for (version, base) in [("v2", "v1"), ("v3", "v2")] {
        let (_, next) = release("hermes", version);
        assert_eq!(next["renumbered"], serde_json::json!({ "base": base, "warning": null }), "{next}");
        assert_eq!(next["upload"]["has_source_map"], true, "{next}");
    }
    // What the last one took as its base is what the server has of the one before.
    let bases = std::fs::read_dir(cache.join("aloft/bases")).unwrap();
    let bases: Vec<_> = bases.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    let [old, new] = ["v1", "v2"]
        .map(|version| std::fs::read(corpus(&format!("{version}/android/hermes/index.android.bundle"))).unwrap());
    let published = delta::renumber_strings(&old, &new).unwrap();
    assert!(bases.contains(&published) && !bases.contains(&new), "{} bases", bases.len());
    let (code, refused) = release("js", "v3");
    assert_eq!(code, 2, "{refused}");
}

#[test]
fn an_export_is_published_for_both_platforms() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let path = corpus("expo/v1").display().to_string();
    let json = world.must(&with_place(&["release", &path, "--runtime-version", "1"]));
    let platforms: Vec<_> = json["releases"].as_array().unwrap().iter().map(|release| &release["platform"]).collect();
    assert_eq!(platforms, ["android", "ios"]);
}

#[test]
fn an_upload_resumes_after_the_command_was_killed() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let path = corpus("v1/android/js").display().to_string();
    let arguments = ["upload", &path, "--app", "trailhead"];
    let slow = [&arguments[..], &["--limit-rate", "100000"]].concat();
    // Killed too early, nothing has arrived; each round gives it twice as long.
    let mut pause = Duration::from_millis(400);
    let begun = Instant::now();
    while world.received_bytes() == 0 {
        assert!(begun.elapsed() < PATIENCE, "no byte of a killed upload is kept");
        let mut killed = world.command(&slow).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(pause);
        killed.kill().unwrap();
        killed.wait().unwrap();
        pause *= 2;
    }
    let json = world.must(&arguments);
    let upload = &json["uploads"][0];
    let (sent, size) = (upload["sent_size_bytes"].as_u64().unwrap(), upload["archive_size_bytes"].as_u64().unwrap());
    assert!(sent < size, "everything was sent again: {upload}");
    assert_eq!(upload["state"], "ready");
}

#[test]
fn two_releases_are_compared_and_a_source_map_comes_back() {
    let world = World::start();
    world.log_in();
    world.make_channel();
    let release = |version: &str| {
        let path = corpus(&format!("{version}/android/hermes/index.android.bundle")).display().to_string();
        let map = corpus(&format!("maps/{version}/android/hermes.map")).display().to_string();
        let json = world.must(&with_place(&["release", &path, "--binary-range", "1.x", "--source-map", &map]));
        assert_eq!(json["releases"][0]["upload"]["has_source_map"], true, "{json}");
        (json["releases"][0]["bundle"].as_str().unwrap().to_owned(), map)
    };
    let (old, map) = release("v1");
    release("v2");
    let json = world.must(&with_place(&["diff", "v1", "v2"]));
    assert_eq!((json["has_modules"].as_bool(), json["old_bundle"].as_str()), (Some(true), Some(old.as_str())));
    let changes = json["changes"].as_array().unwrap();
    let modules = changes.iter().filter(|change| change["subject"] == "module");
    let names: Vec<_> = modules.map(|change| change["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["src/lib/i18n.js", "src/store/basket.js"], "{json}");
    let shown = world.must(&["bundles", "get", &old, "--app", "trailhead"]);
    assert!(shown["contents"]["module_count"].as_u64().unwrap() > 1_000, "{shown}");
    let out = world.folder.path().join("back.map");
    let download = ["bundles", "source-map", &old, "--app", "trailhead", "--out", out.to_str().unwrap()];
    world.must(&download);
    assert!(std::fs::read(&out).unwrap() == std::fs::read(map).unwrap(), "the map came back changed");
    let (code, json) = world.run(&download);
    assert_ne!(code, 0, "a file that is there was replaced: {json}");
    let json = world.must(&["channel", "update", "production", "--app", "trailhead", "--bundle-policy", "refuse"]);
    assert_eq!(json["bundle_policy"], "refuse");
}
