//! This file's job is to list the benchmark suites.

mod auth;
mod blobs;
mod callgrind;
mod connections;
mod delta;
mod edge;
mod field;
mod fleet;
mod instructions;
mod interleave;
mod load;
mod nginx;
pub mod process_cost;
mod protocols;
mod publish;
mod queue;
pub mod report;
mod sync;
mod update_server;

use anyhow::{Context, Result, bail};

use report::Report;

use crate::places::Places;
use crate::supervisor::Supervisor;

/// What a suite has to work with.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// Where the repository and the cache are.
    pub places: &'a Places,
    /// Starts servers and load generators.
    pub supervisor: &'a Supervisor,
    /// How often each side of a comparison runs.
    pub rounds: usize,
}

/// One suite: `./x bench NAME`.
pub trait Suite {
    /// The word on the command line; stable.
    fn name(&self) -> &'static str;
    /// One line for the list.
    fn about(&self) -> &'static str;
    /// Measures every case into the report. An error stops the suite; a case that cannot be measured is reported with
    /// [`Report::fail`] instead, so that the others still run.
    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()>;
}

/// Every suite there is.
fn suites() -> Vec<Box<dyn Suite>> {
    vec![
        Box::new(auth::Auth),
        Box::new(blobs::Blobs),
        Box::new(delta::Delta),
        Box::new(edge::Edge),
        Box::new(fleet::Fleet),
        Box::new(protocols::Protocols),
        Box::new(publish::Publish),
        Box::new(queue::Queue),
        Box::new(sync::Sync),
    ]
}

/// What `./x bench` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The suite; without it, the list is printed
    suite: Option<String>,
    /// How often each side of a comparison runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

/// Runs a suite, prints its table and writes `target/bench/SUITE.json`. Fails when a case failed.
pub fn run(places: &Places, supervisor: &Supervisor, arguments: &Arguments) -> Result<()> {
    let suites = suites();
    let Some(name) = &arguments.suite else {
        for suite in &suites {
            println!("{:12} {}", suite.name(), suite.about());
        }
        return Ok(());
    };
    let suite = suites.iter().find(|suite| suite.name() == name).with_context(|| {
        let names: Vec<&str> = suites.iter().map(|suite| suite.name()).collect();
        format!("there is no bench suite `{name}`; there are: {}", names.join(", "))
    })?;
    let mut report = Report::new(suite.name());
    let bench = Bench { places, supervisor, rounds: arguments.rounds as usize };
    let outcome = suite.run(&bench, &mut report);
    print!("{}", report.table());
    outcome?;
    report.write(&places.figures("bench"))?;
    if report.has_failures() {
        bail!("a case of the suite `{name}` failed");
    }
    Ok(())
}
