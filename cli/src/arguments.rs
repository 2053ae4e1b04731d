//! This file's job is to list the commands and to hand each to its verb.

use crate::connection::Connection;
use crate::error::Error;
use crate::progress::Progress;
use crate::report::AnyReport;
use crate::settings::{self, Settings};
use crate::{
    app, app_transfer, audit, binary, bundles, channel, completions, credential, delta, deployment_key, device, diff,
    exit, explain, expo, key, login, logout, migrate, names, operator, pin, promote, publisher, queue, release,
    releases, rollback, rollout, status, upload, usage, webhook, whoami, workflow,
};

/// Ships over-the-air updates to React Native apps.
#[derive(Debug, clap::Parser)]
#[command(name = "aloft", version, after_help = exit::HELP, max_term_width = 110)]
pub struct Arguments {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// The server's address, https:// or http://.
    #[arg(long, global = true, env = "ALOFT_SERVER", value_name = "URL", help_heading = "Global options")]
    pub server: Option<String>,
    /// The API key; better kept by `aloft login` or in the environment.
    #[arg(
        long,
        global = true,
        env = "ALOFT_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub api_key: Option<String>,
    /// Print one JSON document on standard output, also for errors, and no progress.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
#[expect(missing_docs, reason = "each command is documented at its type, where the help text comes from")]
pub enum Command {
    Login(login::Arguments),
    /// Ends the session that `aloft login` began, and forgets what it kept.
    Logout,
    /// Shows whose credential is used, and where.
    Whoami,
    #[command(subcommand)]
    App(app::Command),
    #[command(subcommand)]
    Transfer(app_transfer::Command),
    #[command(subcommand)]
    Channel(channel::Command),
    #[command(subcommand)]
    DeploymentKey(deployment_key::Command),
    #[command(subcommand)]
    Migrate(migrate::Command),
    #[command(subcommand)]
    Binary(binary::Command),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Publisher(publisher::Command),
    #[command(subcommand)]
    Credential(credential::Command),
    #[command(subcommand)]
    Webhook(webhook::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    /// Shows what the plan allows and what is used of it.
    Usage,
    #[command(subcommand)]
    Operator(operator::Command),
    Upload(upload::Arguments),
    #[command(subcommand)]
    Bundles(bundles::Command),
    Release(Box<release::Arguments>),
    #[command(subcommand)]
    Releases(releases::Command),
    Diff(diff::Arguments),
    #[command(subcommand)]
    Rollout(rollout::Command),
    Rollback(rollback::Arguments),
    Promote(Box<promote::Arguments>),
    Pin(pin::PinArguments),
    Unpin(pin::UnpinArguments),
    Pins(pin::PinsArguments),
    #[command(subcommand)]
    Device(device::Command),
    #[command(subcommand)]
    Queue(queue::Command),
    Explain(explain::Arguments),
    #[command(subcommand)]
    Expo(expo::Command),
    Status(status::Arguments),
    #[command(subcommand)]
    Delta(delta::Command),
    Completions(completions::Arguments),
}

/// Runs a command. `environment` is asked for the place of the settings.
pub async fn run(arguments: Arguments, environment: impl Fn(&str) -> Option<String>) -> Result<AnyReport, Error> {
    let Arguments { global, command } = arguments;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (server, api_key) = (given(global.server), given(global.api_key));
    let progress = Progress::new(global.json);
    match command {
        Command::Completions(arguments) => Ok(completions::run(&arguments)),
        Command::Delta(command) => delta::run(&command),
        Command::Login(arguments) => {
            let path = settings::path(environment)?;
            let stored = Settings::read(&path)?;
            login::run(arguments, server.as_deref(), api_key.as_deref(), stored, &path, progress).await
        }
        Command::Logout => {
            let path = settings::path(environment)?;
            logout::run(Settings::read(&path)?, &path, progress).await
        }
        command => {
            // Who gives server and key needs no settings: a build machine's user may have no home.
            let stored = match (&server, &api_key) {
                (Some(_), Some(_)) => Settings::default(),
                (Some(_), None) if workflow::Identity::find(&environment).is_some() => settings::path(&environment)
                    .map_or_else(|_| Ok(Settings::default()), |path| Settings::read(&path))?,
                (None, _) | (_, None) => Settings::read(&settings::path(&environment)?)?,
            };
            let api_key = match (api_key, workflow::Identity::find(&environment)) {
                (None, Some(identity)) if stored.credential().is_none() => {
                    let server = server.as_deref().or(stored.server.as_deref()).unwrap_or(settings::DEFAULT_SERVER);
                    Some(identity.exchange(server, channel_of(&environment)?, progress).await?)
                }
                (api_key, _) => api_key,
            };
            let connection = Connection::from_settings(server.as_deref(), api_key.as_deref(), &stored, progress)?;
            connected(command, &connection).await
        }
    }
}

/// Returns the channel that a workflow is about, if its environment says so.
fn channel_of(environment: &impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    match (environment("ALOFT_APP"), environment("ALOFT_CHANNEL")) {
        (Some(app), Some(channel)) => names::channel(&app, &channel),
        (Some(_), None) | (None, _) => Ok(String::new()),
    }
}

async fn connected(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Login(_) | Command::Logout | Command::Whoami => whoami::run(connection).await,
        Command::App(command) => app::run(command, connection).await,
        Command::Transfer(command) => app_transfer::run(command, connection).await,
        Command::Channel(command) => channel::run(command, connection).await,
        Command::DeploymentKey(command) => deployment_key::run(command, connection).await,
        Command::Migrate(command) => migrate::run(command, connection).await,
        Command::Binary(command) => binary::run(command, connection).await,
        Command::Key(command) => key::run(command, connection).await,
        Command::Publisher(command) => publisher::run(command, connection).await,
        Command::Credential(command) => credential::run(command, connection).await,
        Command::Webhook(command) => webhook::run(command, connection).await,
        Command::Audit(command) => audit::run(command, connection).await,
        Command::Usage => usage::run(connection).await,
        Command::Operator(command) => operator::run(command, connection).await,
        Command::Queue(command) => queue::run(command, connection).await,
        Command::Bundles(command) => bundles::run(command, connection).await,
        Command::Diff(arguments) => diff::run(arguments, connection).await,
        Command::Upload(arguments) => upload::run(arguments, connection).await,
        Command::Release(arguments) => release::run(*arguments, connection).await,
        Command::Releases(command) => releases::run(command, connection).await,
        Command::Rollout(command) => rollout::run(command, connection).await,
        Command::Rollback(arguments) => rollback::run(arguments, connection).await,
        Command::Promote(arguments) => promote::run(*arguments, connection).await,
        Command::Pin(arguments) => pin::pin(arguments, connection).await,
        Command::Unpin(arguments) => pin::unpin(arguments, connection).await,
        Command::Pins(arguments) => pin::pins(arguments, connection).await,
        Command::Device(command) => device::run(command, connection).await,
        Command::Expo(command) => expo::run(command, connection).await,
        Command::Explain(arguments) => explain::run(arguments, connection).await,
        Command::Status(arguments) => status::run(arguments, connection).await,
        Command::Delta(command) => delta::run(&command),
        Command::Completions(arguments) => Ok(completions::run(&arguments)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_has_no_contradictions() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn wrong_command_lines_are_refused() {
        for line in [
            "aloft",
            "aloft rollout set 25 --app a --channel c",
            "aloft rollback --app a --channel c --to v1 --embedded",
            "aloft channel update c --app a",
            "aloft webhook update whk_1",
            "aloft releases update v1 --app a --channel c",
            "aloft release x --app a --channel c --binary-range 1.x --runtime-version 1",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn usual_command_lines_are_understood() {
        for line in [
            "aloft login --server http://x",
            "aloft migrate codepush --from https://x/codepush --access-key k --only A --platform ios --apply",
            "aloft login --browser",
            "aloft logout",
            "aloft rollout set 25% --app a --channel c",
            "aloft rollback --app a --channel c --to v1 --json",
            "aloft channel update c --app a --unblock --rename d",
            "aloft releases update v1 --app a --channel c --mandatory true",
            "aloft release x --app a --channel c --binary-range 1.x --platform both --rollout 5% --wait 60",
            "aloft release x --app a --channel c --binary-range 1.x --hermesc",
            "aloft release x --app a --channel c --binary-range 1.x --hermesc=/opt/hermesc --base v1.hbc",
            "aloft release x --app a --channel c --binary-range 1.x --renumber-strings --base v1.hbc",
            "aloft key create ci --app a --action release.write --action *.read --expires 30d",
            "aloft key roll key_1 --keep 0h",
            "aloft diff v1 v2 --app a --channel c",
            "aloft bundles source-map bun_1 --app a --out main.map",
            "aloft upload x --app a --source-map main.map",
            "aloft webhook create https://a.example/hook --app a --event release.created --event rollout.changed",
            "aloft webhook update whk_1 --enabled false",
            "aloft webhook rotate whk_1 --keep 7d",
            "aloft release --bundle bun_1 --app a --channel c --runtime-version 1",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
