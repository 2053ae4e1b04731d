//! This file's job is `aloft status`: show what an app's channels offer, and to how many devices.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{names, paging, table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Releases older than these seldom matter; `aloft releases list` shows all.
const RELEASES_SHOWN: usize = 10;

/// Shows what an app's channels offer, and to which share of devices.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  aloft status --app trailhead")]
pub struct Arguments {
    /// The app: its short name or its id.
    #[arg(long, env = "ALOFT_APP", value_name = "APP")]
    pub app: String,
    /// Only this channel.
    #[arg(long, env = "ALOFT_CHANNEL", value_name = "CHANNEL")]
    pub channel: Option<String>,
}

/// What an app's channels offer.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The channels, oldest first.
    pub channels: Vec<ChannelStatus>,
}

/// What a channel offers.
#[derive(Debug, Serialize)]
pub struct ChannelStatus {
    /// The channel.
    pub channel: view::Channel,
    /// Its newest releases, newest first.
    pub releases: Vec<view::Release>,
    /// Releases that are not listed here.
    pub older_releases: usize,
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.channels.is_empty() {
            return f.write_str("The app has no channels. Make one: aloft channel create production --app APP\n");
        }
        for (index, status) in self.channels.iter().enumerate() {
            let blocked = if status.channel.blocked { " (blocked)" } else { "" };
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(f, "{gap}{}{blocked}", status.channel.channel_name)?;
            if status.releases.is_empty() {
                f.write_str("no releases\n")?;
                continue;
            }
            let rows: Vec<_> = status.releases.iter().map(view::Release::row).collect();
            f.write_str(&table::text(&view::RELEASE_HEADINGS, &rows))?;
            if status.older_releases > 0 {
                writeln!(f, "and {} older", status.older_releases)?;
            }
        }
        Ok(())
    }
}

/// Reads the channels and their newest releases.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let channels = match &arguments.channel {
        Some(channel) => {
            let request = v1::GetChannelRequest { name: names::channel(&arguments.app, channel)? };
            let answer = connection.answer(connection.channels().get_channel(request).await)?;
            vec![answer.channel.ok_or_else(|| Error::missing("the channel"))?]
        }
        None => paging::channels(connection, &names::app(&arguments.app)?).await?,
    };
    let mut status = Status { channels: Vec::new() };
    for channel in channels {
        let mut releases = view::Releases::from(paging::releases(connection, &channel.name).await?).releases;
        let older_releases = releases.len().saturating_sub(RELEASES_SHOWN);
        releases.truncate(RELEASES_SHOWN);
        status.channels.push(ChannelStatus { channel: channel.into(), releases, older_releases });
    }
    Ok(Box::new(status))
}
