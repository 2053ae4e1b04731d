//! This file's job is to build the one-process platform and become it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::corpus;
use crate::dashboard;
use crate::places::Places;
use crate::supervisor::Supervisor;

/// What `./x up` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Build with optimisation
    #[arg(long)]
    release: bool,
    /// Options of the `standalone` program; `./x up -- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<String>,
}

/// Builds `standalone`, `cli` and the dashboard, bundles the example app when the demo is wanted, and replaces this process, so that
/// signals and the exit code are the program's own.
pub fn run(places: &Places, supervisor: &Supervisor, arguments: &Arguments) -> Result<()> {
    let profile: &[&str] = if arguments.release { &["--release"] } else { &[] };
    supervisor
        .run(cargo(places).args(["build", "--quiet", "--package", "standalone", "--package", "cli"]).args(profile))?;
    let dashboard = dashboard::ensure(places, supervisor)?;
    let mut command = cargo(places);
    command.env(dashboard::FOLDER_VARIABLE, dashboard.files());
    command.args(["run", "--quiet", "--package", "standalone"]).args(profile).arg("--").args(&arguments.options);
    if arguments.options.iter().any(|option| option == "--demo") {
        command.env("ALOFT_CORPUS", corpus::ensure(places, supervisor)?);
    }
    Err(command.exec()).context("cannot start cargo")
}

/// Cargo, in the repository, whatever folder the caller stands in.
pub fn cargo(places: &Places) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(places.root());
    command
}
