//! This file's job is `aloft credential`: store secrets of an app, sealed, and replace or forget them.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, table};
use bytes::Bytes;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::io::Read as _;
use std::path::Path;

/// The server takes no larger secret.
const SECRET_MAX_BYTES: u64 = 12 << 10;

/// Stores secrets of an app. A secret is read from standard input; nobody can read it again.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Stores a secret.
    #[command(after_help = "Example:\n  aloft credential create play --app shop --kind store-token < token")]
    Create {
        /// Name for people; unique in the app.
        name: String,
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
        /// signing-key, which signs what Expo clients are told (better: `aloft expo key set`), or store-token.
        #[arg(long)]
        kind: String,
    },
    /// Lists an app's credentials, without their secrets.
    List {
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
    },
    /// Puts a new secret in the place of the old one.
    Replace {
        /// The credential's id.
        credential: String,
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
    },
    /// Forgets a credential.
    Delete {
        /// The credential's id.
        credential: String,
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
    },
}

/// A credential without its secret.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Credential")]
pub struct Credential {
    pub name: String,
    pub kind: String,
    pub display_name: String,
    pub master_key: String,
    pub created_by: String,
    pub created_at_us: i64,
    pub replaced_at_us: i64,
}

impl From<v1::Credential> for Credential {
    fn from(row: v1::Credential) -> Self {
        Self {
            name: row.name,
            kind: row.kind,
            display_name: row.display_name,
            master_key: row.master_key,
            created_by: row.created_by,
            created_at_us: row.created_at_us,
            replaced_at_us: row.replaced_at_us,
        }
    }
}

impl Display for Credential {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&table::pairs(&[
            ("credential", self.display_name.clone()),
            ("id", names::short(&self.name).to_owned()),
            ("kind", self.kind.clone()),
            ("replaced", moment::text(self.replaced_at_us)),
        ]))
    }
}

/// An app's credentials.
#[derive(Debug, Serialize)]
pub struct Credentials {
    /// The credentials, oldest first.
    pub credentials: Vec<Credential>,
}

impl Display for Credentials {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |row: &Credential| {
            let id = names::short(&row.name).to_owned();
            vec![row.display_name.clone(), row.kind.clone(), moment::text(row.replaced_at_us), id]
        };
        let rows: Vec<_> = self.credentials.iter().map(row).collect();
        f.write_str(&table::text(&["credential", "kind", "replaced", "id"], &rows))
    }
}

/// A credential that is gone.
#[derive(Debug, Serialize)]
pub struct Deleted {
    /// Its full name.
    pub name: String,
}

impl Display for Deleted {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was forgotten.", names::short(&self.name))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { name, app, kind } => {
            let (parent, secret) = (names::app(&app)?, read_secret()?);
            let request = v1::CreateCredentialRequest { parent, kind, display_name: name, secret };
            show(connection.answer(connection.credentials().create_credential(request).await)?.credential)
        }
        Command::List { app } => {
            let request = v1::ListCredentialsRequest { parent: names::app(&app)? };
            let answer = connection.answer(connection.credentials().list_credentials(request).await)?;
            let credentials = answer.credentials.into_iter().map(Credential::from).collect();
            Ok(Box::new(Credentials { credentials }))
        }
        Command::Replace { credential, app } => {
            let request =
                v1::ReplaceCredentialRequest { name: names::credential(&app, &credential)?, secret: read_secret()? };
            show(connection.answer(connection.credentials().replace_credential(request).await)?.credential)
        }
        Command::Delete { credential, app } => {
            let name = names::credential(&app, &credential)?;
            let request = v1::DeleteCredentialRequest { name: name.clone() };
            connection.answer(connection.credentials().delete_credential(request).await)?;
            Ok(Box::new(Deleted { name }))
        }
    }
}

fn show(row: Option<v1::Credential>) -> Result<AnyReport, Error> {
    Ok(Box::new(Credential::from(row.ok_or_else(|| Error::missing("the credential"))?)))
}

/// Reads it without its last line feed. One byte more than the server takes, so that it can say that this is too much.
fn read_secret() -> Result<Bytes, Error> {
    let mut secret = Vec::new();
    let mut input = std::io::stdin().lock().take(SECRET_MAX_BYTES + 2);
    input.read_to_end(&mut secret).map_err(|source| Error::file(Path::new("standard input"), source))?;
    if secret.ends_with(b"\n") {
        secret.pop();
    }
    Ok(secret.into())
}
