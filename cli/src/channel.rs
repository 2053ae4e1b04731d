//! This file's job is `aloft channel`: make, show, change and delete channels.

use crate::channel_address::AppAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::report::AnyReport;
use crate::{key, moment, names, paging, table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Makes, shows, changes and deletes channels.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a channel.
    #[command(after_help = "Example:\n  aloft channel create production --app trailhead")]
    Create {
        /// The channel's name; devices send it.
        channel: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        /// Which keys may see it; that of your key when not given.
        #[arg(long, value_enum)]
        environment: Option<key::Environment>,
        /// What happens to bundles with warnings: debug bundles, assets of another platform, bytecode that a binary cannot run.
        #[arg(long, value_enum, default_value_t = Policy::Warn)]
        bundle_policy: Policy,
    },
    /// Lists an app's channels.
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Shows a channel.
    Get {
        /// The channel: its name or its id.
        channel: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Renames, blocks or unblocks a channel, or changes what it takes. A blocked channel offers nothing to anybody.
    #[command(after_help = "Example:\n  aloft channel update production --app trailhead --block")]
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
    Update {
        /// The channel: its name or its id.
        channel: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        /// New name. Devices that send the old one get nothing any more.
        #[arg(long, group = "change")]
        rename: Option<String>,
        /// Offer nothing to anybody.
        #[arg(long, group = "change", conflicts_with = "unblock")]
        block: bool,
        /// Offer releases again.
        #[arg(long, group = "change")]
        unblock: bool,
        /// What happens to bundles with warnings that are published from now on.
        #[arg(long, value_enum, group = "change")]
        bundle_policy: Option<Policy>,
    },
    /// Deletes a channel with its releases and pins.
    Delete {
        /// The channel: its name or its id.
        channel: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
}

/// What happens to bundles with warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// They are taken, with the warnings on them.
    Warn,
    /// They are refused.
    Refuse,
}

impl From<Policy> for v1::BundlePolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Warn => Self::Warn,
            Policy::Refuse => Self::Refuse,
        }
    }
}

/// All channels of an app.
#[derive(Debug, Serialize)]
pub struct Channels {
    /// The channels, oldest first.
    pub channels: Vec<view::Channel>,
}

impl Display for Channels {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |channel: &view::Channel| {
            vec![
                channel.channel_name.clone(),
                view::yes(channel.blocked),
                channel.channel_id.clone(),
                moment::text(channel.created_at_us),
            ]
        };
        let rows: Vec<_> = self.channels.iter().map(row).collect();
        f.write_str(&table::text(&["channel", "blocked", "id", "created"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { channel, app, environment, bundle_policy } => {
            let request = v1::CreateChannelRequest {
                parent: app.name()?,
                channel_name: channel,
                request_id: request_id(),
                environment: environment.map(v1::Environment::from).unwrap_or_default().into(),
                bundle_policy: v1::BundlePolicy::from(bundle_policy).into(),
            };
            show(connection.answer(connection.channels().create_channel(request).await)?.channel)
        }
        Command::List { app } => {
            let channels = paging::channels(connection, &app.name()?).await?.into_iter().map(Into::into).collect();
            Ok(Box::new(Channels { channels }))
        }
        Command::Get { channel, app } => {
            let request = v1::GetChannelRequest { name: names::channel(&app.app, &channel)? };
            show(connection.answer(connection.channels().get_channel(request).await)?.channel)
        }
        Command::Update { channel, app, rename, block, unblock, bundle_policy } => {
            let name = names::channel(&app.app, &channel)?;
            update(connection, name, rename, (block || unblock).then_some(block), bundle_policy).await
        }
        Command::Delete { channel, app } => {
            let name = names::channel(&app.app, &channel)?;
            let request = v1::DeleteChannelRequest { name: name.clone(), etag: String::new() };
            connection.answer(connection.channels().delete_channel(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

async fn update(
    connection: &Connection,
    name: String,
    rename: Option<String>,
    blocked: Option<bool>,
    policy: Option<Policy>,
) -> Result<AnyReport, Error> {
    let mut paths = Vec::new();
    paths.extend(rename.is_some().then(|| "channel_name".to_owned()));
    paths.extend(blocked.is_some().then(|| "blocked".to_owned()));
    paths.extend(policy.is_some().then(|| "bundle_policy".to_owned()));
    let channel = v1::Channel {
        name,
        channel_name: rename.unwrap_or_default(),
        blocked: blocked.unwrap_or_default(),
        bundle_policy: policy.map(v1::BundlePolicy::from).unwrap_or_default().into(),
        ..Default::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = v1::UpdateChannelRequest { channel: Some(channel), update_mask, etag: String::new() };
    show(connection.answer(connection.channels().update_channel(request).await)?.channel)
}

fn show(channel: Option<v1::Channel>) -> Result<AnyReport, Error> {
    Ok(Box::new(view::Channel::from(channel.ok_or_else(|| Error::missing("the channel"))?)))
}
