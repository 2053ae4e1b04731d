//! This file's job is `aloft login`: get a credential and keep it.

use crate::connection::Connection;
use crate::error::Error;
use crate::progress::Progress;
use crate::report::AnyReport;
use crate::settings::{DEFAULT_SERVER, Settings};
use crate::whoami;
use proto::v1::{self, LoginState};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer input is no key.
const KEY_MAX_BYTES: u64 = 4_096;
/// A server that names no interval, or a strange one, is asked this often.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);
/// Longer than the server keeps codes; only bounds a server that never ends a login.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Logs you in through a browser, or checks an API key, and keeps what came of it.
///
/// With a terminal: open the page that is shown, on any machine, and approve the login there. An API key is taken from --api-key, from
/// ALOFT_API_KEY, or from standard input. What is kept lies in $XDG_CONFIG_HOME/aloft/config.toml, which only you can read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aloft login --server https://aloft.example.com\n  aloft login --server http://127.0.0.1:8070 < first-key"
)]
pub struct Arguments {
    /// Log in through a browser although standard input is no terminal.
    #[arg(long)]
    browser: bool,
}

/// Gets a credential, checks it with the server, then writes the settings.
pub async fn run(
    arguments: Arguments,
    server: Option<&str>,
    api_key: Option<&str>,
    settings: Settings,
    path: &Path,
    progress: Progress,
) -> Result<AnyReport, Error> {
    let server = server.map(str::to_owned).or(settings.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let (api_key, session) = match api_key {
        Some(api_key) => (Some(api_key.to_owned()), None),
        None if arguments.browser || std::io::stdin().is_terminal() => {
            (None, Some(through_browser(&server, progress).await?))
        }
        None => (Some(read_key()?), None),
    };
    let settings = Settings { server: Some(server.clone()), api_key, session };
    if settings.session.is_some() {
        // The server has just made it. Somebody who belongs to nothing, or to several organizations, is logged in all the same.
        settings.write(path)?;
    }
    let connection = Connection::new(&server, settings.credential(), progress)?;
    let caller = whoami::caller(&connection).await?;
    settings.write(path)?;
    Ok(Box::new(caller))
}

fn read_key() -> Result<String, Error> {
    let mut line = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), KEY_MAX_BYTES);
    input.read_line(&mut line).map_err(|source| Error::file(Path::new("standard input"), source))?;
    let key = line.trim();
    if key.is_empty() {
        let message =
            "no API key was given: pass --api-key, set ALOFT_API_KEY, write it to standard input, or use --browser";
        return Err(Error::Usage(message.to_owned()));
    }
    Ok(key.to_owned())
}

/// Shows the person where to go, and waits until they have decided.
async fn through_browser(server: &str, progress: Progress) -> Result<String, Error> {
    let connection = Connection::new(server, None, progress)?;
    let client = format!("aloft {} ({})", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let begun = connection.answer(connection.sign_in().start_login(v1::StartLoginRequest { client }).await)?;
    // Whoever logs in must see this, whatever standard output is for.
    let mut stderr = std::io::stderr();
    let _ = writeln!(
        stderr,
        "Open {}\nand check that it shows the code {}. Waiting…",
        begun.verification_uri_complete, begun.user_code
    );
    wait(&connection, &begun).await
}

async fn wait(connection: &Connection, begun: &v1::StartLoginResponse) -> Result<String, Error> {
    let started = Instant::now();
    let mut interval = seconds(begun.interval_seconds);
    while started.elapsed() < PATIENCE {
        tokio::time::sleep(interval).await;
        let request = v1::PollLoginRequest { device_code: begun.device_code.clone() };
        let polled = match connection.answer(connection.sign_in().poll_login(request).await) {
            Ok(polled) => polled,
            // The person may still be reading when the network comes back.
            Err(error) if error.exit() == crate::exit::Exit::Unavailable => continue,
            Err(error) => return Err(error),
        };
        match polled.state() {
            LoginState::Approved if !polled.session_token.is_empty() => return Ok(polled.session_token),
            LoginState::Pending | LoginState::SlowDown => interval = seconds(polled.interval_seconds),
            LoginState::Approved | LoginState::Unspecified => return Err(Error::missing("the session's token")),
        }
    }
    Err(Error::Answer("the login does not end".to_owned()))
}

fn seconds(count: i64) -> Duration {
    u64::try_from(count).ok().filter(|count| (1..=60).contains(count)).map_or(INTERVAL_DEFAULT, Duration::from_secs)
}
