//! This file's job is to run this clone's command line.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::places::Places;
use crate::up::cargo;

/// What `./x aloft` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Arguments of `aloft`; `./x aloft -- --help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds `aloft` and becomes it, so that its exit code and its standard streams are the user's.
pub fn run(places: &Places, arguments: &Arguments) -> Result<()> {
    let mut command = cargo(places);
    // Paths on the command line are relative to where the user stands.
    command.current_dir(std::env::current_dir().context("the current folder is gone")?);
    command.arg("run").arg("--quiet").arg("--manifest-path").arg(places.root().join("Cargo.toml"));
    command.args(["--package", "cli", "--bin", "aloft", "--"]).args(&arguments.options);
    Err(command.exec()).context("cannot start cargo")
}
