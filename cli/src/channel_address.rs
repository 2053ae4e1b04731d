//! This file's job is to read which app and which channel a command is about.

use crate::error::Error;
use crate::names;

/// The app that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct AppAddress {
    /// The app: its short name or its id.
    #[arg(long, env = "ALOFT_APP", value_name = "APP")]
    pub app: String,
}

impl AppAddress {
    /// Returns the full name.
    pub fn name(&self) -> Result<String, Error> {
        names::app(&self.app)
    }
}

/// The channel that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct ChannelAddress {
    /// The app: its short name or its id.
    #[arg(long, env = "ALOFT_APP", value_name = "APP")]
    pub app: String,
    /// The channel: its name or its id.
    #[arg(long, env = "ALOFT_CHANNEL", value_name = "CHANNEL")]
    pub channel: String,
}

impl ChannelAddress {
    /// Returns the channel's full name.
    pub fn name(&self) -> Result<String, Error> {
        names::channel(&self.app, &self.channel)
    }
}
