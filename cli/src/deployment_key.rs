//! This file's job is `aloft deployment-key`: make, take over, list and delete the keys that apps with a CodePush client have.

use crate::channel_address::ChannelAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::platform::{self, OnePlatform};
use crate::report::AnyReport;
use crate::{moment, table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Makes, takes over, lists and deletes the keys that apps with a CodePush client have.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a key for a channel, or takes over the one that apps in the field have.
    #[command(after_help = "Examples:
  aloft deployment-key create --platform ios --app trailhead --channel production
  aloft deployment-key create --platform ios --app trailhead --channel production --import Wq3vP9LkXo2TzB7")]
    Create {
        /// What the apps with this key run on.
        #[arg(long, value_enum)]
        platform: OnePlatform,
        /// A key that apps have already, from another CodePush server.
        #[arg(long, value_name = "KEY")]
        import: Option<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
    /// Lists the keys of a channel.
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
    /// Deletes a key: apps that have it get no updates any more. Importing it brings them back.
    Delete {
        /// The key.
        key: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
}

/// A key.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.DeploymentKey")]
pub struct Key {
    pub key: String,
    pub platform: &'static str,
    pub created_by: String,
    pub created_at_us: i64,
}

impl From<v1::DeploymentKey> for Key {
    fn from(key: v1::DeploymentKey) -> Self {
        let platform = platform::text(key.platform());
        Self { platform, key: key.key, created_by: key.created_by, created_at_us: key.created_at_us }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} ({})", self.key, self.platform)
    }
}

/// All keys of a channel.
#[derive(Debug, Serialize)]
pub struct Keys {
    /// The keys, sorted.
    pub deployment_keys: Vec<Key>,
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |one: &Key| {
            vec![one.key.clone(), one.platform.to_owned(), one.created_by.clone(), moment::text(one.created_at_us)]
        };
        let rows: Vec<_> = self.deployment_keys.iter().map(row).collect();
        f.write_str(&table::text(&["key", "platform", "by", "created"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { platform, import, address } => {
            let request = v1::CreateDeploymentKeyRequest {
                parent: address.name()?,
                platform: platform::wire(platform.domain()).into(),
                deployment_key: import.unwrap_or_default(),
                request_id: request_id(),
            };
            let answer = connection.answer(connection.deployment_keys().create_deployment_key(request).await)?;
            Ok(Box::new(Key::from(answer.deployment_key.ok_or_else(|| Error::missing("the key"))?)))
        }
        Command::List { address } => {
            let request = v1::ListDeploymentKeysRequest { parent: address.name()? };
            let answer = connection.answer(connection.deployment_keys().list_deployment_keys(request).await)?;
            let deployment_keys = answer.deployment_keys.into_iter().map(Into::into).collect();
            Ok(Box::new(Keys { deployment_keys }))
        }
        Command::Delete { key, address } => {
            let request = v1::DeleteDeploymentKeyRequest { parent: address.name()?, deployment_key: key.clone() };
            connection.answer(connection.deployment_keys().delete_deployment_key(request).await)?;
            Ok(Box::new(view::Deleted { deleted: key }))
        }
    }
}
