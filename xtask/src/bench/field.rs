//! This file's job is to set up a real, published app that suites measure on: everything optimised, in a temporary folder.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::Bench;
use super::load::Request;
use crate::corpus;
use crate::supervisor::Running;
use crate::up::cargo;

/// A loaded machine starts everything in a few seconds.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(20);
/// Protects nothing of worth: the server listens on loopback for the time of a benchmark.
const EDGE_TOKEN: &str = "benchmark-edge-token-benchmark-edge-token";

/// The whole platform in one process, and the app in it.
pub struct Field<'a> {
    bench: &'a Bench<'a>,
    folder: TempDir,
    corpus: PathBuf,
    binaries: PathBuf,
    server: Option<Running>,
    control_plane_port: u16,
    /// Where devices connect.
    pub edge_port: u16,
    /// The app's id.
    pub app: String,
}

impl<'a> Field<'a> {
    /// Builds, starts and publishes the first version of the example app for Android, as Hermes bytecode.
    pub fn set_up(bench: &'a Bench<'a>) -> Result<Self> {
        let packages = ["standalone", "cli", "edge-proxy"].map(|package| ["--package", package]);
        bench
            .supervisor
            .run(cargo(bench.places).args(["build", "--quiet", "--release"]).args(packages.iter().flatten()))?;
        let corpus = corpus::ensure(bench.places, bench.supervisor)?;
        let binaries = target_folder(bench)?.join("release");
        let folder = tempfile::Builder::new().prefix("aloft-bench-").tempdir().context("cannot make a folder")?;
        let mut field = Self {
            bench,
            folder,
            corpus,
            binaries,
            server: None,
            control_plane_port: free_port()?,
            edge_port: free_port()?,
            app: String::new(),
        };
        field.start_all()?;
        let app = field.aloft(&["app", "create", "trailhead"])?;
        field.app = text(&app, "app_id")?;
        field.aloft(&["channel", "create", "production", "--app", "trailhead"])?;
        field.release("v1")?;
        Ok(field)
    }

    fn start_all(&mut self) -> Result<()> {
        let mut command = Command::new(self.binaries.join("aloft-standalone"));
        command.arg("--data-dir").arg(self.folder.path());
        command.arg("--control-plane-port").arg(self.control_plane_port.to_string());
        command.arg("--edge-port").arg(self.edge_port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log("standalone")?);
        self.server = Some(self.bench.supervisor.spawn(&mut command, Signal::TERM)?);
        wait_until("the server", || {
            Ok(listens(self.edge_port)
                && listens(self.control_plane_port)
                && self.folder.path().join("first-key").is_file())
        })
    }

    /// The process id of the whole platform.
    pub fn server_id(&self) -> Result<u32> {
        Ok(self.server.as_ref().context("the server was stopped")?.id())
    }

