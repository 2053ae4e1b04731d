//! This file's job is `aloft expo`: prepare an app for updates that its owner signs.

mod identity;
mod publishing;
mod server_key;
mod signing;

pub use publishing::{Exported, Publication, Publishing};
pub use signing::{Signer, Signing};

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::names;
use crate::report::AnyReport;
use identity::Identity;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

/// What apps call their key.
const KEY_ID: &str = "main";

/// Prepares an Expo app for updates from here.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a key and its certificate, and shows what to write into the app's configuration.
    #[command(
        after_help = "Example:\n  aloft expo init --app trailhead --channel production --edge-url https://updates.example.com"
    )]
    Init {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
        /// Where devices reach an edge.
        #[arg(long, env = "ALOFT_EDGE_URL", value_name = "URL")]
        edge_url: String,
        /// The folder for the certificate, which comes with the app.
        #[arg(long, value_name = "FOLDER", default_value = "certs")]
        certificate_folder: PathBuf,
        /// The folder for the private key, which stays with you: keep it out of the repository.
        #[arg(long, value_name = "FOLDER", default_value = "keys")]
        key_folder: PathBuf,
        /// For how many years the certificate is good.
        #[arg(long, value_name = "YEARS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
        valid_years: u16,
        /// Have the server keep the private key, sealed, and sign with it; no file with the key is written.
        #[arg(long, conflicts_with = "key_folder")]
        key_on_server: bool,
    },
    /// Has the server keep the key, or forget it.
    #[command(subcommand)]
    Key(server_key::Command),
}

/// What was made, and what the app must say.
#[derive(Debug, Serialize)]
pub struct Prepared {
    /// The file with the private key; absent when the server keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PathBuf>,
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// What belongs into the app's configuration.
    pub config: serde_json::Value,
}

impl Display for Prepared {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let config = serde_json::to_string_pretty(&self.config).unwrap_or_default();
        match &self.private_key {
            Some(file) => writeln!(f, "private key  {}", file.display())?,
            None => writeln!(f, "private key  kept by the server")?,
        }
        writeln!(f, "certificate  {}", self.certificate.display())?;
        writeln!(f, "\nWrite this into app.json, and build the app anew:\n\n{config}")
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Key(command) => server_key::run(command, connection).await,
        Command::Init { address, edge_url, certificate_folder, key_folder, valid_years, key_on_server } => {
            let key_folder = (!key_on_server).then_some(key_folder);
            init(connection, &address, &edge_url, (&certificate_folder, key_folder.as_deref()), valid_years).await
        }
    }
}

/// Makes a key and its certificate; without a folder for the key, the server gets it.
async fn init(
    connection: &Connection,
    address: &ChannelAddress,
    edge_url: &str,
    (certificate_folder, key_folder): (&Path, Option<&Path>),
    valid_years: u16,
) -> Result<AnyReport, Error> {
    let request = v1::GetAppRequest { name: names::app(&address.app)? };
    let app = connection.answer(connection.apps().get_app(request).await)?.app;
    let app = app.ok_or_else(|| Error::missing("the app"))?;
    let identity = Identity::generate(&app.slug, valid_years)?;
    let certificate = write_new(certificate_folder, "certificate.pem", &identity.certificate, false)?;
    let kept = match key_folder {
        Some(folder) => write_new(folder, "private-key.pem", &identity.private_key, true).map(Some),
        None => server_key::create(connection, &app.name, identity.private_key.into()).await.map(|_| None),
    };
    // A certificate is worth nothing without its key.
    let private_key = kept.inspect_err(|_| drop(std::fs::remove_file(&certificate)))?;
    let config = serde_json::json!({"updates": {
        "url": format!("{}{}{}", edge_url.trim_end_matches('/'), domain::expo::PATH, app.app_id),
        "requestHeaders": {"expo-channel-name": names::short(&address.name()?)},
        "codeSigningCertificate": format!("./{}", certificate.display()),
        "codeSigningMetadata": {"keyid": KEY_ID, "alg": "rsa-v1_5-sha256"},
    }});
    Ok(Box::new(Prepared { private_key, certificate, config }))
}

/// Never writes over a file: devices may trust what is in it.
fn write_new(folder: &Path, name: &str, text: &str, is_secret: bool) -> Result<PathBuf, Error> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if is_secret { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    let file = folder.join(name);
    let written = options.open(&file).and_then(|mut open| open.write_all(text.as_bytes()));
    written.map(|()| file.clone()).map_err(|source| Error::file(&file, source))
}
