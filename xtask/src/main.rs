//! This file's job is to list the developer commands.
#![expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]

mod aloft;
mod bench;
mod cache_entry;
mod client;
mod cluster;
mod corpus;
mod dashboard;
mod faults;
mod figures;
mod fuzz;
mod lint;
mod node_project;
mod npm_tool;
mod places;
mod platform;
mod python_tool;
mod supervisor;
mod test;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use places::Places;
use supervisor::Supervisor;

/// Every command a developer needs.
#[derive(Debug, Parser)]
#[command(name = "x", bin_name = "./x", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build and start everything in one process; options go to it, e.g. --demo --exit
    Up(up::Arguments),
    /// Run this clone's `aloft`; options go to it
    Aloft(aloft::Arguments),
    /// Check style, then run every test against a private PostgreSQL cluster and the corpus
    Test(test::Arguments),
    /// Check formatting, Clippy and the protobuf contract
    Lint,
    /// Bundle the example app into the build cache and print where it is
    Corpus,
    /// Measure a suite against its peers
    Bench(bench::Arguments),
    /// Break things on purpose, and count what is lost
    Faults(faults::Arguments),
    /// Feed invented bytes to everything that reads foreign ones
    Fuzz(fuzz::Arguments),
    /// Write docs/figures.md from the latest bench and faults runs
    Figures,
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("x: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    let places = Places::find()?;
    let supervisor = Supervisor::new()?;
    match verb {
        Verb::Up(arguments) => up::run(&places, &supervisor, &arguments),
        Verb::Aloft(arguments) => aloft::run(&places, &arguments),
        Verb::Test(arguments) => test::run(&places, &supervisor, &arguments),
        Verb::Lint => lint::run(&places, &supervisor),
        Verb::Corpus => {
            println!("{}", corpus::ensure(&places, &supervisor)?.display());
            Ok(())
        }
        Verb::Bench(arguments) => bench::run(&places, &supervisor, &arguments),
        Verb::Faults(arguments) => faults::run(&places, &supervisor, &arguments),
        Verb::Fuzz(arguments) => fuzz::run(&places, &supervisor, &arguments),
        Verb::Figures => figures::run(&places),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_of_up_are_passed_on() {
        let arguments = Arguments::try_parse_from(["x", "up", "--demo", "--exit", "--port", "9000"]).unwrap();
        let Verb::Up(up) = arguments.verb else { panic!("not up") };
        assert_eq!(up.options, ["--demo", "--exit", "--port", "9000"]);
    }
}
