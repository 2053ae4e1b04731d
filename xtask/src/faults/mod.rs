//! This file's job is to list the fault suites.

mod blobs;
mod edge;
mod lines;
mod queue;
pub mod record;
mod rounds;
mod spine;

use anyhow::{Context, Result, bail};

use record::Record;

use crate::places::Places;
use crate::supervisor::Supervisor;

/// What a suite has to work with.
#[derive(Debug, Clone, Copy)]
pub struct Faults<'a> {
    /// Where the repository and the cache are.
    pub places: &'a Places,
    /// Starts the processes that will suffer.
    pub supervisor: &'a Supervisor,
    /// Drives every random choice; printed, so that a run can be repeated.
    pub seed: u64,
    /// What continuous integration runs.
    pub short: bool,
}

/// One suite: `./x faults NAME`.
pub trait Suite {
    /// The word on the command line; stable.
    fn name(&self) -> &'static str;
    /// One line for the list.
    fn about(&self) -> &'static str;
    /// Injects every fault into the record.
    fn run(&self, faults: &Faults<'_>, record: &mut Record) -> Result<()>;
}

/// Every suite there is.
fn suites() -> Vec<Box<dyn Suite>> {
    vec![Box::new(blobs::Blobs), Box::new(edge::Edge), Box::new(queue::Queue), Box::new(spine::Spine)]
}

/// What `./x faults` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The suite; without it, the list is printed
    suite: Option<String>,
    /// Repeat a run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fewer repetitions
    #[arg(long)]
    short: bool,
}

/// Runs a suite, prints a line for each fault and writes `target/faults/SUITE.json`. Fails when anything was lost or
/// wrong, or when a fault's negative control was not seen.
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
        format!("there is no fault suite `{name}`; there are: {}", names.join(", "))
    })?;
    let mut record = Record::new(suite.name(), arguments.seed);
    let faults = Faults { places, supervisor, seed: arguments.seed, short: arguments.short };
    let outcome = suite.run(&faults, &mut record);
    record.write(&places.figures("faults"))?;
    outcome?;
    if record.has_losses() {
        bail!("the suite `{name}` lost something or got something wrong (seed {})", arguments.seed);
    }
    Ok(())
}
