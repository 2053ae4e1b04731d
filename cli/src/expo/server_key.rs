//! This file's job is `aloft expo key`: have the server keep an app's key, so that it signs.

use super::KEY_ID;
use super::signing::read;
use crate::channel_address::AppAddress;
use crate::connection::Connection;
use crate::credential::{Credential, Deleted};
use crate::error::Error;
use crate::report::AnyReport;
use bytes::Bytes;
use proto::v1;
use std::path::PathBuf;

/// What the server calls such a credential.
const KIND: &str = "signing-key";

/// Has the server keep the key, sealed: it signs what is published without a key of yours. Nobody can read the key again.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Hands the key over, or another one in its place.
    #[command(after_help = "Example:\n  aloft expo key set --app trailhead --private-key-path keys/private-key.pem")]
    Set {
        #[command(flatten)]
        app: AppAddress,
        /// The RSA key, a file in PEM.
        #[arg(long, value_name = "FILE", env = "ALOFT_EXPO_PRIVATE_KEY_PATH")]
        private_key_path: PathBuf,
        /// Certificates between the key and the one in the app, leaf first, a file in PEM.
        #[arg(long, value_name = "FILE")]
        certificate_chain_path: Option<PathBuf>,
        /// The name of the key in the app's configuration.
        #[arg(long, value_name = "NAME", default_value = KEY_ID)]
        key_id: String,
    },
    /// Shows which key the server keeps, without the key.
    Get {
        #[command(flatten)]
        app: AppAddress,
    },
    /// Has the server forget the key. What was signed stays signed.
    Delete {
        #[command(flatten)]
        app: AppAddress,
    },
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Set { app, private_key_path, certificate_chain_path, key_id } => {
            // The server takes the key and its certificates in one piece, as web servers do.
            let mut pem = read(&private_key_path)?;
            if let Some(path) = certificate_chain_path {
                pem.push(b'\n');
                pem.extend(read(&path)?);
            }
            set(connection, &app.name()?, key_id, pem.into()).await
        }
        Command::Get { app } => {
            let kept = find(connection, &app.name()?).await?;
            Ok(Box::new(Credential::from(kept.ok_or_else(none_kept)?)))
        }
        Command::Delete { app } => {
            let name = find(connection, &app.name()?).await?.ok_or_else(none_kept)?.name;
            let request = v1::DeleteCredentialRequest { name: name.clone() };
            connection.answer(connection.credentials().delete_credential(request).await)?;
            Ok(Box::new(Deleted { name }))
        }
    }
}

/// Stores a key, in the place of another one of the same name.
async fn set(connection: &Connection, app: &str, key_id: String, secret: Bytes) -> Result<AnyReport, Error> {
    let stored = match find(connection, app).await? {
        None => store(connection, app, key_id, secret).await?,
        Some(kept) if kept.display_name == key_id => {
            let request = v1::ReplaceCredentialRequest { name: kept.name, secret };
            connection.answer(connection.credentials().replace_credential(request).await)?.credential
        }
        Some(kept) => {
            let message = format!("the server keeps the key \"{}\": delete it first", kept.display_name);
            return Err(Error::Usage(message));
        }
    };
    Ok(Box::new(Credential::from(stored.ok_or_else(|| Error::missing("the credential"))?)))
}

/// Stores the first key of an app, under the name that apps call it by.
pub(super) async fn create(connection: &Connection, app: &str, secret: Bytes) -> Result<(), Error> {
    store(connection, app, KEY_ID.to_owned(), secret).await.map(drop)
}

async fn store(
    connection: &Connection,
    app: &str,
    key_id: String,
    secret: Bytes,
) -> Result<Option<v1::Credential>, Error> {
    let (parent, kind) = (app.to_owned(), KIND.to_owned());
    let request = v1::CreateCredentialRequest { parent, kind, display_name: key_id, secret };
    Ok(connection.answer(connection.credentials().create_credential(request).await)?.credential)
}

async fn find(connection: &Connection, app: &str) -> Result<Option<v1::Credential>, Error> {
    let request = v1::ListCredentialsRequest { parent: app.to_owned() };
    let kept = connection.answer(connection.credentials().list_credentials(request).await)?.credentials;
    Ok(kept.into_iter().find(|credential| credential.kind == KIND))
}

fn none_kept() -> Error {
    Error::Usage("the server keeps no key of this app".to_owned())
}
