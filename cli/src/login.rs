//! This file's job is `aloft login`: check a key and keep it.

use crate::connection::Connection;
use crate::error::Error;
use crate::progress::Progress;
use crate::report::AnyReport;
use crate::settings::{DEFAULT_SERVER, Settings};
use crate::whoami;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

/// Longer input is no key.
const KEY_MAX_BYTES: u64 = 4_096;

/// Checks an API key and keeps it with the server's address.
///
/// The key is taken from --api-key, from ALOFT_API_KEY, or from standard input. It is kept in
/// $XDG_CONFIG_HOME/aloft/config.toml, which only you can read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aloft login --server https://aloft.example.com\n  aloft login --server http://127.0.0.1:8070 < first-key"
)]
pub struct Arguments {}

/// Checks the key with the server, then writes the settings.
pub async fn run(
    server: Option<&str>,
    api_key: Option<&str>,
    settings: Settings,
    path: &Path,
    progress: Progress,
) -> Result<AnyReport, Error> {
    let server = server.map(str::to_owned).or(settings.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let api_key = match api_key {
        Some(api_key) => api_key.to_owned(),
        None => read_key(&server)?,
    };
    let connection = Connection::new(&server, &api_key, progress)?;
    let caller = whoami::caller(&connection).await?;
    Settings { server: Some(server), api_key: Some(api_key) }.write(path)?;
    Ok(Box::new(caller))
}

fn read_key(server: &str) -> Result<String, Error> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "API key for {server}: ");
        let _ = stderr.flush();
    }
    let mut line = String::new();
    let mut input = std::io::Read::take(stdin.lock(), KEY_MAX_BYTES);
    input.read_line(&mut line).map_err(|source| Error::file(Path::new("standard input"), source))?;
    let key = line.trim();
    if key.is_empty() {
        return Err(Error::Usage(
            "no API key was given: pass --api-key, set ALOFT_API_KEY, or write it to standard input".to_owned(),
        ));
    }
    Ok(key.to_owned())
}
