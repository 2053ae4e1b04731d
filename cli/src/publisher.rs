//! This file's job is `aloft publisher`: say which workflows may publish without a key.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{names, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// GitHub's own service.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// Says which workflows of GitHub Actions and GitLab CI may publish without a stored key.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lets a workflow of a repository publish to a channel.
    #[command(
        after_help = "Example:\n  gh api repos/acme/shop --jq '.id, .owner.id'\n  aloft publisher add --app shop --channel production --repository acme/shop --repository-id 74 --owner-id 65 --workflow .github/workflows/release.yml"
    )]
    Add(Add),
    /// Lists an app's publishers.
    List {
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
    },
    /// Removes a publisher.
    Remove {
        /// The publisher's id.
        publisher: String,
        /// The app, by short name or id.
        #[arg(long, env = "ALOFT_APP")]
        app: String,
    },
}

/// What may publish.
#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// Who says what runs: GitHub's or GitLab's issuer of tokens.
    #[arg(long, value_name = "URL", default_value = GITHUB)]
    issuer: String,
    /// The repository's path, for people.
    #[arg(long, value_name = "OWNER/NAME")]
    repository: String,
    /// The repository's number at its forge.
    #[arg(long, value_name = "NUMBER")]
    repository_id: String,
    /// The number of the repository's owner; on GitLab of the namespace.
    #[arg(long, value_name = "NUMBER")]
    owner_id: String,
    /// The path of the workflow's file in the repository.
    #[arg(long, value_name = "PATH")]
    workflow: String,
    /// The only environment that it may run in.
    #[arg(long, default_value = "", hide_default_value = true)]
    environment: String,
    /// The only branch or tag that it may run for, for instance refs/heads/main.
    #[arg(long = "ref", value_name = "REF", default_value = "", hide_default_value = true)]
    reference: String,
}

/// A publisher.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.TrustedPublisher")]
pub struct Publisher {
    pub name: String,
    pub channel: String,
    pub issuer: String,
    pub repository: String,
    pub repository_id: String,
    pub owner_id: String,
    pub workflow: String,
    pub environment: String,
    pub r#ref: String,
    pub created_by: String,
    pub created_at_us: i64,
}

impl From<v1::TrustedPublisher> for Publisher {
    fn from(row: v1::TrustedPublisher) -> Self {
        Self {
            name: row.name,
            channel: row.channel,
            issuer: row.issuer,
            repository: row.repository,
            repository_id: row.repository_id,
            owner_id: row.owner_id,
            workflow: row.workflow,
            environment: row.environment,
            r#ref: row.r#ref,
            created_by: row.created_by,
            created_at_us: row.created_at_us,
        }
    }
}

impl Display for Publisher {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let any = |text: &str| if text.is_empty() { "any".to_owned() } else { text.to_owned() };
        f.write_str(&table::pairs(&[
            ("publisher", names::short(&self.name).to_owned()),
            ("repository", format!("{} ({} of {})", self.repository, self.repository_id, self.owner_id)),
            ("workflow", self.workflow.clone()),
            ("environment", any(&self.environment)),
            ("ref", any(&self.r#ref)),
            ("channel", names::short(&self.channel).to_owned()),
        ]))
    }
}

/// An app's publishers.
#[derive(Debug, Serialize)]
pub struct Publishers {
    /// The publishers, oldest first.
    pub publishers: Vec<Publisher>,
}

impl Display for Publishers {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |row: &Publisher| {
            [names::short(&row.name), &row.repository, &row.workflow, names::short(&row.channel)]
                .map(str::to_owned)
                .to_vec()
        };
        let rows: Vec<_> = self.publishers.iter().map(row).collect();
        f.write_str(&table::text(&["publisher", "repository", "workflow", "channel"], &rows))
    }
}

/// A publisher that is gone.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// Its full name.
    pub name: String,
}

impl Display for Removed {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was removed.", names::short(&self.name))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Add(add) => {
            let request = v1::CreateTrustedPublisherRequest {
                parent: names::app(&add.address.app)?,
                channel: add.address.name()?,
                issuer: add.issuer,
                repository: add.repository,
                repository_id: add.repository_id,
                owner_id: add.owner_id,
                workflow: add.workflow,
                environment: add.environment,
                r#ref: add.reference,
            };
            let answer = connection.answer(connection.publishers().create_trusted_publisher(request).await)?;
            let added = answer.trusted_publisher.ok_or_else(|| Error::missing("the publisher"))?;
            Ok(Box::new(Publisher::from(added)))
        }
        Command::List { app } => {
            let request = v1::ListTrustedPublishersRequest { parent: names::app(&app)? };
            let answer = connection.answer(connection.publishers().list_trusted_publishers(request).await)?;
            let publishers = answer.trusted_publishers.into_iter().map(Publisher::from).collect();
            Ok(Box::new(Publishers { publishers }))
        }
        Command::Remove { publisher, app } => {
            let name = names::publisher(&app, &publisher)?;
            let request = v1::DeleteTrustedPublisherRequest { name: name.clone() };
            connection.answer(connection.publishers().delete_trusted_publisher(request).await)?;
            Ok(Box::new(Removed { name }))
        }
    }
}