    /// Where programs connect.
    pub fn control_plane_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.control_plane_port)
    }

    /// The owner's key.
    pub fn first_key(&self) -> Result<String> {
        let key = fs::read_to_string(self.folder.path().join("first-key")).context("the server made no key")?;
        Ok(key.trim().to_owned())
    }

    /// The secret that the server made for its edge.
    pub fn edge_token(&self) -> Result<String> {
        let secrets = fs::read_to_string(self.folder.path().join("secrets.toml")).context("there are no secrets")?;
        let token = secrets.lines().find_map(|line| line.strip_prefix("edge_token = "));
        Ok(token.context("the server made no token")?.trim_matches('"').to_owned())
    }

    /// Where the bench may put files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The bundled example app.
    pub fn bundle(&self, version: &str) -> PathBuf {
        self.corpus.join(version).join("android/hermes")
    }

    /// Publishes a version for everybody and returns the release.
    pub fn release(&self, version: &str) -> Result<Value> {
        let bundle = self.bundle(version).display().to_string();
        let options =
            ["--app", "trailhead", "--channel", "production", "--platform", "android", "--binary-range", "1.x"];
        let mut arguments = vec!["release", &bundle];
        arguments.extend(options);
        self.aloft(&arguments)
    }

    /// Runs the command line and returns its JSON.
    pub fn aloft(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(self.binaries.join("aloft"));
        command.args(arguments).arg("--json").stdin(Stdio::null());
        command.env("ALOFT_SERVER", self.control_plane_url());
        command.env("ALOFT_API_KEY", self.first_key()?);
        let output = command.output().context("aloft does not start")?;
        let shown = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "aloft {}: {shown}", arguments.join(" "));
        serde_json::from_str(&shown).with_context(|| format!("aloft {} printed no JSON", arguments.join(" ")))
    }

    /// Registers a device and returns its token.
    pub fn register_device(&self, number: usize) -> Result<String> {
        let body = format!(
            r#"{{"app":"{}","channel":"production","platform":"android","binary":"1.4.0","nonce":"{number:064x}"}}"#,
            self.app
        );
        let request = format!(
            "POST /v1/devices/register HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let (_, answer) = exchange(self.edge_port, &request)?;
        text(&serde_json::from_slice(&answer)?, "token")
    }

    /// The path and query of an update check by a device that runs its embedded bundle.
    pub fn check_path(&self) -> String {
        format!("/v1/updates?app={}&channel=production&platform=android&binary=1.4.0&formats=dcz", self.app)
    }

    /// Asks for an update and returns head and body of the answer.
    pub fn check(&self, path: &str, token: &str) -> Result<(String, Vec<u8>)> {
        self.ask(&Request::by_device(path, token))
    }

    /// Gets a path and returns head and body of the answer.
    pub fn get(&self, path: &str) -> Result<(String, Vec<u8>)> {
        self.ask(&Request { path: path.to_owned(), headers: Vec::new() })
    }

    /// Makes a request and returns head and body of the answer.
    pub fn ask(&self, request: &Request) -> Result<(String, Vec<u8>)> {
        ask(self.edge_port, request)
    }

    /// Stops the platform and starts the edge alone, on one core, over the same folder: it answers from what it has on disk.
    pub fn edge_alone(&mut self, core: usize) -> Result<Running> {
        self.server = None;
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(self.binaries.join("aloft-edge"));
        self.configure_edge(&mut command)?;
        let edge = self.bench.supervisor.spawn(&mut command, Signal::TERM)?;
        wait_until("the edge", || Ok(listens(self.edge_port)))?;
        Ok(edge)
    }

    /// The command that runs the edge alone.
    pub fn edge_command(&self) -> Result<Command> {
        let mut command = Command::new(self.binaries.join("aloft-edge"));
        self.configure_edge(&mut command)?;
        Ok(command)
    }

    fn configure_edge(&self, command: &mut Command) -> Result<()> {
        command.env("ALOFT_EDGE__LISTEN", format!("127.0.0.1:{}", self.edge_port));
        command.env("ALOFT_EDGE__ADMIN_LISTEN", format!("127.0.0.1:{}", free_port()?));
        command.env("ALOFT_EDGE__DATA_FOLDER", self.folder.path().join("edge"));
        command.env("ALOFT_EDGE__CONTROL_PLANE", format!("http://127.0.0.1:{}", self.control_plane_port));
        command.env("ALOFT_EDGE__TOKEN", EDGE_TOKEN);
        // All load comes from one address for one app: counted as always, but never refused.
        command.env("ALOFT_EDGE__ADDRESS_REQUESTS_PER_S", "1000000000");
        command.env("ALOFT_EDGE__APP_REQUESTS_PER_S", "1000000000");
        command.env("ALOFT_EDGE__CLASS_REQUESTS_PER_S", "1000000000");
        command.env("ALOFT_EDGE__REGISTRATIONS_PER_S", "1000000000");
        command.env("ALOFT_STORE__URL", self.folder.path().join("store"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log("edge")?);
        Ok(())
    }

    fn log(&self, name: &str) -> Result<Stdio> {
        let path = self.folder.path().join(format!("{name}.log"));
        Ok(fs::File::options().create(true).append(true).open(path).context("cannot write a log")?.into())
    }
}

/// Makes a request to a server on this machine and returns head and body of the answer.
pub fn ask(port: u16, request: &Request) -> Result<(String, Vec<u8>)> {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(port, &format!("GET {} HTTP/1.1\r\nHost: edge\r\n{headers}Connection: close\r\n\r\n", request.path))
}

fn exchange(port: u16, request: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("the server does not listen")?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("the answer has no head")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    ensure!(head.starts_with("HTTP/1.1 2"), "the server said: {head}");
    Ok((head, answer.split_off(end + 4)))
}

pub fn target_folder(bench: &Bench<'_>) -> Result<PathBuf> {
    let output = cargo(bench.places).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    Ok(text(&serde_json::from_slice(&output.stdout)?, "target_directory")?.into())
}

/// Reads a text out of a JSON document.
pub fn text(document: &Value, key: &str) -> Result<String> {
    document[key].as_str().map(str::to_owned).with_context(|| format!("there is no `{key}` in {document}"))
}

/// A port that is free now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port())
}

/// Whether somebody accepts connections on the port.
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits for a condition, for as long as a start may take.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > START_DEADLINE {
            bail!("{what} is not ready after {START_DEADLINE:?}");
        }
        thread::sleep(POLL);
    }
    Ok(())
}
