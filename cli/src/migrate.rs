//! This file's job is `aloft migrate`: carry apps over from other servers.

mod carry;
mod package;
mod report;
mod server;

use crate::connection::Connection;
use crate::error::Error;
use crate::platform::OnePlatform;
use crate::report::AnyReport;
use carry::Carrier;
use report::Migration;
use server::Server;

/// Carries apps over from other servers.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Carries apps over from a CodePush server: deployments with their keys, and releases with their labels.
    ///
    /// Without --apply it only says what it would do. What is here already stays as it is, so the command can be repeated: it goes on where
    /// it was stopped, and takes over what was released there meanwhile.
    #[command(after_help = "Examples:
  aloft migrate codepush --from https://codepush.example.com
  aloft migrate codepush --from https://codepush.example.com --only Trailhead-iOS --apply")]
    Codepush(Arguments),
}

/// From where to carry what.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address of the server's management API.
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// An access key of that server.
    #[arg(long, value_name = "KEY", env = "ALOFT_CODEPUSH_ACCESS_KEY", hide_env_values = true)]
    pub access_key: String,
    /// Only this app; may be given more than once. Every app when not given.
    #[arg(long, value_name = "APP")]
    pub only: Vec<String>,
    /// What the apps run on, when their names do not end with it.
    #[arg(long, value_enum)]
    pub platform: Option<OnePlatform>,
    /// Do it.
    #[arg(long)]
    pub apply: bool,
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    let Command::Codepush(arguments) = command;
    let server = Server::new(&arguments.from, &arguments.access_key)?;
    let apps = server.apps(&arguments.only).await?;
    let platform = arguments.platform.map(OnePlatform::domain);
    let mut carrier = Carrier { server: &server, connection, apply: arguments.apply };
    let mut done = Migration { applied: arguments.apply, apps: Vec::new() };
    for app in apps {
        done.apps.push(carrier.app(&app, platform).await?);
    }
    match done.failures() {
        0 => Ok(Box::new(done)),
        count => Err(Error::Content(format!("{count} releases cannot be carried over:\n{done}"))),
    }
}
