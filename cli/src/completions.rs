//! This file's job is `aloft completions`: write a shell's completion script.

use crate::arguments::Arguments as RootArguments;
use crate::report::AnyReport;
use clap::CommandFactory as _;
use clap_complete::Shell;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Writes a shell's completion script to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  aloft completions bash > ~/.local/share/bash-completion/completions/aloft")]
pub struct Arguments {
    /// The shell.
    pub shell: Shell,
}

/// A completion script.
#[derive(Debug, Serialize)]
pub struct Script {
    /// The shell.
    pub shell: String,
    /// The script's text.
    pub script: String,
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.script)
    }
}

/// Makes the script.
#[must_use]
pub fn run(arguments: &Arguments) -> AnyReport {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut RootArguments::command(), "aloft", &mut script);
    Box::new(Script { shell: arguments.shell.to_string(), script: String::from_utf8_lossy(&script).into_owned() })
}
