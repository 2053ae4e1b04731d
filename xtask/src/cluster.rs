//! This file's job is to run a private PostgreSQL cluster that is gone afterwards.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::supervisor::{Running, Supervisor};

/// How long a fresh cluster may take to accept connections; it takes about a second on an idle machine.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(50);
/// Another process can take the free port between finding and using it.
const START_ATTEMPTS: usize = 3;

/// A running cluster; dropping it stops the server and deletes its files.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    // Fields drop in this order: the server stops before its folder goes.
    _server: Running,
    _folder: TempDir,
}

/// What must survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the cluster is thrown away.
    None,
    /// Everything that was committed, as in production, so that measured commits cost what they cost there.
    Real,
}

/// The account the server runs as: it refuses to run as root.
#[derive(Debug, Clone, Copy)]
struct Account {
    user_id: u32,
    group_id: u32,
}

impl Cluster {
    /// Creates and starts a cluster; fails with what to install when PostgreSQL is missing.
    pub fn start(supervisor: &Supervisor, durability: Durability) -> Result<Self> {
        let binaries = find_binaries()?;
        let account = geteuid().is_root().then(unprivileged_account).transpose()?;
        let folder = tempfile::Builder::new().prefix("aloft-postgres-").tempdir().context("cannot make a folder")?;
        let password = random_password()?;
        initialise(supervisor, &binaries, folder.path(), account, &password)?;
        for _ in 0..START_ATTEMPTS {
            let port = free_port()?;
            let mut server = launch(supervisor, &binaries, folder.path(), account, port, durability)?;
            if wait_until_ready(supervisor, folder.path(), &mut server)? {
                let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
                return Ok(Self { url, _server: server, _folder: folder });
            }
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        bail!("PostgreSQL did not start; its log:\n{log}");
    }

    /// Where tests connect as superuser.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The folder of `initdb` and `postgres`: on the path, or where Debian keeps them.
fn find_binaries() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    folders
        .into_iter()
        .find(|folder| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file()))
        .context("no PostgreSQL server found: run ./x, which installs it, or install the package `postgresql`")
}

fn unprivileged_account() -> Result<Account> {
    let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| find_account(&accounts, name))
        .context("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")
}

fn find_account(accounts: &str, name: &str) -> Option<Account> {
    let fields: Vec<&str> =
        accounts.lines().map(|line| line.split(':').collect()).find(|fields: &Vec<&str>| fields[0] == name)?;
    Some(Account { user_id: fields.get(2)?.parse().ok()?, group_id: fields.get(3)?.parse().ok()? })
}

fn command_as(account: Option<Account>, program: &Path) -> Command {
    let Some(account) = account else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={}", account.user_id)).arg(format!("--regid={}", account.group_id));
    command.arg("--clear-groups").arg(program);
    command
}

fn initialise(
    supervisor: &Supervisor,
    binaries: &Path,
    folder: &Path,
    account: Option<Account>,
    password: &str,
) -> Result<()> {
    let password_file = folder.join("password");
    fs::write(&password_file, password).context("cannot write the password file")?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
    let log = folder.join("log");
    let output = File::create(&log).context("cannot create the log")?;
    if let Some(account) = account {
        for path in [folder, &password_file, &log] {
            chown(path, Some(account.user_id), Some(account.group_id)).context("cannot hand the folder over")?;
        }
    }
    supervisor.run(
        command_as(account, &binaries.join("initdb"))
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
            // A clear password over loopback: scram would cost thousands of hash rounds in every test.
            .args(["--auth-local=trust", "--auth-host=password"])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(format!("--pgdata={}", folder.join("data").display()))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output),
    )
}

fn launch(
    supervisor: &Supervisor,
    binaries: &Path,
    folder: &Path,
    account: Option<Account>,
    port: u16,
    durability: Durability,
) -> Result<Running> {
    let log = File::options().append(true).open(folder.join("log")).context("cannot open the log")?;
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", folder.display()),
        "max_connections=200".to_owned(),
    ];
    let careless = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned);
    let mut command = command_as(account, &binaries.join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-p").arg(port.to_string());
    let careless = careless.into_iter().filter(|_| durability == Durability::None);
    for setting in settings.into_iter().chain(careless) {
        command.arg("-c").arg(setting);
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    supervisor.spawn(&mut command, Signal::INT)
}

/// False when the server ended by itself, which a taken port causes.
fn wait_until_ready(supervisor: &Supervisor, folder: &Path, server: &mut Running) -> Result<bool> {
    let started = Instant::now();
    while started.elapsed() < START_DEADLINE {
        supervisor.refuse_when_interrupted()?;
        if server.has_ended()?.is_some() {
            return Ok(false);
        }
        // The eighth line of the lock file is the server's state (PostgreSQL's src/include/miscadmin.h).
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Ok(true);
        }
        thread::sleep(POLL);
    }
    bail!("PostgreSQL (process {}) was not ready after {START_DEADLINE:?}", server.id());
}

pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?.port())
}

fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes).context("cannot read /dev/urandom")?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// The first message of the protocol's start-up (SSLRequest) needs no login; a server without TLS answers `N`.
    fn ask_for_tls(url: &str) -> u8 {
        let address = url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        answer[0]
    }

    #[test]
    fn a_cluster_runs_and_leaves_nothing_behind() {
        let supervisor = Supervisor::new().unwrap();
        let cluster = Cluster::start(&supervisor, Durability::None).unwrap();
        let folder = cluster._folder.path().to_path_buf();
        let server_id = cluster._server.id();
        assert_eq!(ask_for_tls(cluster.url()), b'N');
        drop(cluster);
        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{server_id}")).exists());
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "postgresql:x:1:2::/:\npostgres:x:108:113:PostgreSQL:/:/bin/sh\n";
        assert_eq!(find_account(accounts, "postgres").map(|account| account.user_id), Some(108));
        assert!(find_account(accounts, "nobody").is_none());
    }
}
