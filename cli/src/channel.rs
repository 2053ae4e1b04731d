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
    #[command(
        after_help = "Examples:\n  aloft channel update production --app trailhead --block\n  aloft channel update beta --expo-server-defined-headers 'x-ring=\"early\", x-generation=2'"
    )]
    Update {
        /// The channel: its name or its id.
        channel: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        changes: Changes,
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

/// What is to change in a channel.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Changes {
    /// New name. Devices that send the old one get nothing any more.
    #[arg(long)]
    pub rename: Option<String>,
    /// Offer nothing to anybody.
    #[arg(long, conflicts_with = "unblock")]
    pub block: bool,
    /// Offer releases again.
    #[arg(long)]
    pub unblock: bool,
    /// What happens to bundles with warnings that are published from now on.
    #[arg(long, value_enum)]
    pub bundle_policy: Option<Policy>,
    /// Headers that Expo clients keep and send with later checks: a dictionary (RFC 8941) of quoted texts, numbers and booleans. With an
    /// empty one they forget what they keep.
    #[arg(long, value_name = "DICTIONARY")]
    pub expo_server_defined_headers: Option<String>,
    /// Headers that Expo clients send when they fetch assets: a dictionary (RFC 8941) of quoted texts; none with an empty one. Any client is
    /// told them: no place for secrets.
    #[arg(long, value_name = "DICTIONARY")]
    pub expo_asset_request_headers: Option<String>,
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
        Command::Update { channel, app, changes } => {
            let request = changes.request(names::channel(&app.app, &channel)?);
            show(connection.answer(connection.channels().update_channel(request).await)?.channel)
        }
        Command::Delete { channel, app } => {
            let name = names::channel(&app.app, &channel)?;
            let request = v1::DeleteChannelRequest { name: name.clone(), etag: String::new() };
            connection.answer(connection.channels().delete_channel(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

impl Changes {
    fn request(self, name: String) -> v1::UpdateChannelRequest {
        let changed = [
            ("channel_name", self.rename.is_some()),
            ("blocked", self.block || self.unblock),
            ("bundle_policy", self.bundle_policy.is_some()),
            ("expo_server_defined_headers", self.expo_server_defined_headers.is_some()),
            ("expo_asset_request_headers", self.expo_asset_request_headers.is_some()),
        ];
        let paths = changed.iter().filter(|(_, is_changed)| *is_changed).map(|(path, _)| (*path).to_owned()).collect();
        let channel = v1::Channel {
            name,
            channel_name: self.rename.unwrap_or_default(),
            blocked: self.block,
            bundle_policy: self.bundle_policy.map(v1::BundlePolicy::from).unwrap_or_default().into(),
            expo_server_defined_headers: self.expo_server_defined_headers,
            expo_asset_request_headers: self.expo_asset_request_headers.unwrap_or_default(),
            ..Default::default()
        };
        let update_mask = Some(prost_types::FieldMask { paths });
        v1::UpdateChannelRequest { channel: Some(channel), update_mask, etag: String::new() }
    }
}

fn show(channel: Option<v1::Channel>) -> Result<AnyReport, Error> {
    Ok(Box::new(view::Channel::from(channel.ok_or_else(|| Error::missing("the channel"))?)))
}
